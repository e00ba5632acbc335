//! Who may do what, beyond permissions. These are Koji's defaults; a deployment's own rules take their place.

use toji_protocol::{nvr::Nvra, value::Map};

use crate::{Error, Result, call::Cx};

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The rule's first word, in lower case: `allow`, `deny`, `use`, a volume's name.
    pub action: String,
    /// The words after it.
    pub rest: String,
    /// The rule that decided, as it is written; empty when a default did.
    pub rule: String,
}

/// What a policy says about `data`, whose keys are Koji's (`user_id`, `tag`, `build`, `operation` …). None: no rule matches, or there is
/// no such policy.
///
/// # Errors
/// When a test cannot be asked of the data, or the database is away.
pub async fn decide(_cx: &mut Cx, _policy: &str, _data: &Map) -> Result<Option<Decision>> {
    Ok(None)
}

/// Asks a policy that allows or denies. With `force`, an admin may do what it denies.
///
/// # Errors
/// `policy violation (NAME): reason` when it denies.
pub async fn assert(cx: &mut Cx, policy: &str, data: Map, force: bool) -> Result<()> {
    if force && cx.caller.has_perm("admin") {
        return Ok(());
    }
    match decide(cx, policy, &data).await? {
        Some(decision) if decision.action != "allow" => {
            Err(Error::denied(format!("policy violation ({policy}): {}", decision.rest)))
        }
        _ => Ok(()),
    }
}

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

/// `build_from_srpm` and `build_from_repo_id`: only admins, but anybody for a scratch build from a source RPM.
///
/// # Errors
/// With Koji's text, when the caller may not.
pub fn allow_build(cx: &Cx, source: &Source, is_scratch: bool, has_repo: bool) -> Result<()> {
    if matches!(source, Source::Srpm(_)) && !is_scratch {
        require_admin(cx, "build_from_srpm")?;
    }
    if has_repo {
        require_admin(cx, "build_from_repo_id")?;
    }
    Ok(())
}

fn require_admin(cx: &Cx, policy: &str) -> Result<()> {
    if cx.caller.has_perm("admin") {
        return Ok(());
    }
    Err(Error::denied(format!("policy violation ({policy}): only admins may do this here")))
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
