//! The states of repos, as kojira and admins move them.

use toji_protocol::{
    id::RepoId,
    method::repo::{
        GetActiveRepos, QueryRepoQueue, QueryRepos, RepoDelete, RepoExpire, RepoProblem, RepoReference, RepoReferences,
        SetRepoState,
    },
    method::{Listing, OneOrMany},
    state::RepoState,
    value::{Map, Value},
};

use super::{data, request, sql, view};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    clause::Asked,
};

/// What is told of the repos that are not deleted.
const ACTIVE: [&str; 12] = [
    "id",
    "tag_id",
    "create_event",
    "create_ts",
    "state",
    "dist",
    "task_id",
    "tag_name",
    "creation_ts",
    "state_ts",
    "end_event",
    "opts",
];

/// Moves a repo's state up; DELETED can be reached from each. Told twice, it succeeds twice.
pub(crate) async fn set_state(cx: &mut Cx, repo: RepoId, state: RepoState) -> Result<()> {
    let now = cx.now;
    let moved = sqlx::query!(
        "UPDATE repo SET state = $2, state_time = $3 WHERE id = $1 AND state <> 3 AND (state < $2 OR $2 = 3)",
        repo.0,
        state.number(),
        now
    )
    .execute(cx.db().await?)
    .await?;
    let found = sql::get(cx.db().await?, repo).await?;
    let found = found.ok_or_else(|| Error::missing(format!("No such repo: {repo}")))?;
    match (moved.rows_affected(), found.state) {
        (0, old) if old == state => Ok(()),
        (0, RepoState::Deleted) => Err(Error::invalid(format!("Repo {repo} is deleted"))),
        (0, old) => Err(Error::invalid(format!("Invalid repo state transition for repo {repo}: {old} -> {state}"))),
        _ if state == RepoState::Ready && !found.dist => request::fulfil(cx, &found).await,
        _ if state == RepoState::Deleted => data::forget(cx.db().await?, &[repo.0], now).await,
        _ => Ok(()),
    }
}

impl Handle for SetRepoState {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_state(cx, self.repo_id, self.state).await
    }
}

impl Handle for RepoExpire {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_state(cx, self.repo_id, RepoState::Expired).await
    }
}

impl Handle for RepoProblem {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_state(cx, self.repo_id, RepoState::Problem).await
    }
}

impl Handle for RepoDelete {
    async fn handle(self, cx: &mut Cx) -> Result<i64> {
        // who begins a buildroot with it locks it, too
        sqlx::query!("SELECT id FROM repo WHERE id = $1 FOR UPDATE", self.repo_id.0)
            .fetch_optional(cx.db().await?)
            .await?;
        let used = sql::live_buildroots(cx.db().await?, self.repo_id).await?;
        if used == 0 {
            set_state(cx, self.repo_id, RepoState::Deleted).await?;
        }
        Ok(used)
    }
}

impl Handle for RepoReferences {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<RepoReference>> {
        sql::references(cx.db().await?, self.repo_id).await
    }
}

impl Handle for GetActiveRepos {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Map>> {
        let deleted = Value::Int(RepoState::Deleted.number().into());
        let clauses = Some(vec![vec![Value::from("state"), Value::from("!="), deleted]]);
        let fields = Some(OneOrMany::Many(ACTIVE.map(str::to_owned).to_vec()));
        view::REPOS.query(cx.db().await?, Asked { clauses, fields, opts: None }).await
    }
}

impl Handle for QueryRepos {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Map>> {
        let asked = Asked { clauses: self.clauses, fields: self.fields, opts: self.opts };
        view::REPOS.query(cx.db().await?, asked).await
    }
}

impl Handle for QueryRepoQueue {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Map>> {
        let asked = Asked { clauses: self.clauses, fields: self.fields, opts: self.opts };
        view::QUEUE.query(cx.db().await?, asked).await
    }
}
