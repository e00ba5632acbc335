//! Ids, one type each: a `TaskId` cannot be passed for a `BuildId`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }
    )*};
}

ids! {
    /// A file of a build that is no RPM.
    ArchiveId,
    /// What kind of file an archive is, by how its name ends.
    ArchiveTypeId,
    /// A kind of content that builds may have.
    BtypeId,
    /// A build: one name-version-release.
    BuildId,
    /// The chroot one task ran in.
    BuildrootId,
    /// A channel: a group of hosts that takes a kind of task.
    ChannelId,
    /// A content generator: somebody who brings builds made elsewhere.
    ContentGeneratorId,
    /// A change to versioned data; ids, not clocks, order time.
    EventId,
    /// A repo that somebody else serves.
    ExternalRepoId,
    /// A comps group.
    GroupId,
    /// A builder machine.
    HostId,
    /// A user's wish not to be told of builds.
    NotificationBlockId,
    /// A user's wish to be told of builds.
    NotificationId,
    /// A package name.
    PackageId,
    /// A permission.
    PermissionId,
    /// A repo of a tag, as it was at one event.
    RepoId,
    /// A request for a repo.
    RepoRequestId,
    /// One RPM file of a build, or one from outside that a buildroot used.
    RpmId,
    /// A login session.
    SessionId,
    /// A tag.
    TagId,
    /// A build target.
    TargetId,
    /// A task.
    TaskId,
    /// A person, a builder, or a group.
    UserId,
    /// A storage volume.
    VolumeId,
}

/// Something named by its id, its name, or a struct that holds either: what Koji's calls accept wherever a thing is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ref<Id> {
    /// By id.
    Id(Id),
    /// By name.
    Name(String),
    /// As an earlier answer showed it.
    Info {
        /// Its id, which wins over the name.
        id: Option<Id>,
        /// Its name.
        name: Option<String>,
    },
}

impl<Id: Copy> Ref<Id> {
    /// The id, where the id was given.
    pub fn id(&self) -> Option<Id> {
        match self {
            Ref::Id(id) => Some(*id),
            Ref::Name(_) => None,
            Ref::Info { id, .. } => *id,
        }
    }

    /// The name, where only a name was given.
    pub fn name(&self) -> Option<&str> {
        match self {
            Ref::Id(_) => None,
            Ref::Name(name) => Some(name),
            Ref::Info { id: Some(_), .. } => None,
            Ref::Info { name, .. } => name.as_deref(),
        }
    }
}

impl<Id> From<&str> for Ref<Id> {
    fn from(name: &str) -> Self {
        Ref::Name(name.to_owned())
    }
}

impl<Id: std::fmt::Display> std::fmt::Display for Ref<Id> {
    /// As Koji's messages show it: a name in quotes, an id bare.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ref::Id(id) | Ref::Info { id: Some(id), .. } => id.fmt(f),
            Ref::Name(name) | Ref::Info { name: Some(name), .. } => write!(f, "'{name}'"),
            Ref::Info { .. } => f.write_str("{}"),
        }
    }
}
