//! `toji disable-host`

use toji_protocol::{
    id::{HostId, Ref},
    method::host::DisableHost as Disable,
};

use crate::{argument, session::Session};

/// Let builders take no more tasks; they end those that they run
#[derive(clap::Args)]
pub(crate) struct DisableHost {
    /// The hosts
    #[arg(required = true, value_name = "HOST", value_parser = argument::named::<HostId>)]
    hosts: Vec<Ref<HostId>>,
}

impl DisableHost {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for hostname in self.hosts {
            session.call(&Disable { hostname }).await?;
        }
        Ok(())
    }
}
