//! Ids, one type each: a `TaskId` cannot be passed for a `BuildId`.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $(read by $reader:literal)?),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name($(#[serde(deserialize_with = $reader)])? pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// Reads the id of what has no name. The stock client hands such an id over as it was typed, so a text does as well.
fn typed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_any(Typed)
}

struct Typed;

impl Visitor<'_> for Typed {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<i64, E> {
        Ok(id)
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<i64, E> {
        i64::try_from(id).map_err(|_| E::invalid_value(Unexpected::Unsigned(id), &self))
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<i64, E> {
        id.trim().parse().map_err(|_| E::invalid_value(Unexpected::Str(id), &self))
    }
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
    RepoId read by "typed",
    /// A request for a repo.
    RepoRequestId read by "typed",
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
#[serde(untagged, expecting = "expected a name, an id, or a struct with either")]
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ref::Id(id) | Ref::Info { id: Some(id), .. } => id.fmt(f),
            Ref::Name(name) | Ref::Info { name: Some(name), .. } => write!(f, "'{name}'"),
            Ref::Info { .. } => f.write_str("{}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn an_id_without_a_name_may_be_a_text() {
        for id in [json!(7), json!("7"), json!(" 7 ")] {
            assert_eq!(from_value::<RepoId>(id).unwrap(), RepoId(7));
        }
        for wrong in [json!("seven"), json!(""), json!(7.5), json!(null), json!(18_446_744_073_709_551_615_u64)] {
            assert!(from_value::<RepoId>(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(from_value::<TagId>(json!("7")).is_err());
        assert_eq!(from_value::<Ref<TagId>>(json!("7")).unwrap(), Ref::Name("7".into()));
    }
}
