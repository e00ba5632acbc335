//! The queues' names and the messages in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{BuildId, ChannelId, HostId, TagId, TaskId, UserId},
    state::BuildState,
};

/// A bin of tasks: a channel and an architecture, as `<channel id>-<arch>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Bin(pub String);

impl Bin {
    /// The bin of tasks for `arch` in `channel`.
    pub fn new(channel: ChannelId, arch: &str) -> Self {
        Self(format!("{channel}-{arch}"))
    }

    /// The channel and the architecture.
    pub fn parts(&self) -> Option<(ChannelId, &str)> {
        let (channel, arch) = self.0.split_once('-')?;
        Some((channel.parse().ok()?, arch))
    }
}

/// A queue, by what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// Rings when a bin has work.
    Bin(Bin),
    /// What is meant for one host alone.
    Host(HostId),
    /// Parent tasks to be advanced.
    Coordinator,
    /// Repos to be made.
    Repo,
    /// Builds to be signed.
    Sign,
    /// What people are to be told by mail.
    Mail,
    /// What other programs are to be told.
    Events,
}

impl std::fmt::Display for QueueName {
    /// Its name after the deployment's prefix.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QueueName::Bin(bin) => write!(f, "tasks-{}", bin.0),
            QueueName::Host(host) => write!(f, "host-{host}"),
            QueueName::Coordinator => f.write_str("coordinator"),
            QueueName::Repo => f.write_str("repo"),
            QueueName::Sign => f.write_str("sign"),
            QueueName::Mail => f.write_str("mail"),
            QueueName::Events => f.write_str("events"),
        }
    }
}

impl std::str::FromStr for QueueName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let unknown = || format!("no queue is named '{name}'");
        match name {
            "coordinator" => Ok(QueueName::Coordinator),
            "repo" => Ok(QueueName::Repo),
            "sign" => Ok(QueueName::Sign),
            "mail" => Ok(QueueName::Mail),
            "events" => Ok(QueueName::Events),
            _ => {
                if let Some(bin) = name.strip_prefix("tasks-") {
                    Ok(QueueName::Bin(Bin(bin.to_owned())))
                } else if let Some(host) = name.strip_prefix("host-") {
                    host.parse().map(QueueName::Host).map_err(|_| unknown())
                } else {
                    Err(unknown())
                }
            }
        }
    }
}

/// A bin has work. Sent twice it does no harm; lost, a sweep rings again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bell {
    /// The bin.
    pub bin: Bin,
    /// The task that made it ring: a hint for logs.
    pub task: TaskId,
}

/// Something for one host alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "lowercase")]
pub enum HostOrder {
    /// A task was assigned to it: claim.
    Claim,
    /// Stop a task: it was cancelled, or taken away.
    Cancel {
        /// The task.
        task_id: TaskId,
        /// The attempt that is meant; a newer one goes on.
        attempt: i32,
    },
    /// A subtask of a task that waits has ended: look at them again.
    Wake {
        /// The task that waits.
        task_id: TaskId,
        /// The attempt that is meant.
        attempt: i32,
    },
    /// Take nothing more, and stop when all is done.
    Drain,
    /// Its channels or arches have changed: attach again.
    Attach,
}

/// For the coordinator: a task of its own is new, or a child of it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    /// The task.
    pub task: TaskId,
}

/// For the coordinator: what repos of these tags show has changed. Those that want repos by themselves are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsChanged {
    /// The tags.
    pub tags: Vec<TagId>,
}

/// All that the coordinator is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ForCoordinator {
    /// A task is to be looked at.
    Advance(Advance),
    /// Tags have changed.
    TagsChanged(TagsChanged),
}

/// For the repo function: this newRepo task's repo is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeRepo {
    /// The newRepo task.
    pub task: TaskId,
}

/// For the sign function: a build is to be signed with a tag's key. What is asked for, stands in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignBuild {
    /// The tag whose key it is.
    pub tag: TagId,
    /// The build.
    pub build: BuildId,
}

/// For the events function: something has happened that other programs are to be told of. What, stands in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {}

/// For the mail function: something has happened that somebody may want to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "lowercase")]
pub enum Notice {
    /// A task's build has ended.
    Build {
        /// The build.
        build: BuildId,
        /// How it ended: by the time somebody reads this, it may have begun anew.
        state: BuildState,
        /// Who ended it; nil = the hub.
        by: Option<UserId>,
    },
    /// A build was tagged, untagged or moved, or could not be.
    Tag {
        /// The build.
        build: BuildId,
        /// Where it was tagged.
        into: Option<TagId>,
        /// Where it was untagged.
        from: Option<TagId>,
        /// By whom; nil = the hub.
        by: Option<UserId>,
        /// Why it could not be; nil = it was.
        failure: Option<String>,
        /// When, in seconds.
        at: f64,
    },
}

/// A builder's queues, and credentials that open only those.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct QueueUrls {
    /// Where SQS is; nil = AWS's own address for the region.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// What is meant for this host alone.
    pub own: String,
    /// Each bin's name and queue.
    pub bins: Vec<BinQueue>,
    /// What opens them.
    pub access_key_id: String,
    /// What opens them.
    pub secret_access_key: String,
    /// What opens them, where they are short-lived.
    pub session_token: Option<String>,
    /// When they end, in seconds; nil = they do not.
    pub expires_ts: Option<f64>,
}

/// A bin and its queue.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BinQueue {
    /// The bin.
    pub bin: Bin,
    /// The queue's URL.
    pub url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coordinator_tells_its_messages_apart() {
        let told = |text| serde_json::from_str::<ForCoordinator>(text).ok();
        assert_eq!(told(r#"{"task":5}"#), Some(ForCoordinator::Advance(Advance { task: TaskId(5) })));
        let changed = TagsChanged { tags: vec![TagId(1), TagId(2)] };
        assert_eq!(told(r#"{"tags":[1,2]}"#), Some(ForCoordinator::TagsChanged(changed)));
        assert_eq!(told(r#"{"tag":1}"#), None);
    }

    #[test]
    fn names_are_read_back() {
        for queue in [
            QueueName::Coordinator,
            QueueName::Repo,
            QueueName::Sign,
            QueueName::Mail,
            QueueName::Events,
            QueueName::Host(HostId(4)),
            QueueName::Bin(Bin::new(ChannelId(1), "x86_64")),
        ] {
            assert_eq!(queue.to_string().parse(), Ok(queue));
        }
        assert!("host-x".parse::<QueueName>().is_err());
        assert_eq!(Bin::new(ChannelId(2), "noarch").parts(), Some((ChannelId(2), "noarch")));
    }
}
