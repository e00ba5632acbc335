//! `toji list-builds`

use toji_protocol::{
    id::{PackageId, Ref, TaskId, UserId},
    method::{
        QueryOpts,
        build::{ListBuilds as List, ListedBuild},
    },
    state::BuildState,
    value::Value,
};

use super::download_build::of_task;
use crate::{argument, output::Table, session::Session};

/// List builds
#[derive(clap::Args)]
pub(crate) struct ListBuilds {
    /// Only of this package
    #[arg(long, value_parser = argument::named::<PackageId>)]
    package: Option<Ref<PackageId>>,
    /// Only this owner's
    #[arg(long, value_parser = argument::named::<UserId>)]
    owner: Option<Ref<UserId>>,
    /// Only whose package name begins so
    #[arg(long)]
    prefix: Option<String>,
    /// Only whose name-version-release matches; * and ? as in a shell
    #[arg(long)]
    pattern: Option<String>,
    /// Only in this state
    #[arg(long, ignore_case = true, value_parser = ["BUILDING", "COMPLETE", "DELETED", "FAILED", "CANCELED"])]
    state: Option<String>,
    /// Only of this task
    #[arg(long)]
    task: Option<TaskId>,
    /// Only whose source matches; * and ? as in a shell
    #[arg(long)]
    source: Option<String>,
    /// Only those that ended before, such as 2026-11-21 or seconds since 1970
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// Only those that ended after
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// Only drafts
    #[arg(long, conflicts_with = "no_draft")]
    draft_only: bool,
    /// No drafts
    #[arg(long)]
    no_draft: bool,
    /// The first so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<i64>,
    /// Newest first
    #[arg(long)]
    newest: bool,
}

impl ListBuilds {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let order = if self.newest { "-build_id" } else { "build_id" };
        let query = QueryOpts { order: Some(order.to_owned()), limit: self.limit, ..QueryOpts::default() };
        let list = List {
            package_id: self.package,
            user_id: self.owner,
            task_id: self.task.map(toji_protocol::method::OneOrMany::One),
            prefix: self.prefix,
            state: self.state.as_deref().and_then(state).map(toji_protocol::method::OneOrMany::One),
            source: self.source,
            complete_before: self.before.map(when),
            complete_after: self.after.map(when),
            query_opts: Some(query),
            pattern: self.pattern,
            draft: (self.draft_only || self.no_draft).then_some(self.draft_only),
            ..of_task(TaskId(0))
        };
        session.show(&list, |builds| render(builds.into_rows(), session.quiet)).await
    }
}

fn state(name: &str) -> Option<BuildState> {
    (0..).map_while(BuildState::from_number).find(|state| state.name().eq_ignore_ascii_case(name))
}

fn when(text: String) -> Value {
    text.parse().map_or(Value::String(text), Value::Double)
}

fn render(builds: Vec<ListedBuild>, quiet: bool) -> String {
    let mut table = Table::new([("Build", 55), ("Built by", 16), ("State", 16)]);
    for build in builds {
        table.row([build.nvr, build.owner_name, build.state.to_string()]);
    }
    table.text(quiet)
}

#[cfg(test)]
mod tests {
    use super::{super::buildinfo::tests, *};

    #[test]
    fn lists() {
        let builds = vec![serde_json::from_value(tests::build()).unwrap()];
        insta::assert_snapshot!(render(builds, false), @r"
        Build                                                    Built by          State
        -------------------------------------------------------  ----------------  ----------------
        hello-1.0-1                                              admin             COMPLETE
        ");
        assert_eq!(state("failed"), Some(BuildState::Failed));
        assert_eq!(when("5".to_owned()), Value::Double(5.0));
        assert_eq!(when("2026-11-21".to_owned()), Value::from("2026-11-21"));
    }
}
