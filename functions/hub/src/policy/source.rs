//! What a build is made from.

use toji_protocol::nvr::Nvra;

use crate::{Error, Result};

/// What a build is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An uploaded source RPM: its path below `work/`.
    Srpm(String),
    /// An SCM URL.
    Scm(String),
}

impl Source {
    /// Tells the two apart.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(source: &str) -> Result<Self> {
        if source.contains("://") {
            return Ok(Self::Scm(source.to_owned()));
        }
        let file = source.rsplit('/').next().unwrap_or_default();
        let is_source = Nvra::parse(file).is_ok_and(|rpm| rpm.arch == "src" || rpm.arch == "nosrc");
        if !file.ends_with(".src.rpm") && !file.ends_with(".nosrc.rpm") || !is_source {
            return Err(Error::invalid(format!(
                "{source} is no source to build from: give the path of an uploaded N-V-R.src.rpm, or an SCM URL"
            )));
        }
        Ok(Self::Srpm(source.trim_start_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        assert_eq!(
            Source::parse("cli-build/1.x/a-1-1.src.rpm").unwrap(),
            Source::Srpm("cli-build/1.x/a-1-1.src.rpm".into())
        );
        assert!(matches!(Source::parse("git+https://example.com/x#1").unwrap(), Source::Scm(_)));
        for bad in ["", "x", "a-1-1.x86_64.rpm", "a.src.rpm", "cli-build/x/"] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }
}
