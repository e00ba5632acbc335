//! The points' names.

use std::{fmt, str::FromStr};

/// Before it happens, or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// It may be refused.
    Pre,
    /// It has happened.
    Post,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Callback {
    /// A tag's package list changes.
    PackageListChange,
    /// A task's state, host, priority, weight or end changes.
    TaskStateChange,
    /// A build's state or volume changes.
    BuildStateChange,
    /// A build, an RPM or a content generator's description is imported.
    Import,
    /// An RPM gets a signature.
    RpmSign,
    /// A build is tagged.
    Tag,
    /// A build is untagged.
    Untag,
    /// A repo begins.
    RepoInit,
    /// A repo is ready.
    RepoDone,
    /// A draft becomes the build of its name.
    BuildPromote,
    /// A call's changes are committed.
    Commit,
    /// A builder checks sources out.
    ScmCheckout,
    /// A builder has made a repo.
    CreateRepo,
    /// A builder has made a dist repo.
    CreateDistRepo,
}

impl Callback {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::PackageListChange,
        Self::TaskStateChange,
        Self::BuildStateChange,
        Self::Import,
        Self::RpmSign,
        Self::Tag,
        Self::Untag,
        Self::RepoInit,
        Self::RepoDone,
        Self::BuildPromote,
        Self::Commit,
        Self::ScmCheckout,
        Self::CreateRepo,
        Self::CreateDistRepo,
    ];

    /// Koji's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PackageListChange => "PackageListChange",
            Self::TaskStateChange => "TaskStateChange",
            Self::BuildStateChange => "BuildStateChange",
            Self::Import => "Import",
            Self::RpmSign => "RPMSign",
            Self::Tag => "Tag",
            Self::Untag => "Untag",
            Self::RepoInit => "RepoInit",
            Self::RepoDone => "RepoDone",
            Self::BuildPromote => "BuildPromote",
            Self::Commit => "Commit",
            Self::ScmCheckout => "SCMCheckout",
            Self::CreateRepo => "CreateRepo",
            Self::CreateDistRepo => "CreateDistRepo",
        }
    }

    /// The first word of its messages' addresses.
    pub(super) fn first_word(self) -> &'static str {
        match self {
            Self::PackageListChange => "package",
            Self::TaskStateChange => "task",
            Self::BuildStateChange | Self::Tag | Self::Untag | Self::BuildPromote => "build",
            Self::Import => "import",
            Self::RpmSign => "sign",
            Self::RepoInit | Self::RepoDone => "repo",
            Self::Commit => "commit",
            Self::ScmCheckout | Self::CreateRepo | Self::CreateDistRepo => "builder",
        }
    }

    /// Whether a builder tells of it, not the hub.
    pub(super) fn is_builders(self) -> bool {
        matches!(self, Self::ScmCheckout | Self::CreateRepo | Self::CreateDistRepo)
    }
}

/// Before or after something happens: Koji's callback points, by their names, such as `preTag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    /// Before or after.
    pub when: When,
    /// What.
    pub callback: Callback,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = if self.when == When::Pre { "pre" } else { "post" };
        write!(f, "{when}{}", self.callback.name())
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let unknown = || format!("there is no callback point '{name}'; preTag is one");
        let (when, rest) = match (name.strip_prefix("pre"), name.strip_prefix("post")) {
            (Some(rest), _) => (When::Pre, rest),
            (_, Some(rest)) => (When::Post, rest),
            _ => return Err(unknown()),
        };
        let callback = Callback::ALL.into_iter().find(|callback| callback.name() == rest).ok_or_else(unknown)?;
        // a builder that has made a repo cannot be asked whether it may
        if when == When::Pre && matches!(callback, Callback::CreateRepo | Callback::CreateDistRepo) {
            return Err(unknown());
        }
        Ok(Self { when, callback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kojis_26_points() {
        let all = |when| Callback::ALL.into_iter().map(move |callback| Point { when, callback }.to_string());
        let known: Vec<String> =
            all(When::Pre).chain(all(When::Post)).filter(|name| name.parse::<Point>().is_ok()).collect();
        assert_eq!(known.len(), 26);
        for name in &known {
            assert_eq!(name.parse::<Point>().unwrap().to_string(), *name);
        }
        for bad in ["", "pre", "Tag", "preCreateRepo", "posttag", "preTagX"] {
            assert!(bad.parse::<Point>().is_err(), "{bad}");
        }
    }
}
