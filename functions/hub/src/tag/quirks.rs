//! Whether tags inherit as in Koji, oddities included.

/// How tags inherit. A deployment sets it once, before it has builds: with the other rules its tags contain other things.
///
/// What Koji does by accident, by the numbers that the rest of the code names:
/// - Q1: a `maxdepth` of m, met while a depth is counted down already, allows m - 1 levels instead of m.
/// - Q2: after a `noconfig` link, the links that follow it at the same level count as `noconfig` too when visits are compared.
/// - Q3: `noconfig` leaves out the configuration of that link's parent alone, not of what lies behind it.
/// - Q4: a filter limits the package list, but not the builds.
/// - Q5: arches that are empty, as `createTag` leaves them, are not inherited over.
/// - Q6: what is listed at a past event is shown with the builds' state, owner and volume of today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quirks {
    /// As Koji does it.
    #[default]
    Koji,
    /// As one would expect it.
    None,
}

impl Quirks {
    /// Whether Koji's oddities are kept.
    pub(crate) fn are_kept(self) -> bool {
        self == Self::Koji
    }
}

/// The word is neither `koji` nor `none`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}': say koji or none")]
pub struct UnknownQuirks(String);

impl std::str::FromStr for Quirks {
    type Err = UnknownQuirks;

    fn from_str(word: &str) -> Result<Self, UnknownQuirks> {
        match word {
            "koji" => Ok(Self::Koji),
            "none" => Ok(Self::None),
            other => Err(UnknownQuirks(other.to_owned())),
        }
    }
}
