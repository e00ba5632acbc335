//! `toji list-targets`

use toji_protocol::{
    id::{EventId, Ref, TargetId},
    method::target::{BuildTarget, GetBuildTargets},
};

use crate::{argument, output::Table, session::Session};

/// List build targets
#[derive(clap::Args)]
pub(crate) struct ListTargets {
    /// Only this one
    #[arg(long, value_parser = argument::named::<TargetId>)]
    name: Option<Ref<TargetId>>,
    /// As it was at this event
    #[arg(long)]
    event: Option<EventId>,
}

impl ListTargets {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let list = GetBuildTargets {
            info: self.name,
            event: self.event,
            build_tag_id: None,
            dest_tag_id: None,
            query_opts: None,
        };
        session.show(&list, |targets| render(targets.into_rows(), session.quiet)).await
    }
}

fn render(mut targets: Vec<BuildTarget>, quiet: bool) -> String {
    targets.sort_by(|a, b| a.name.cmp(&b.name));
    let mut table = Table::new([("Name", 30), ("Buildroot", 30), ("Destination", 30)]);
    for target in targets {
        table.row([target.name, target.build_tag_name, target.dest_tag_name]);
    }
    table.text(quiet)
}
