//! `toji remove-host-from-channel`

use toji_protocol::{
    id::{ChannelId, HostId, Ref},
    method::host::RemoveHostFromChannel as Remove,
};

use crate::{argument, session::Session};

/// Take a builder out of a channel
#[derive(clap::Args)]
pub(crate) struct RemoveHostFromChannel {
    /// The host
    #[arg(value_parser = argument::named::<HostId>)]
    host: Ref<HostId>,
    /// The channel
    #[arg(value_parser = argument::named::<ChannelId>)]
    channel: Ref<ChannelId>,
}

impl RemoveHostFromChannel {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        session.call(&Remove { hostname: self.host, channel_name: self.channel }).await
    }
}
