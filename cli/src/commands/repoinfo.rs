//! `toji repoinfo`

use anyhow::Context;
use toji_protocol::{
    id::RepoId,
    method::repo::{Repo, RepoInfo},
};

use crate::{
    output::{long_ts, yes_no},
    session::Session,
};

/// Show a repo: of which tag, as it was when, and where it is
#[derive(clap::Args)]
pub(crate) struct Repoinfo {
    /// The repos
    #[arg(required = true, value_name = "ID")]
    repos: Vec<RepoId>,
}

impl Repoinfo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for (place, repo_id) in self.repos.into_iter().enumerate() {
            let ask = RepoInfo { repo_id, strict: true };
            if place > 0 && !session.json {
                session.say("\n")?;
            }
            if session.json {
                session.say_json(&session.raw(&ask).await?)?;
            } else {
                let repo = session.call(&ask).await?.context("no such repo")?;
                session.say(&render(&repo, &session.topurl))?;
            }
        }
        Ok(())
    }
}

fn render(repo: &Repo, topurl: &str) -> String {
    let mut lines = vec![
        format!("ID: {}", repo.id),
        format!("Tag ID: {}", repo.tag_id),
        format!("Tag name: {}", repo.tag_name),
        format!("State: {}", repo.state),
        format!("Created: {}", long_ts(repo.creation_ts)),
        format!("Created event: {} ({})", repo.create_event, long_ts(repo.create_ts)),
    ];
    match (repo.end_event, repo.end_ts) {
        (Some(event), ts) => {
            lines.push(format!("Outdated since event: {event} ({})", ts.map(long_ts).unwrap_or_default()))
        }
        (None, _) => lines.push("Current: yes".to_owned()),
    }
    lines.push(format!("URL: {topurl}/{}", toji_protocol::object_key::repo_dir(&repo.tag_name, repo.id)));
    lines.push(format!("Dist repo?: {}", yes_no(repo.dist)));
    if let Some(task) = repo.task_id {
        lines.push(format!("Task ID: {task}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_everything() {
        let repo = serde_json::json!({"begin_event": 5, "begin_ts": 1.0, "create_event": 7, "create_ts": 1795219213.0,
            "creation_time": "2026-11-21 00:00:13+00:00", "creation_ts": 1795219213.0, "custom_opts": {}, "dist": false,
            "end_event": null, "end_ts": null, "id": 3, "opts": {}, "state": 1, "state_time": "2026-11-21 00:00:13+00:00",
            "state_ts": 1795219213.0, "tag_id": 2, "tag_name": "demo-build", "task_id": 9, "task_state": 2});
        insta::assert_snapshot!(render(&serde_json::from_value(repo).unwrap(), "http://hub/kojifiles"), @r"
        ID: 3
        Tag ID: 2
        Tag name: demo-build
        State: READY
        Created: Sat, 21 Nov 2026 00:00:13 UTC
        Created event: 7 (Sat, 21 Nov 2026 00:00:13 UTC)
        Current: yes
        URL: http://hub/kojifiles/repos/demo-build/3
        Dist repo?: no
        Task ID: 9
        ");
    }
}
