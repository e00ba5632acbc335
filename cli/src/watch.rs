//! Watching tasks to their end.

use std::collections::{BTreeMap, HashMap};

use anyhow::bail;
use toji_protocol::{
    id::{HostId, Ref, TaskId},
    method::{
        OneOrMany,
        host::GetHost,
        task::{GetTaskDescendents, GetTaskInfo, GetTaskResult, TaskInfo},
    },
    state::TaskState,
    value::Value,
};

use crate::{failure::Told, poll::Pauses, session::Session, task_label, task_log::Tails};

/// The log that is followed while tasks are watched.
const LOG: &str = "build.log";
/// The methods whose tasks write it.
const LOGGED: [&str; 3] = ["buildArch", "rebuildSRPM", "buildSRPMFromSCM"];

/// Watches tasks and what they start until all have ended, showing each change of state and, with `log`, the build logs.
///
/// # Errors
/// [`Told::Failed`] when one of them did not end well.
pub(crate) async fn watch(session: &Session, tasks: &[TaskId], log: bool) -> anyhow::Result<()> {
    let mut watcher = Watcher { session, log, seen: BTreeMap::new(), hosts: HashMap::new(), tails: Tails::default() };
    session.tell("Watching tasks (this may be safely interrupted)...")?;
    tokio::select! {
        ended = watcher.run(tasks) => ended,
        _ = tokio::signal::ctrl_c() => {
            let ids: Vec<_> = tasks.iter().map(ToString::to_string).collect();
            session.tell(&format!("\nThe tasks go on. Watch them again with: toji watch-task {}", ids.join(" ")))?;
            Err(Told::Interrupted.into())
        }
    }
}

/// A task in its tree.
struct Node {
    depth: usize,
    task: TaskInfo,
}

struct Watcher<'a> {
    session: &'a Session,
    log: bool,
    /// How each task was shown last, and the state that was.
    seen: BTreeMap<TaskId, (TaskState, String)>,
    hosts: HashMap<HostId, String>,
    tails: Tails,
}

impl Watcher<'_> {
    async fn run(&mut self, tops: &[TaskId]) -> anyhow::Result<()> {
        let mut pauses = Pauses::new();
        loop {
            let nodes = self.nodes(tops).await?;
            if self.show_changes(&nodes).await? {
                pauses.reset();
            }
            self.follow_logs(&nodes).await?;
            if nodes.iter().filter(|node| node.depth == 0).all(|node| node.task.state.is_final()) {
                return self.end(&nodes);
            }
            pauses.pause().await;
        }
    }

    /// The trees, parents first.
    async fn nodes(&self, tops: &[TaskId]) -> anyhow::Result<Vec<Node>> {
        let ask = GetTaskInfo { task_id: OneOrMany::Many(tops.to_vec()), request: true, strict: true };
        let found = self.session.call(&ask).await?.into_vec();
        let mut nodes = Vec::new();
        for (id, task) in tops.iter().zip(found) {
            let Some(task) = task else { bail!("no such task: {id}") };
            let below = self.session.call(&GetTaskDescendents { task_id: *id, request: true }).await?;
            add_tree(&mut nodes, task, 0, &below);
        }
        Ok(nodes)
    }

    /// Whether any state changed.
    async fn show_changes(&mut self, nodes: &[Node]) -> anyhow::Result<bool> {
        let mut changed = false;
        for Node { depth, task } in nodes {
            let before = self.seen.get(&task.id);
            if before.is_some_and(|(state, _)| *state == task.state) {
                continue;
            }
            changed = true;
            if task.state == TaskState::Free {
                self.tails.forget(task.id);
            }
            let before = before.map(|(_, shown)| shown.clone());
            let now = self.shown(task).await?;
            self.tell(&change(*depth, task, before.as_deref(), &now))?;
            self.seen.insert(task.id, (task.state, now));
            if before.is_some() && task.state.is_final() {
                self.tell(&counts(nodes))?;
            }
        }
        Ok(changed)
    }

    fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        self.tails.interrupt();
        self.session.tell(line)
    }

    /// A task's state in words.
    async fn shown(&mut self, task: &TaskInfo) -> anyhow::Result<String> {
        Ok(match (task.state, task.host_id) {
            (TaskState::Open, Some(host)) => format!("open ({})", self.host(host).await?),
            (TaskState::Failed, _) => match fault(self.session, task.id).await {
                Some(message) => format!("FAILED: {message}"),
                None => "FAILED".to_owned(),
            },
            (state, _) => state.name().to_lowercase(),
        })
    }

    async fn host(&mut self, id: HostId) -> anyhow::Result<String> {
        if let Some(name) = self.hosts.get(&id) {
            return Ok(name.clone());
        }
        let host = self.session.call(&GetHost { host_info: Ref::Id(id), strict: false, event: None }).await?;
        let name = host.map_or_else(|| id.to_string(), |host| host.name);
        self.hosts.insert(id, name.clone());
        Ok(name)
    }

    async fn follow_logs(&mut self, nodes: &[Node]) -> anyhow::Result<()> {
        if !self.log {
            return Ok(());
        }
        for Node { task, .. } in nodes {
            if LOGGED.contains(&task.method.as_str()) && task.state != TaskState::Free {
                self.tails.follow(self.session, task.id, LOG, task.state.is_final()).await?;
            }
        }
        Ok(())
    }

    fn end(&mut self, nodes: &[Node]) -> anyhow::Result<()> {
        self.tell("\n")?;
        let mut failed = false;
        for Node { task, .. } in nodes.iter().filter(|node| node.depth == 0) {
            let how = match task.state {
                TaskState::Closed => "completed successfully",
                TaskState::Canceled => "was canceled",
                _ => "failed",
            };
            failed |= task.state != TaskState::Closed;
            self.tell(&format!("{} {how}", task_label::with_id(task)))?;
        }
        let logged = |node: &&Node| LOGGED.contains(&node.task.method.as_str());
        for Node { task, .. } in nodes.iter().filter(logged).filter(|node| node.task.state == TaskState::Failed) {
            self.tell(&format!("Its logs: toji watch-logs {}", task.id))?;
        }
        if failed { Err(Told::Failed.into()) } else { Ok(()) }
    }
}

fn add_tree(nodes: &mut Vec<Node>, task: TaskInfo, depth: usize, below: &BTreeMap<String, Vec<TaskInfo>>) {
    let id = task.id;
    nodes.push(Node { depth, task });
    let mut children = below.get(&id.to_string()).cloned().unwrap_or_default();
    children.sort_by_key(|child| child.id);
    for child in children {
        add_tree(nodes, child, depth + 1, below);
    }
}

/// What a failed task failed with.
pub(crate) async fn fault(session: &Session, task_id: TaskId) -> Option<String> {
    let result = session.client.call(&GetTaskResult { task_id, raise_fault: false }).await.ok()?;
    let message = result.get("faultString").and_then(Value::as_str)?;
    Some(message.trim().to_owned())
}

/// `  5 buildArch (…): free -> open (builder1)`.
fn change(depth: usize, task: &TaskInfo, before: Option<&str>, now: &str) -> String {
    let indent = "  ".repeat(depth);
    let task = task_label::with_id(task);
    match before {
        Some(before) => format!("{indent}{task}: {before} -> {now}"),
        None => format!("{indent}{task}: {now}"),
    }
}

/// `  0 free  1 open  1 done  0 failed`.
fn counts(nodes: &[Node]) -> String {
    let count = |states: &[TaskState]| nodes.iter().filter(|node| states.contains(&node.task.state)).count();
    format!(
        "  {} free  {} open  {} done  {} failed",
        count(&[TaskState::Free, TaskState::Assigned]),
        count(&[TaskState::Open]),
        count(&[TaskState::Closed]),
        count(&[TaskState::Canceled, TaskState::Failed]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_label::tests::task;

    #[test]
    fn lines_are_kojis() {
        let build = task(4, "build", 1, vec!["x/hello-1-1.src.rpm".into(), "demo".into()]);
        let arch = task(5, "buildArch", 2, vec!["x/hello-1-1.src.rpm".into(), Value::Int(2), "x86_64".into()]);
        let tag = task(6, "tagBuild", 0, vec![]);
        let below = BTreeMap::from([("4".to_owned(), vec![tag, arch])]);
        let mut nodes = Vec::new();
        add_tree(&mut nodes, build, 0, &below);
        let lines: Vec<_> =
            nodes.iter().map(|node| change(node.depth, &node.task, Some("free"), "open (b1)")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        4 build (demo, hello-1-1.src.rpm): free -> open (b1)
          5 buildArch (hello-1-1.src.rpm, x86_64): free -> open (b1)
          6 tagBuild (noarch): free -> open (b1)
        ");
        assert_eq!(change(0, &nodes[2].task, None, "free"), "6 tagBuild (noarch): free");
        assert_eq!(counts(&nodes), "  1 free  1 open  1 done  0 failed");
    }
}
