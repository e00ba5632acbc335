//! `toji list-tasks`

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use toji_protocol::{
    id::{ChannelId, HostId, Ref, TaskId, UserId},
    method::{
        Named, QueryOpts,
        channel::GetChannel,
        host::GetHost,
        task::{ListTasks as List, ListedTask},
        user::{GetLoggedInUser, GetUser},
    },
    state::TaskState,
    value::Value,
};

use crate::{argument, output::Table, session::Session, task_label};

/// List tasks, those that have not ended unless --all
#[derive(clap::Args)]
pub(crate) struct ListTasks {
    /// Only yours
    #[arg(long)]
    mine: bool,
    /// Only this user's
    #[arg(long, value_parser = argument::named::<UserId>, conflicts_with = "mine")]
    user: Option<Ref<UserId>>,
    /// Only for this architecture; may be repeated
    #[arg(long, value_name = "ARCH")]
    arch: Vec<String>,
    /// Only of this method
    #[arg(long)]
    method: Option<String>,
    /// Only in this channel
    #[arg(long, value_parser = argument::named::<ChannelId>)]
    channel: Option<Ref<ChannelId>>,
    /// Only on this host
    #[arg(long, value_parser = argument::named::<HostId>)]
    host: Option<Ref<HostId>>,
    /// Those that have ended, too
    #[arg(long)]
    all: bool,
    /// Only made before, such as 2026-11-21
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// Only made after
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// The newest so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<i64>,
}

impl ListTasks {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let opts = self.opts(session).await?;
        // With a limit, the newest count.
        let order = if self.limit.is_some() { "-id" } else { "priority,create_time" };
        let query = QueryOpts { order: Some(order.to_owned()), limit: self.limit, ..QueryOpts::default() };
        let list = List { opts: Some(opts), query_opts: Some(query) };
        session.show(&list, |tasks| render(tasks.into_rows(), session.quiet)).await
    }

    async fn opts(&self, session: &Session) -> anyhow::Result<Named> {
        let mut opts = Named::new();
        opts.insert("decode", true);
        if self.mine {
            opts.insert("owner", session.call(&GetLoggedInUser {}).await?.context("not logged in")?.id.0);
        }
        if let Some(user) = &self.user {
            let user = GetUser { user_info: Some(user.clone().into()), strict: true, krb_princs: false, groups: false };
            opts.insert("owner", session.call(&user).await?.context("no such user")?.id.0);
        }
        if let Some(channel) = &self.channel {
            let channel = GetChannel { channel_info: channel.clone(), strict: true };
            opts.insert("channel_id", session.call(&channel).await?.context("no such channel")?.id.0);
        }
        if let Some(host) = &self.host {
            let host = GetHost { host_info: host.clone(), strict: true, event: None };
            opts.insert("host_id", session.call(&host).await?.context("no such host")?.id.0);
        }
        if !self.arch.is_empty() {
            opts.insert("arch", self.arch.iter().map(|arch| Value::from(arch.as_str())).collect::<Vec<_>>());
        }
        if !self.all {
            let states = [TaskState::Free, TaskState::Open, TaskState::Assigned];
            opts.insert("state", states.map(|state| Value::Int(state.into())).to_vec());
        }
        let texts = [("method", &self.method), ("createdBefore", &self.before), ("createdAfter", &self.after)];
        for (name, text) in texts {
            if let Some(text) = text {
                opts.insert(name, text.as_str());
            }
        }
        Ok(opts)
    }
}

/// Children below their parents, where both are listed.
fn render(tasks: Vec<ListedTask>, quiet: bool) -> String {
    let listed: BTreeSet<TaskId> = tasks.iter().map(|task| task.task.id).collect();
    let mut children: BTreeMap<TaskId, Vec<&ListedTask>> = BTreeMap::new();
    let mut waiting = Vec::new();
    for task in &tasks {
        match task.task.parent.filter(|parent| listed.contains(parent)) {
            Some(parent) => children.entry(parent).or_default().push(task),
            None => waiting.push((0, task)),
        }
    }
    waiting.reverse();
    let mut table = Table::new([("ID", 8), ("Pri", 4), ("Owner", 20), ("State", 8), ("Arch", 10), ("Name", 20)]);
    while let Some((depth, task)) = waiting.pop() {
        let below = children.remove(&task.task.id).unwrap_or_default();
        waiting.extend(below.into_iter().rev().map(|child| (depth + 1, child)));
        table.row([
            task.task.id.to_string(),
            task.task.priority.to_string(),
            task.owner_name.clone(),
            task.task.state.name().to_owned(),
            task.task.arch.clone(),
            format!("{}{}", "  ".repeat(depth), task_label::label(&task.task)),
        ]);
    }
    table.text(quiet)
}

#[cfg(test)]
mod tests {
    use toji_protocol::state::UserType;

    use super::*;
    use crate::task_label::tests::task;

    #[test]
    fn children_below_parents() {
        let listed = |id, method, parent: Option<i64>| {
            let mut task = task(id, method, 1, vec![]);
            task.parent = parent.map(TaskId);
            ListedTask { task, owner_name: "admin".to_owned(), owner_type: UserType::Normal, result: None }
        };
        let tasks = vec![
            listed(6, "buildArch", Some(4)),
            listed(4, "build", None),
            listed(9, "newRepo", Some(1)),
            listed(7, "buildArch", Some(4)),
        ];
        insta::assert_snapshot!(render(tasks, false), @r"
        ID        Pri   Owner                 State     Arch        Name
        --------  ----  --------------------  --------  ----------  --------------------
        4         20    admin                 OPEN      noarch      build (noarch)
        6         20    admin                 OPEN      noarch        buildArch (noarch)
        7         20    admin                 OPEN      noarch        buildArch (noarch)
        9         20    admin                 OPEN      noarch      newRepo (noarch)
        ");
    }
}
