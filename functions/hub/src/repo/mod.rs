//! Repos: requests for them, and making them.
//!
//! - [`request`](mod@request): who needs which repo, and what fulfils a request
//! - [`make`](mod@make): the repo function's work
//! - [`contents`]: what is in a repo; `members`: its packages in chunks; `frames`: the files made of them, and of a repo `before`;
//!   `external`: other people's repos; `data`: the files, which repos share
//! - [`passes`]: end events, expiry, deletion; [`auto`]: repos that nobody asks for
//! - `state`: how repos move on when they are told to; `view`: what can be asked of them

pub mod auto;
mod before;
pub mod contents;
mod data;
mod dist;
mod external;
mod frames;
pub mod make;
mod members;
pub mod passes;
pub mod request;
pub(crate) mod sql;
mod state;
mod view;

pub use external::{Downloaded, Fetch, Fetched};
pub use make::make;
pub(crate) use state::set_state;
use toji_protocol::{
    id::{EventId, Ref, TagId, TaskId},
    method::{
        Named, is_truthy,
        repo::{
            AutoRequests, CheckRepoQueue, CheckRepoRequest, DistRepo, FindRepo, GetActiveRepos, GetRepo, MinEvent,
            QueryRepoQueue, QueryRepos, Repo, RepoDelete, RepoExpire, RepoInfo, RepoOpts, RepoProblem, RepoReferences,
            RequestRepo, Requested, SetRepoState, SetRequestPriority, UpdateEndEvents,
        },
        task::NewRepo,
    },
    queue_name::{Advance, QueueName, TagsChanged},
    state::RepoState,
    task::{TaskMethod, new_repo::NewRepoTask, wait_repo::WaitRepoTask},
    value::{Map, Value, to_value},
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    config::AutoRepos,
    tag, task,
};

/// Koji's priority of newRepo tasks.
pub(crate) const TASK_PRIORITY: i32 = 15;
/// The channel of newRepo tasks.
pub(crate) const CHANNEL: &str = "createrepo";

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<RequestRepo>()
        .add::<FindRepo>()
        .add::<CheckRepoRequest>()
        .add::<RepoInfo>()
        .add::<GetRepo>()
        .add::<GetActiveRepos>()
        .add::<RepoExpire>()
        .add::<RepoDelete>()
        .add::<RepoProblem>()
        .add::<SetRepoState>()
        .add::<RepoReferences>()
        .add::<QueryRepos>()
        .add::<QueryRepoQueue>()
        .add::<SetRequestPriority>()
        .add::<AutoRequests>()
        .add::<CheckRepoQueue>()
        .add::<UpdateEndEvents>()
        .add::<DistRepo>()
        .add::<NewRepo>();
}

/// Has those who wait for a repo look again, and tags that want one by themselves looked at: something that may matter to them has changed.
///
/// # Errors
/// When the database is away.
pub async fn tag_changed(cx: &mut Cx, tag: TagId) -> Result<()> {
    tags_changed(cx, &[tag]).await
}

/// The same of several tags, in one statement.
///
/// # Errors
/// When the database is away.
pub async fn tags_changed(cx: &mut Cx, tags: &[TagId]) -> Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    // a tag that inherits from one of them may be the one that is waited for; there are few such tasks, so all of them look
    wake_waiters(cx, None).await?;
    // who changes a tag does not wait for who looks at all that inherit from it
    if cx.hub.config.auto_repos == AutoRepos::Targets || sql::any_auto(cx.db().await?).await? {
        cx.post(QueueName::Coordinator, &TagsChanged { tags: tags.to_vec() });
    }
    Ok(())
}

/// Has the tasks look again that wait for a repo: for one of this tag, or all.
async fn wake_waiters(cx: &mut Cx, tag: Option<(TagId, &str)>) -> Result<()> {
    let waiting = sqlx::query!(
        "SELECT id, request FROM task WHERE coordinated AND state IN (0, 1) AND method = $1",
        WaitRepoTask::METHOD
    )
    .fetch_all(cx.db().await?)
    .await?;
    for row in waiting {
        let waits_for = |(id, name): (TagId, &str)| {
            let asked =
                task::decode_request(&row.request).ok().and_then(|asked| WaitRepoTask::from_request(asked).ok());
            // one that cannot be read is to fail by itself
            asked.is_none_or(|asked| asked.tag == Ref::Id(id) || asked.tag.name() == Some(name))
        };
        if tag.is_none_or(waits_for) {
            cx.post(QueueName::Coordinator, &Advance { task: TaskId(row.id) });
        }
    }
    Ok(())
}

/// Marks the repos that cancelled or failed tasks were making.
///
/// # Errors
/// When the database is away.
pub async fn problem_for_tasks(cx: &mut Cx, tasks: &[i64]) -> Result<()> {
    let now = cx.now;
    let given_up =
        sqlx::query!("UPDATE repo SET state = 4, state_time = $2 WHERE task_id = ANY($1) AND state = 0", tasks, now)
            .execute(cx.db().await?)
            .await?;
    let requested = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM repo_queue WHERE task_id = ANY($1) AND active) AS "any!""#,
        tasks
    )
    .fetch_one(cx.db().await?)
    .await?;
    if given_up.rows_affected() > 0 || requested {
        request::check_queue(cx).await?;
    }
    Ok(())
}

/// The options of a tag's repos: its own, with what is asked for on top. Answers all of them, and those that differ.
///
/// # Errors
/// When an option is unknown.
pub(crate) fn options(extra: &Named, asked: Option<&Named>) -> Result<(RepoOpts, Named)> {
    let mut own = RepoOpts { debuginfo: extra.get("with_debuginfo").is_some_and(is_truthy), ..RepoOpts::default() };
    if let Some(Value::Struct(opts)) = extra.get("repo.opts") {
        for (name, value) in opts.iter() {
            set(&mut own, name, is_truthy(value))?;
        }
    }
    let mut all = own;
    let mut custom = Named::new();
    for (name, value) in asked.into_iter().flat_map(Named::iter) {
        if value.is_nil() {
            continue;
        }
        set(&mut all, name, is_truthy(value))?;
    }
    for name in ["src", "debuginfo", "separate_src", "maven"] {
        let (mine, theirs) = (get(&all, name), get(&own, name));
        if mine != theirs {
            custom.insert(name, mine);
        }
    }
    Ok((all, custom))
}

fn set(opts: &mut RepoOpts, name: &str, value: bool) -> Result<()> {
    match name {
        "src" => opts.src = value,
        "debuginfo" => opts.debuginfo = value,
        "separate_src" => opts.separate_src = value,
        "maven" => opts.maven = value,
        _ => {
            let message = format!("Invalid repo option: {name}; there are src, debuginfo, separate_src and maven");
            return Err(Error::parameter(message));
        }
    }
    Ok(())
}

fn get(opts: &RepoOpts, name: &str) -> bool {
    match name {
        "src" => opts.src,
        "debuginfo" => opts.debuginfo,
        "separate_src" => opts.separate_src,
        _ => opts.maven,
    }
}

/// Whether a repo has what is asked for, and no custom option that is not.
pub(crate) fn satisfies(repo: &Repo, asked: &Named) -> bool {
    let has = |(name, value): (&str, &Value)| repo.opts.get(name).is_some_and(is_truthy) == is_truthy(value);
    let wanted =
        |(name, value): (&str, &Value)| asked.get(name).is_some_and(|asked| is_truthy(asked) == is_truthy(value));
    asked.iter().all(has) && repo.custom_opts.as_struct().is_none_or(|custom| custom.iter().all(wanted))
}

/// The event that is asked for: as given, the tag's last change, or one not further back than the tag may lag.
pub(crate) async fn min_event(cx: &mut Cx, tag: TagId, asked: Option<&MinEvent>) -> Result<EventId> {
    let quirks = cx.hub.config.quirks;
    let last = tag::last_change(cx.db().await?, quirks, tag, None, true).await?.unwrap_or(EventId(0));
    match asked {
        Some(MinEvent::Id(event)) => Ok(*event),
        Some(MinEvent::Last(word)) if word == "last" => Ok(last),
        Some(MinEvent::Last(word)) => {
            Err(Error::parameter(format!("min_event must be an event or 'last', not '{word}'")))
        }
        None => {
            let config = tag::build_config(cx.db().await?, quirks, tag, None).await?;
            let lag = config.and_then(|config| config.tag.extra.get("repo.lag").and_then(Value::as_int));
            let lag = lag.map_or(cx.hub.config.repo_lag, chrono::TimeDelta::seconds);
            Ok(last.min(lagging(cx, lag).await?))
        }
    }
}

/// The newest event of so long ago; the time is rounded, so that requests that come close together want the same.
async fn lagging(cx: &mut Cx, lag: chrono::TimeDelta) -> Result<EventId> {
    let window = cx.hub.config.repo_lag_window.num_seconds().max(1);
    let until = (cx.now - lag).timestamp();
    let until = (until - until.rem_euclid(window)) as f64;
    Ok(crate::event::last(cx.db().await?, Some(until)).await?.map_or(EventId(0), |(id, _)| id))
}

impl Handle for RequestRepo {
    async fn handle(self, cx: &mut Cx) -> Result<Requested> {
        let owner = cx.caller.user()?.id;
        let (tag, _) = tag::require(cx.db().await?, &self.tag).await?;
        if self.min_event.is_some() && self.at_event.is_some() {
            return Err(Error::parameter("give min_event or at_event, not both"));
        }
        let priority = task::relative_priority(&cx.caller, self.priority)?;
        if self.opts.as_ref().and_then(|opts| opts.get("maven")).is_some_and(is_truthy) {
            return Err(Error::invalid("Maven support not enabled"));
        }
        let named = match self.min_event {
            Some(MinEvent::Id(event)) => Some(event),
            _ => self.at_event,
        };
        if let Some(event) = named
            && crate::event::time(cx.db().await?, event).await?.is_none()
        {
            return Err(Error::parameter(format!("Invalid event: {event}")));
        }
        let wanted = match self.at_event {
            Some(event) => request::Wanted::At(event),
            None => request::Wanted::Since(min_event(cx, tag, self.min_event.as_ref()).await?),
        };
        let opts = self.opts.unwrap_or_default();
        request::request(cx, owner, tag, wanted, opts, priority, self.force).await
    }
}

impl Handle for FindRepo {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Repo>> {
        let (tag, _) = tag::require(cx.db().await?, &self.tag).await?;
        let wanted = match (self.at_event, &self.min_event) {
            (Some(event), _) => request::Wanted::At(event),
            (None, None) => request::Wanted::Since(EventId(0)),
            (None, asked) => request::Wanted::Since(min_event(cx, tag, asked.as_ref()).await?),
        };
        request::find(cx.db().await?, tag, wanted, &self.opts.unwrap_or_default()).await
    }
}

impl Handle for CheckRepoRequest {
    async fn handle(self, cx: &mut Cx) -> Result<Requested> {
        let request = sql::request(cx.db().await?, self.req_id).await?;
        let request = request.ok_or_else(|| Error::missing(format!("No such request: {}", self.req_id)))?;
        let repo = match request.repo_id {
            Some(repo) => sql::get(cx.db().await?, repo).await?,
            None => None,
        };
        let task = match (&repo, request.task_id) {
            (None, Some(id)) => Some(task::info(&task::require(cx, id).await?, false)?),
            _ => None,
        };
        Ok(Requested { repo, request: Some(request), duplicate: None, task })
    }
}

impl Handle for RepoInfo {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Repo>> {
        match sql::get(cx.db().await?, self.repo_id).await? {
            None if self.strict => Err(Error::missing(format!("No such repo: {}", self.repo_id))),
            found => Ok(found),
        }
    }
}

impl Handle for GetRepo {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Repo>> {
        let conn = cx.db().await?;
        let (tag, _) = tag::require(conn, &self.tag).await?;
        let state = self.state.unwrap_or(RepoState::Ready);
        let id = sqlx::query_scalar!(
            "SELECT id FROM repo WHERE tag_id = $1 AND dist = $2 AND ($3::bigint IS NULL OR create_event <= $3)
                 AND ($4::bigint IS NULL OR create_event >= $4) AND ($3::bigint IS NOT NULL OR state = $5)
             ORDER BY creation_time DESC, id DESC LIMIT 1",
            tag.0,
            self.dist,
            self.event.map(|id| id.0),
            self.min_event.map(|id| id.0),
            state.number()
        )
        .fetch_optional(&mut *conn)
        .await?;
        match id {
            Some(id) => sql::get(conn, id.into()).await,
            None => Ok(None),
        }
    }
}

impl Handle for NewRepo {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let owner = cx.caller.user()?.id;
        if !cx.caller.has_perm("repo") {
            cx.caller.require_perm("regen-repo")?;
        }
        if let Some(event) = self.event {
            crate::event::require(cx.db().await?, event).await?;
        }
        tag::require_at(cx.db().await?, &self.tag, self.event).await?;
        // only what was asked for, by name, as Koji stores it
        let mut named = Map::new();
        if let Some(event) = self.event {
            named.insert("event", event.0);
        }
        for (name, is_asked) in [("src", self.src), ("separate_src", self.separate_src), ("debuginfo", self.debuginfo)]
        {
            if is_asked {
                named.insert(name, true);
            }
        }
        let mut request = vec![to_value(&self.tag)?];
        if !named.is_empty() {
            named.insert("__starstar", true);
            request.push(Value::Struct(named));
        }
        let new = task::NewTask {
            channel: Some(CHANNEL.to_owned()),
            priority: TASK_PRIORITY,
            ..task::NewTask::top(NewRepoTask::METHOD, request, owner)
        };
        task::make(cx, new).await
    }
}
