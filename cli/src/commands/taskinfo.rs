//! `toji taskinfo`

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::json;
use toji_protocol::{
    id::{Ref, TaskId},
    method::{
        OneOrMany, QueryOpts,
        host::GetHost,
        scheduler::GetLogMessages,
        task::{AttemptUsage, GetTaskDescendents, GetTaskInfo, GetTaskUsage, TaskInfo},
        user::GetUser,
    },
    state::TaskState,
    task::build::result_path,
    value::Value,
};

use super::download_build::of_task;
use crate::{fetch::escape, output::long_time, session::Session, task_label, task_log, watch::fault};

/// Show a task: how it stands, what it is about, and its files
#[derive(clap::Args)]
pub(crate) struct Taskinfo {
    /// The tasks
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<TaskId>,
    /// Those that it started, too
    #[arg(long, short)]
    recurse: bool,
    /// Its arguments, too
    #[arg(long, short)]
    verbose: bool,
}

/// Everything that is shown.
struct Info {
    task: TaskInfo,
    owner: String,
    host: Option<String>,
    fault: Option<String>,
    builds: Vec<String>,
    /// What the scheduler has said of it last, while it waits.
    waits: Option<String>,
    /// What its last attempt took.
    usage: Option<AttemptUsage>,
    files: Vec<String>,
}

impl Taskinfo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for (place, id) in self.tasks.iter().enumerate() {
            let ask = GetTaskInfo { task_id: OneOrMany::One(*id), request: true, strict: true };
            if session.json && !self.recurse {
                session.say_json(&session.raw(&ask).await?)?;
                continue;
            }
            let task = session.call(&ask).await?.into_vec().pop().flatten().context("no such task")?;
            let below = if self.recurse {
                session.call(&GetTaskDescendents { task_id: *id, request: true }).await?
            } else {
                BTreeMap::new()
            };
            if session.json {
                let mut json = json!(task);
                json["descendents"] = json!(below);
                session.say_json(&json)?;
                continue;
            }
            if place > 0 {
                session.say("\n")?;
            }
            self.show(session, task, &below).await?;
        }
        Ok(())
    }

    async fn show(
        &self,
        session: &Session,
        task: TaskInfo,
        below: &BTreeMap<String, Vec<TaskInfo>>,
    ) -> anyhow::Result<()> {
        // A stack, as what is shown next is the last task's first child.
        let mut waiting = vec![(0, task)];
        while let Some((depth, task)) = waiting.pop() {
            let mut children = below.get(&task.id.to_string()).cloned().unwrap_or_default();
            children.sort_by_key(|child| std::cmp::Reverse(child.id));
            waiting.extend(children.into_iter().map(|child| (depth + 1, child)));
            let info = Info::ask(session, task).await?;
            let text = info.text(&session.topurl, self.verbose);
            let indent = "  ".repeat(depth);
            let lines: Vec<_> = text.lines().map(|line| format!("{indent}{line}")).collect();
            let gap = if depth > 0 { "\n" } else { "" };
            session.say(&format!("{gap}{}", lines.join("\n")))?;
        }
        Ok(())
    }
}

impl Info {
    async fn ask(session: &Session, task: TaskInfo) -> anyhow::Result<Self> {
        let owner =
            GetUser { user_info: Some(Ref::Id(task.owner).into()), strict: false, krb_princs: false, groups: false };
        let owner = session.call(&owner).await?.map_or_else(|| task.owner.to_string(), |user| user.name);
        let host = match task.host_id {
            Some(id) => session.call(&GetHost { host_info: Ref::Id(id), strict: false, event: None }).await?,
            None => None,
        };
        let fault = if task.state == TaskState::Failed { fault(session, task.id).await } else { None };
        let builds =
            if task.method == "build" { session.call(&of_task(task.id)).await?.into_rows() } else { Vec::new() };
        let builds = builds.iter().map(|build| format!("{} ({})", build.nvr, build.build_id)).collect();
        let waits = if task.state == TaskState::Free { scheduled(session, task.id).await? } else { None };
        let usage = session.call(&GetTaskUsage { task_id: task.id }).await?.pop();
        let mut files = task_log::files(session, task.id).await?;
        files.sort();
        Ok(Self { owner, host: host.map(|host| host.name), fault, builds, waits, usage, files, task })
    }

    fn text(&self, topurl: &str, verbose: bool) -> String {
        let task = &self.task;
        let mut lines = vec![format!("Task: {}", task.id), format!("Type: {}", task.method)];
        let label = task_label::label(task);
        if label != format!("{} ({})", task.method, task.arch) {
            lines.push(format!("About: {}", label.trim_start_matches(&task.method).trim()));
        }
        if let Some(request) = task.request.as_ref().filter(|_| verbose) {
            lines.push("Request Parameters:".to_owned());
            let shown = |value| serde_json::to_string(value).unwrap_or_default();
            lines.extend(request.iter().map(|value| format!("  {}", shown(value))));
        }
        lines.push(format!("Owner: {}", self.owner));
        lines.push(format!("State: {}", task.state.name().to_lowercase()));
        lines.push(format!("Arch: {}", task.arch));
        lines.push(format!("Priority: {}", task.priority));
        if let Some(parent) = task.parent {
            lines.push(format!("Parent: {parent}"));
        }
        lines.push(format!("Created: {}", long_time(task.create_time)));
        if let Some(time) = task.start_time {
            lines.push(format!("Started: {}", long_time(time)));
        }
        if let Some(time) = task.completion_time {
            lines.push(format!("Finished: {}", long_time(time)));
        }
        if let Some(host) = &self.host {
            lines.push(format!("Host: {host}"));
        }
        if let Some(waits) = &self.waits {
            lines.push(format!("Waits: {waits}"));
        }
        if let Some(usage) = &self.usage {
            lines.push(format!("Took: {}", took(usage)));
        }
        if let Some(fault) = &self.fault {
            lines.push(format!("Result: {fault}"));
        }
        lines.extend(self.builds.iter().map(|build| format!("Build: {build}")));
        let (logs, output): (Vec<_>, Vec<_>) = self.files.iter().partition(|name| task_log::is_log(name));
        for (title, files) in [("Log Files:", logs), ("Output:", output)] {
            if !files.is_empty() {
                lines.push(title.to_owned());
                let url = |name: &String| format!("  {topurl}/work/{}", escape(&result_path(task.id, name)));
                lines.extend(files.into_iter().map(url));
            }
        }
        lines.join("\n")
    }
}

/// What the scheduler has said of a task last.
async fn scheduled(session: &Session, task: TaskId) -> anyhow::Result<Option<String>> {
    let clauses = json!([["task_id", task]]);
    let opts = QueryOpts { order: Some("-id".to_owned()), limit: Some(1), ..QueryOpts::default() };
    let ask = GetLogMessages {
        clauses: Some(serde_json::from_value(clauses)?),
        fields: Some(OneOrMany::One("msg".to_owned())),
        opts: Some(opts),
    };
    let said = session.call(&ask).await?.into_rows().pop();
    Ok(said.and_then(|said| said.get("msg").and_then(Value::as_str).map(str::to_owned)))
}

/// What an attempt took, as far as its builder told.
fn took(attempt: &AttemptUsage) -> String {
    let usage = &attempt.usage;
    let bytes = |bytes: Option<i64>, what: &str| {
        let bytes = indicatif::HumanBytes(bytes?.try_into().ok()?);
        Some(format!("{bytes} {what}"))
    };
    let said = [
        Some(format!("{:.1} s", attempt.seconds)),
        usage.cpu_seconds.map(|seconds| format!("{seconds:.1} s of processors")),
        bytes(usage.peak_memory, "of memory"),
        bytes(usage.read_bytes, "read"),
        bytes(usage.written_bytes, "written"),
        bytes(usage.uploaded_bytes, "uploaded"),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_label::tests::task;

    #[test]
    fn shows_everything() {
        let info = Info {
            task: task(10_005, "rebuildSRPM", 5, vec!["cli-build/x/hello-1.0-1.src.rpm".into()]),
            owner: "admin".to_owned(),
            host: Some("builder1".to_owned()),
            fault: Some("error building package; see build.log".to_owned()),
            builds: Vec::new(),
            waits: None,
            usage: Some(
                serde_json::from_value(json!({"attempt": 2, "host_id": 3, "outcome": "failed", "seconds": 75.25,
                    "cpu_seconds": 12.34, "peak_memory": 3 << 20, "read_bytes": null, "uploaded_bytes": 1536}))
                .unwrap(),
            ),
            files: vec!["build.log".to_owned(), "hello-1.0-1.src.rpm".to_owned()],
        };
        insta::assert_snapshot!(info.text("http://hub/kojifiles", true), @r#"
        Task: 10005
        Type: rebuildSRPM
        About: (hello-1.0-1.src.rpm)
        Request Parameters:
          "cli-build/x/hello-1.0-1.src.rpm"
        Owner: admin
        State: failed
        Arch: noarch
        Priority: 20
        Created: Sat, 21 Nov 2026 00:00:13 UTC
        Host: builder1
        Took: 75.2 s, 12.3 s of processors, 3.00 MiB of memory, 1.50 KiB uploaded
        Result: error building package; see build.log
        Log Files:
          http://hub/kojifiles/work/tasks/5/10005/build.log
        Output:
          http://hub/kojifiles/work/tasks/5/10005/hello-1.0-1.src.rpm
        "#);
    }
}
