//! `toji add-host-to-channel`

use toji_protocol::{
    id::{ChannelId, HostId, Ref},
    method::host::AddHostToChannel as Add,
};

use crate::{argument, session::Session};

/// Put a builder into a channel
#[derive(clap::Args)]
pub(crate) struct AddHostToChannel {
    /// The host
    #[arg(value_parser = argument::named::<HostId>)]
    host: Ref<HostId>,
    /// The channel
    #[arg(value_parser = argument::named::<ChannelId>)]
    channel: Ref<ChannelId>,
    /// Make the channel when there is none
    #[arg(long)]
    new: bool,
    /// With --new: make it although its name breaks the rules
    #[arg(long, requires = "new")]
    force: bool,
}

impl AddHostToChannel {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let add = Add { hostname: self.host, channel_name: self.channel, create: self.new, force: self.force };
        session.call(&add).await
    }
}
