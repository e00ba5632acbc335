//! Dependencies as an RPM header lists them.

use super::{HeaderError, index::Index, tag::DependencyTags};

/// One dependency, untouched: nothing is sorted, merged or dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Capability, path, or a rich dependency in parentheses.
    pub name: String,
    /// rpm's dependency flags (`RPMSENSE_*`).
    pub flags: u32,
    /// `[epoch:]version[-release]`; empty where the dependency names no version.
    pub version: String,
}

const LESS: u32 = 1 << 1;
const GREATER: u32 = 1 << 2;
const EQUAL: u32 = 1 << 3;
const POSTTRANS: u32 = 1 << 5;
const PREREQ: u32 = 1 << 6;
const PRETRANS: u32 = 1 << 7;
const SCRIPT_PRE: u32 = 1 << 9;
const SCRIPT_POST: u32 = 1 << 10;
const MISSING_OK: u32 = 1 << 19;
const STRONG: u32 = 1 << 27;

impl Dependency {
    /// The comparison as repository metadata names it: `LT`, `GT`, `EQ`, `LE` or `GE`; `None` if any version will do.
    pub fn comparison(&self) -> Option<&'static str> {
        match self.flags & (LESS | GREATER | EQUAL) {
            LESS => Some("LT"),
            GREATER => Some("GT"),
            EQUAL => Some("EQ"),
            flags if flags == LESS | EQUAL => Some("LE"),
            flags if flags == GREATER | EQUAL => Some("GE"),
            _ => None,
        }
    }

    /// Whether it must be installed before the package's scripts run.
    pub fn is_pre(&self) -> bool {
        self.flags & (POSTTRANS | PREREQ | PRETRANS | SCRIPT_PRE | SCRIPT_POST) != 0
    }

    /// A requirement that may go unmet: an old spelling of `Recommends`.
    pub(crate) fn is_missing_ok(&self) -> bool {
        self.flags & MISSING_OK != 0
    }

    /// The three bits of the comparison, to tell dependencies apart.
    pub(crate) fn comparison_bits(&self) -> u32 {
        self.flags & (LESS | GREATER | EQUAL)
    }
}

/// Reads one kind of dependency. An array that is missing makes the kind empty, as createrepo_c has it.
pub(super) fn read(index: &Index, tags: &DependencyTags) -> Result<Vec<Dependency>, HeaderError> {
    if ![tags.name, tags.flags, tags.version].iter().all(|tag| index.has(*tag)) {
        return Ok(Vec::new());
    }
    let (names, flags, versions) = (index.texts(tags.name)?, index.numbers(tags.flags)?, index.texts(tags.version)?);
    if names.len() != flags.len() || names.len() != versions.len() {
        return Err(HeaderError::Malformed("the arrays of a kind of dependency differ in length"));
    }
    let dependency = |((name, flags), version)| Dependency { name, flags: flags as u32, version };
    Ok(names.into_iter().zip(flags).zip(versions).map(dependency).collect())
}

/// Reads weak dependencies of the kind before rpm 4.12: (weak, strong).
pub(super) fn read_old(
    index: &Index,
    tags: &DependencyTags,
) -> Result<(Vec<Dependency>, Vec<Dependency>), HeaderError> {
    Ok(read(index, tags)?.into_iter().partition(|dependency| dependency.flags & STRONG == 0))
}
