//! Channels: which hosts take which kind of task.

use super::{Named, method};
use crate::id::{ChannelId, EventId, HostId, Ref};

/// A channel.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Channel {
    /// Why it is as it is.
    pub comment: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its tasks are handed out.
    pub enabled: bool,
    /// Its id.
    pub id: ChannelId,
    /// Its name.
    pub name: String,
}

method! {
    /// Makes a channel.
    AddChannel = "addChannel", Permission("admin"), Write => ChannelId {
        /// Its name.
        channel_name "channel_name": String = required,
        /// What it is for.
        description "description": Option<String> = nil,
    }

    /// Changes a channel. Named arguments: name, description, comment.
    EditChannel = "editChannel", Permission("admin"), Write => bool {
        /// Which.
        channel_info "channelInfo": Ref<ChannelId> = required,
        /// What to change.
        changes "kw": Named = named,
    }

    /// Gives a channel another name.
    RenameChannel = "renameChannel", Permission("admin"), Write => () {
        /// Which.
        old "old": Ref<ChannelId> = required,
        /// The new name.
        new "new": String = required,
    }

    /// Lets a channel's tasks be handed out.
    EnableChannel = "enableChannel", Permission("host"), Write => () {
        /// Which.
        channelname "channelname": Ref<ChannelId> = required,
        /// Why.
        comment "comment": Option<String> = nil,
    }

    /// Holds a channel's tasks back.
    DisableChannel = "disableChannel", Permission("host"), Write => () {
        /// Which.
        channelname "channelname": Ref<ChannelId> = required,
        /// Why.
        comment "comment": Option<String> = nil,
    }

    /// A channel.
    GetChannel = "getChannel", Anonymous, Read => Option<Channel> {
        /// Which.
        channel_info "channelInfo": Ref<ChannelId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Channels.
    ListChannels = "listChannels", Anonymous, Read => Vec<Channel> {
        /// Only this host's.
        host_id "hostID": Option<Ref<HostId>> = nil,
        /// As it was then; only with a host.
        event "event": Option<EventId> = nil,
        /// Only those that are, or are not.
        enabled "enabled": Option<bool> = nil,
    }
}
