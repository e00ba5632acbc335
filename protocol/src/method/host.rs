//! Hosts, as admins and watchers see them. What a builder itself calls is in [`super::worker`].

use super::{Listing, Named, QueryOpts, method};
use crate::{
    id::{ChannelId, EventId, HostId, Ref, TaskId, UserId},
    value::Value,
};

/// A host.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Host {
    /// What it builds, with blanks between.
    pub arches: String,
    /// The sum of task weights that it takes.
    pub capacity: f64,
    /// Why it is as it is.
    pub comment: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// It is given tasks.
    pub enabled: bool,
    /// Its id.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Its builder has called lately.
    pub ready: bool,
    /// The sum of the weights that it runs.
    pub task_load: f64,
    /// When its builder last called, in seconds.
    pub update_ts: Option<f64>,
    /// The user that it is.
    pub user_id: UserId,
}

method! {
    /// Makes a host known, with a user of the same name.
    AddHost = "addHost", Permission("host"), Write => HostId {
        /// Its name.
        hostname "hostname": String = required,
        /// What it builds.
        arches "arches": super::OneOrMany<String> = required,
        /// Kept for Koji's sake.
        krb_principal "krb_principal": Option<String> = nil,
        /// Turn an ordinary user of that name into a host.
        force "force": bool = no,
    }

    /// Changes a host. Named arguments: arches, capacity, description, comment.
    EditHost = "editHost", Permission("host"), Write => bool {
        /// Which.
        host_info "hostInfo": Ref<HostId> = required,
        /// What to change.
        changes "kw": Named = named,
    }

    /// Gives a host tasks again.
    EnableHost = "enableHost", Permission("host"), Write => () {
        /// Which.
        hostname "hostname": Ref<HostId> = required,
    }

    /// Gives a host no more tasks; it ends those that it runs.
    DisableHost = "disableHost", Permission("host"), Write => () {
        /// Which.
        hostname "hostname": Ref<HostId> = required,
    }

    /// A host.
    GetHost = "getHost", Anonymous, Read => Option<Host> {
        /// Which.
        host_info "hostInfo": Ref<HostId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
        /// As it was then.
        event "event": Option<EventId> = nil,
    }

    /// Hosts.
    ListHosts = "listHosts", Anonymous, Read => Listing<Host> {
        /// Only those that build one of these.
        arches "arches": Option<super::OneOrMany<String>> = nil,
        /// Only those of this channel.
        channel_id "channelID": Option<Ref<ChannelId>> = nil,
        /// Only those that are, or are not.
        ready "ready": Option<bool> = nil,
        /// Only those that are, or are not.
        enabled "enabled": Option<bool> = nil,
        /// Only this user's.
        user_id "userID": Option<Ref<UserId>> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// When a host's builder last called.
    GetLastHostUpdate = "getLastHostUpdate", Anonymous, Read => Value {
        /// Which.
        host_id "hostID": Ref<HostId> = required,
        /// In seconds, not as a text.
        ts "ts": bool = no,
    }

    /// All that hosts build.
    GetAllArches = "getAllArches", Anonymous, Read => Vec<String> {}

    /// Puts a host into a channel.
    AddHostToChannel = "addHostToChannel", Permission("host"), Write => () {
        /// The host.
        hostname "hostname": Ref<HostId> = required,
        /// The channel.
        channel_name "channel_name": Ref<ChannelId> = required,
        /// Make the channel when there is none.
        create "create": bool = no,
        /// Also into a channel that is disabled.
        force "force": bool = no,
    }

    /// Takes a host out of a channel.
    RemoveHostFromChannel = "removeHostFromChannel", Permission("host"), Write => () {
        /// The host.
        hostname "hostname": Ref<HostId> = required,
        /// The channel.
        channel_name "channel_name": Ref<ChannelId> = required,
    }

    /// Makes a host take no more tasks and, when it has ended those it runs, stop. Not in Koji.
    DrainHost = "drainHost", Permission("host"), Write => () {
        /// Which.
        hostname "hostname": Ref<HostId> = required,
    }

    /// Asks for builders to be restarted when they have finished what they run. Answers the task.
    RestartHosts = "restartHosts", Permission("host"), Write => TaskId {
        /// The task's priority itself; lower runs first.
        priority "priority": i32 = int 5,
        /// Which: `channel`, `arches`; and how long to wait: `timeout`, in seconds.
        options "options": Option<Named> = nil,
    }
}
