//! `toji remove-target`

use toji_protocol::{
    id::{Ref, TargetId},
    method::target::DeleteBuildTarget,
};

use crate::{argument, session::Session};

/// Remove build targets
#[derive(clap::Args)]
pub(crate) struct RemoveTarget {
    /// The targets
    #[arg(required = true, value_name = "TARGET", value_parser = argument::named::<TargetId>)]
    targets: Vec<Ref<TargetId>>,
}

impl RemoveTarget {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for target_info in self.targets {
            session.call(&DeleteBuildTarget { target_info }).await?;
        }
        Ok(())
    }
}
