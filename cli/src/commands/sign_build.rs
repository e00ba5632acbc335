//! `toji sign-build`

use toji_protocol::{
    id::{Ref, TagId},
    method::{build::BuildRef, sign::SignTaggedBuild},
};

use crate::{argument, session::Session};

/// Sign builds that were tagged before the tag named a key
#[derive(clap::Args)]
pub(crate) struct SignBuild {
    /// The tag, which names the key (sign.key)
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The builds
    #[arg(required = true, value_name = "NVR", value_parser = argument::build)]
    builds: Vec<BuildRef>,
}

impl SignBuild {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for build in self.builds {
            let named = build.to_string();
            session.call(&SignTaggedBuild { tag: self.tag.clone(), build }).await?;
            session.tell(&format!("{named} will be signed"))?;
        }
        Ok(())
    }
}
