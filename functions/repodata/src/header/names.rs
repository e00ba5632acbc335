//! RPM's tags by name: every one that rpm 4.18 can be asked for, with rpm's own number and whether it is a list.

/// A tag as callers name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagName {
    /// As rpm spells it.
    pub name: &'static str,
    /// Its number.
    pub number: u32,
    /// Whether its value is a list, even of one element or none.
    pub is_list: bool,
}

/// The tag of this name, in any case.
pub fn named(name: &str) -> Option<&'static TagName> {
    TAGS.iter().chain(ALIASES).find(|tag| tag.name.eq_ignore_ascii_case(name))
}

/// The tag of this number, under rpm's own name for it.
pub fn numbered(number: u32) -> Option<&'static TagName> {
    TAGS.iter().find(|tag| tag.number == number)
}

const fn one(name: &'static str, number: u32) -> TagName {
    TagName { name, number, is_list: false }
}

const fn list(name: &'static str, number: u32) -> TagName {
    TagName { name, number, is_list: true }
}

/// Second names.
const ALIASES: &[TagName] = &[
    list("Conflicts", 1054),
    list("Enhances", 5055),
    list("Filemd5s", 1035),
    list("Obsoletes", 1090),
    list("Provides", 1047),
    list("Recommends", 5046),
    list("Requires", 1049),
    list("Suggests", 5049),
    list("Supplements", 5052),
    one("Pkgid", 261),
    one("Hdrid", 269),
];

#[rustfmt::skip]
const TAGS: &[TagName] = &[
    list("Headeri18ntable", 100), one("Sigsize", 257), one("Sigpgp", 259), one("Sigmd5", 261), one("Siggpg", 262),
    list("Pubkeys", 266), one("Dsaheader", 267), one("Rsaheader", 268), one("Sha1header", 269),
    one("Longsigsize", 270), one("Longarchivesize", 271), one("Sha256header", 273), list("Veritysignatures", 276),
    one("Veritysignaturealgo", 277), one("Name", 1000), one("Version", 1001), one("Release", 1002),
    one("Epoch", 1003), one("Summary", 1004), one("Description", 1005), one("Buildtime", 1006),
    one("Buildhost", 1007), one("Installtime", 1008), one("Size", 1009), one("Distribution", 1010),
    one("Vendor", 1011), one("Gif", 1012), one("Xpm", 1013), one("License", 1014), one("Packager", 1015),
    one("Group", 1016), list("Source", 1018), list("Patch", 1019), one("Url", 1020), one("Os", 1021),
    one("Arch", 1022), one("Prein", 1023), one("Postin", 1024), one("Preun", 1025), one("Postun", 1026),
    list("Oldfilenames", 1027), list("Filesizes", 1028), list("Filestates", 1029), list("Filemodes", 1030),
    list("Filerdevs", 1033), list("Filemtimes", 1034), list("Filedigests", 1035), list("Filelinktos", 1036),
    list("Fileflags", 1037), list("Fileusername", 1039), list("Filegroupname", 1040), one("Icon", 1043),
    one("Sourcerpm", 1044), list("Fileverifyflags", 1045), one("Archivesize", 1046), list("Providename", 1047),
    list("Requireflags", 1048), list("Requirename", 1049), list("Requireversion", 1050), list("Nosource", 1051),
    list("Nopatch", 1052), list("Conflictflags", 1053), list("Conflictname", 1054), list("Conflictversion", 1055),
    list("Excludearch", 1059), list("Excludeos", 1060), list("Exclusivearch", 1061), list("Exclusiveos", 1062),
    one("Rpmversion", 1064), list("Triggerscripts", 1065), list("Triggername", 1066), list("Triggerversion", 1067),
    list("Triggerflags", 1068), list("Triggerindex", 1069), one("Verifyscript", 1079), list("Changelogtime", 1080),
    list("Changelogname", 1081), list("Changelogtext", 1082), list("Preinprog", 1085), list("Postinprog", 1086),
    list("Preunprog", 1087), list("Postunprog", 1088), list("Buildarchs", 1089), list("Obsoletename", 1090),
    list("Verifyscriptprog", 1091), list("Triggerscriptprog", 1092), one("Cookie", 1094), list("Filedevices", 1095),
    list("Fileinodes", 1096), list("Filelangs", 1097), list("Prefixes", 1098), list("Instprefixes", 1099),
    one("Sourcepackage", 1106), list("Provideflags", 1112), list("Provideversion", 1113), list("Obsoleteflags", 1114),
    list("Obsoleteversion", 1115), list("Dirindexes", 1116), list("Basenames", 1117), list("Dirnames", 1118),
    list("Origdirindexes", 1119), list("Origbasenames", 1120), list("Origdirnames", 1121), one("Optflags", 1122),
    one("Disturl", 1123), one("Payloadformat", 1124), one("Payloadcompressor", 1125), one("Payloadflags", 1126),
    one("Installcolor", 1127), one("Installtid", 1128), one("Removetid", 1129), one("Platform", 1132),
    list("Patchesname", 1133), list("Patchesflags", 1134), list("Patchesversion", 1135), list("Filecolors", 1140),
    list("Fileclass", 1141), list("Classdict", 1142), list("Filedependsx", 1143), list("Filedependsn", 1144),
    list("Dependsdict", 1145), one("Sourcepkgid", 1146), list("Filecontexts", 1147), list("Fscontexts", 1148),
    list("Recontexts", 1149), list("Policies", 1150), one("Pretrans", 1151), one("Posttrans", 1152),
    list("Pretransprog", 1153), list("Posttransprog", 1154), one("Disttag", 1155), list("Oldsuggestsname", 1156),
    list("Oldsuggestsversion", 1157), list("Oldsuggestsflags", 1158), list("Oldenhancesname", 1159),
    list("Oldenhancesversion", 1160), list("Oldenhancesflags", 1161), one("Nvra", 1196), list("Filenames", 5000),
    list("Fileprovide", 5001), list("Filerequire", 5002), list("Triggerconds", 5005), list("Triggertype", 5006),
    list("Origfilenames", 5007), list("Longfilesizes", 5008), one("Longsize", 5009), list("Filecaps", 5010),
    one("Filedigestalgo", 5011), one("Bugurl", 5012), one("Evr", 5013), one("Nvr", 5014), one("Nevr", 5015),
    one("Nevra", 5016), one("Headercolor", 5017), one("Epochnum", 5019), one("Preinflags", 5020),
    one("Postinflags", 5021), one("Preunflags", 5022), one("Postunflags", 5023), one("Pretransflags", 5024),
    one("Posttransflags", 5025), one("Verifyscriptflags", 5026), list("Triggerscriptflags", 5027),
    list("Policynames", 5030), list("Policytypes", 5031), list("Policytypesindexes", 5032), list("Policyflags", 5033),
    one("Vcs", 5034), list("Ordername", 5035), list("Orderversion", 5036), list("Orderflags", 5037),
    list("Instfilenames", 5040), list("Requirenevrs", 5041), list("Providenevrs", 5042), list("Obsoletenevrs", 5043),
    list("Conflictnevrs", 5044), list("Filenlinks", 5045), list("Recommendname", 5046),
    list("Recommendversion", 5047), list("Recommendflags", 5048), list("Suggestname", 5049),
    list("Suggestversion", 5050), list("Suggestflags", 5051), list("Supplementname", 5052),
    list("Supplementversion", 5053), list("Supplementflags", 5054), list("Enhancename", 5055),
    list("Enhanceversion", 5056), list("Enhanceflags", 5057), list("Recommendnevrs", 5058),
    list("Suggestnevrs", 5059), list("Supplementnevrs", 5060), list("Enhancenevrs", 5061), one("Encoding", 5062),
    list("Filetriggerscripts", 5066), list("Filetriggerscriptprog", 5067), list("Filetriggerscriptflags", 5068),
    list("Filetriggername", 5069), list("Filetriggerindex", 5070), list("Filetriggerversion", 5071),
    list("Filetriggerflags", 5072), list("Transfiletriggerscripts", 5076), list("Transfiletriggerscriptprog", 5077),
    list("Transfiletriggerscriptflags", 5078), list("Transfiletriggername", 5079),
    list("Transfiletriggerindex", 5080), list("Transfiletriggerversion", 5081), list("Transfiletriggerflags", 5082),
    list("Filetriggerpriorities", 5084), list("Transfiletriggerpriorities", 5085), list("Filetriggerconds", 5086),
    list("Filetriggertype", 5087), list("Transfiletriggerconds", 5088), list("Transfiletriggertype", 5089),
    list("Filesignatures", 5090), one("Filesignaturelength", 5091), list("Payloaddigest", 5092),
    one("Payloaddigestalgo", 5093), one("Modularitylabel", 5096), list("Payloaddigestalt", 5097),
    one("Archsuffix", 5098), one("Spec", 5099), one("Translationurl", 5100), one("Upstreamreleases", 5101),
];
