//! `toji tag-build`

use toji_protocol::{
    id::{Ref, TagId},
    method::{build::BuildRef, content::TagBuild as Tag},
};

use crate::{argument, session::Session, watch};

/// Tag builds
#[derive(clap::Args)]
pub(crate) struct TagBuild {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The builds
    #[arg(required = true, value_name = "NVR", value_parser = argument::build)]
    builds: Vec<BuildRef>,
    /// Do it although a policy says no
    #[arg(long)]
    force: bool,
    /// Watch the tasks to their end, which is the default
    #[arg(long, conflicts_with = "nowait")]
    wait: bool,
    /// Only start it
    #[arg(long)]
    nowait: bool,
}

impl TagBuild {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut tasks = Vec::new();
        for build in self.builds {
            let tag = Tag { tag: self.tag.clone(), build, force: self.force, fromtag: None };
            let task = session.call(&tag).await?;
            tasks.push(task);
            if !session.json {
                session.say(&format!("Created task {task}"))?;
            }
        }
        if session.json {
            session.say_json(&serde_json::json!({"task_ids": tasks}))?;
        }
        if self.nowait { Ok(()) } else { watch::watch(session, &tasks, false).await }
    }
}
