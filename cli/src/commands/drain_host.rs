//! `toji drain-host`

use toji_protocol::{
    id::{HostId, Ref},
    method::host::DrainHost as Drain,
};

use crate::{argument, session::Session};

/// Let builders end what they run, and then stop
#[derive(clap::Args)]
pub(crate) struct DrainHost {
    /// The hosts
    #[arg(required = true, value_name = "HOST", value_parser = argument::named::<HostId>)]
    hosts: Vec<Ref<HostId>>,
}

impl DrainHost {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for hostname in self.hosts {
            session.call(&Drain { hostname }).await?;
        }
        Ok(())
    }
}
