//! The numbers of the RPM tags that are read here. Names follow rpm's own.

/// Tags of the signature header that sits before the main header.
pub(super) mod signature {
    pub(crate) const DSA: u32 = 267;
    pub(crate) const RSA: u32 = 268;
    pub(crate) const SHA1: u32 = 269;
    pub(crate) const LONG_ARCHIVE_SIZE: u32 = 271;
    pub(crate) const SHA256: u32 = 273;
    pub(crate) const PGP: u32 = 1002;
    pub(crate) const MD5: u32 = 1004;
    pub(crate) const GPG: u32 = 1005;
    pub(crate) const PAYLOAD_SIZE: u32 = 1007;
    /// rpm 6: an array of base64 signatures.
    pub(crate) const OPENPGP: u32 = 278;
}

pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const SUMMARY: u32 = 1004;
pub(super) const DESCRIPTION: u32 = 1005;
pub(super) const BUILDTIME: u32 = 1006;
pub(super) const BUILDHOST: u32 = 1007;
pub(super) const SIZE: u32 = 1009;
pub(super) const VENDOR: u32 = 1011;
pub(super) const LICENSE: u32 = 1014;
pub(super) const PACKAGER: u32 = 1015;
pub(super) const GROUP: u32 = 1016;
pub(super) const URL: u32 = 1020;
pub(super) const ARCH: u32 = 1022;
pub(super) const OLD_FILENAMES: u32 = 1027;
pub(super) const FILE_MODES: u32 = 1030;
pub(super) const FILE_FLAGS: u32 = 1037;
pub(super) const SOURCERPM: u32 = 1044;
pub(super) const ARCHIVE_SIZE: u32 = 1046;
pub(super) const EXCLUDE_ARCH: u32 = 1059;
pub(super) const EXCLUSIVE_ARCH: u32 = 1061;
pub(super) const CHANGELOG_TIME: u32 = 1080;
pub(super) const CHANGELOG_NAME: u32 = 1081;
pub(super) const CHANGELOG_TEXT: u32 = 1082;
pub(super) const BUILD_ARCHS: u32 = 1089;
pub(super) const SOURCE_PACKAGE: u32 = 1106;
pub(super) const DIR_INDEXES: u32 = 1116;
pub(super) const BASENAMES: u32 = 1117;
pub(super) const DIR_NAMES: u32 = 1118;
pub(super) const LONG_SIZE: u32 = 5009;
pub(super) const PAYLOAD_DIGEST: u32 = 5092;

/// The three parallel arrays of one kind of dependency.
pub(super) struct DependencyTags {
    pub(super) name: u32,
    pub(super) flags: u32,
    pub(super) version: u32,
}

const fn triple(name: u32, flags: u32, version: u32) -> DependencyTags {
    DependencyTags { name, flags, version }
}

pub(super) const PROVIDES: DependencyTags = triple(1047, 1112, 1113);
pub(super) const REQUIRES: DependencyTags = triple(1049, 1048, 1050);
pub(super) const CONFLICTS: DependencyTags = triple(1054, 1053, 1055);
pub(super) const OBSOLETES: DependencyTags = triple(1090, 1114, 1115);
pub(super) const RECOMMENDS: DependencyTags = triple(5046, 5048, 5047);
pub(super) const SUGGESTS: DependencyTags = triple(5049, 5051, 5050);
pub(super) const SUPPLEMENTS: DependencyTags = triple(5052, 5054, 5053);
pub(super) const ENHANCES: DependencyTags = triple(5055, 5057, 5056);
/// Weak dependencies as SUSE wrote them before rpm 4.12: a flag tells the strong kind from the weak one.
pub(super) const OLD_SUGGESTS: DependencyTags = triple(1156, 1158, 1157);
pub(super) const OLD_ENHANCES: DependencyTags = triple(1159, 1161, 1160);
