//! The letter about a build that has ended.

use std::fmt::Write;

use toji_protocol::{
    id::{BuildId, TagId, TaskId, UserId},
    method::build::Build,
    state::{BuildState, TaskState},
    task::{TaskMethod, build::BuildTask},
    time::Time,
};

use super::{Mail, known, recipients, sql};
use crate::{
    Result,
    call::Cx,
    target,
    task::{self, decode_request, decode_result},
    user,
};

/// So many of an error's last lines are told: what went wrong stands at its end.
const LAST_LINES: usize = 15;

pub(super) async fn compose(
    cx: &mut Cx,
    build: BuildId,
    state: BuildState,
    by: Option<UserId>,
) -> Result<Option<Mail>> {
    let Some(build) = known(cx, build).await? else { return Ok(None) };
    let (dest, dest_name) = match build.task_id {
        Some(task) => destination(cx, task).await?.unzip(),
        None => (None, None),
    };
    let to = recipients::of(cx, &build, dest, state).await?;
    if to.is_empty() {
        return Ok(None);
    }
    let told = Told {
        tag: dest_name.unwrap_or_else(|| "None".to_owned()),
        status: state.to_string().to_lowercase(),
        canceled_by: match by {
            Some(user) if state == BuildState::Canceled => Some(user::name(cx.db().await?, user).await?),
            _ => None,
        },
        tasks: match build.task_id {
            Some(task) => sql::tasks(cx.db().await?, task).await?,
            None => Vec::new(),
        },
        rpms: match state {
            BuildState::Complete => sql::rpms(cx.db().await?, build.id).await?,
            _ => Vec::new(),
        },
        web_url: cx.hub.config.web_url(),
        build,
    };
    Ok(Some(told.mail(to.into_iter().collect())))
}

/// The tag that a task's build goes into, if its target is still there.
async fn destination(cx: &mut Cx, of: TaskId) -> Result<Option<(TagId, String)>> {
    let Some(row) = task::sql::get(cx.db().await?, of).await? else { return Ok(None) };
    if row.method != BuildTask::METHOD {
        return Ok(None);
    }
    // what cannot be read goes nowhere: it must not keep the letter from leaving
    let asked = BuildTask::from_request(decode_request(&row.request)?).ok();
    let Some(name) = asked.and_then(|asked| asked.target) else { return Ok(None) };
    let target = target::find(cx.db().await?, &name.as_str().into(), None).await?;
    Ok(target.map(|target| (target.dest_tag, target.dest_tag_name)))
}

/// What there is to tell of a build.
struct Told {
    build: Build,
    tag: String,
    status: String,
    canceled_by: Option<String>,
    tasks: Vec<sql::ToldTask>,
    rpms: Vec<String>,
    web_url: String,
}

impl Told {
    fn mail(&self, to: Vec<String>) -> Mail {
        let Build { nvr, owner_name, package_name, id, draft, .. } = &self.build;
        let ended = self.build.completion_ts.unwrap_or_default();
        Mail {
            to,
            subject: format!("Package: {nvr} Tag: {} Status: {} Built by: {owner_name}", self.tag, self.status),
            headers: vec![
                ("X-Koji-Tag", self.tag.clone()),
                ("X-Koji-Package", package_name.clone()),
                ("X-Koji-NVR", nvr.clone()),
                ("X-Koji-Builder", owner_name.clone()),
                ("X-Koji-User", owner_name.clone()),
                ("X-Koji-Status", self.status.clone()),
                ("X-Koji-Draft", if *draft { "True" } else { "False" }.to_owned()),
            ],
            text: self.text(),
            id: format!("build-{id}-{}-{ended}", self.status),
        }
    }

    fn text(&self) -> String {
        let Build { nvr, owner_name, id, .. } = &self.build;
        let mut text = String::new();
        let mut line = |line: String| text.extend([line.as_str(), "\n"]);
        line(format!("Package: {nvr}"));
        line(format!("Tag: {}", self.tag));
        line(format!("Status: {}", self.status));
        if let Some(name) = &self.canceled_by {
            line(format!("Canceled by: {name}"));
        }
        line(format!("Built by: {owner_name}"));
        line(format!("ID: {id}"));
        if let Some(source) = &self.build.source {
            line(format!("Source: {source}"));
        }
        line(format!("Started: {}", long(self.build.start_time.or(Some(self.build.creation_time)))));
        line(format!("Finished: {}", long(self.build.completion_time)));
        self.failures(&mut text);
        self.files(&mut text);
        self.other_tasks(&mut text);
        if let Some(task) = self.build.task_id {
            text += &format!("\nTask Info: {}/taskinfo?taskID={task}", self.web_url);
        }
        text += &format!("\nBuild Info: {}/buildinfo?buildID={id}\n", self.web_url);
        text
    }

    /// The tasks in which it failed, not those above them, which only hand the failure on.
    fn failures(&self, text: &mut String) {
        let has_failed = |task: &&sql::ToldTask| task.state == TaskState::Failed;
        let hands_on =
            |task: &sql::ToldTask| self.tasks.iter().filter(has_failed).any(|child| child.parent == Some(task.id));
        for task in self.tasks.iter().filter(has_failed).filter(|task| !hands_on(task)) {
            let _ = write!(text, "\n{} failed:\n", label(task));
            for line in last_lines(task.result.as_deref()) {
                let _ = writeln!(text, "    {line}");
            }
        }
    }

    fn files(&self, text: &mut String) {
        if !self.rpms.is_empty() {
            *text += "\nRPMs:\n";
        }
        for rpm in &self.rpms {
            let _ = writeln!(text, "    {rpm}");
        }
    }

    fn other_tasks(&self, text: &mut String) {
        if !self.tasks.is_empty() {
            *text += "\nTasks:\n";
        }
        for task in &self.tasks {
            let state = task.state.to_string().to_lowercase();
            let _ = writeln!(text, "    {}: {state}", label(task));
        }
    }
}

fn label(task: &sql::ToldTask) -> String {
    let on = task.host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
    format!("Task {} {} ({}){on}", task.id, task.method, task.arch)
}

fn last_lines(result: Option<&str>) -> Vec<String> {
    let message = match result.map(decode_result) {
        Some(Ok(Err(fault))) => fault.message,
        // a task that has failed has a fault; what else it may have says nothing
        _ => "it has left no word of why".to_owned(),
    };
    let lines: Vec<&str> = message.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let skipped = lines.len().saturating_sub(LAST_LINES);
    lines.into_iter().skip(skipped).map(str::to_owned).collect()
}

fn long(time: Option<Time>) -> String {
    time.map_or_else(|| "None".to_owned(), |time| time.0.format("%a, %d %b %Y %H:%M:%S UTC").to_string())
}
