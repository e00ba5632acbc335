//! `toji enable-host`

use toji_protocol::{
    id::{HostId, Ref},
    method::host::EnableHost as Enable,
};

use crate::{argument, session::Session};

/// Let builders take tasks again
#[derive(clap::Args)]
pub(crate) struct EnableHost {
    /// The hosts
    #[arg(required = true, value_name = "HOST", value_parser = argument::named::<HostId>)]
    hosts: Vec<Ref<HostId>>,
}

impl EnableHost {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for hostname in self.hosts {
            session.call(&Enable { hostname }).await?;
        }
        Ok(())
    }
}
