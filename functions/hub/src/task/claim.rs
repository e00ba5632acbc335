//! A builder takes the best task that fits it.
//!
//! The order is Koji's: lowest priority number first, then oldest. What fits is Koji's too: an empty host takes anything; another
//! one needs room for the weight less the overcommitment. A host that the first task in line has waited for too long takes nothing
//! behind it, so that light tasks do not starve a heavy one.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{HostId, TaskId, UserId},
    method::worker::{Claim, ClaimTask, ClaimedTask, Left},
    queue_name::Bin,
    state::TaskState,
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    callback::tell::{self, TaskChange},
    task::{TaskRow, decode_request},
};

/// What a task's weight may exceed the room by.
const OVERCOMMIT: f64 = 5.0;
/// A task that has waited so long holds those behind it back.
const PATIENCE: TimeDelta = TimeDelta::minutes(5);
/// How many tasks in line one claim looks at.
const LINE: i64 = 50;
/// How long a soft refusal lasts.
const REFUSED_FOR: TimeDelta = TimeDelta::minutes(15);

/// What a host runs, and how much it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The sum of weights it takes.
    pub capacity: f64,
    /// The sum of weights of its tasks that do not wait for children.
    pub weight: f64,
    /// How many tasks it has that do not wait for children: those that do must not keep their children out.
    pub tasks: i64,
    /// The most it has at once.
    pub max_tasks: i64,
}

impl Load {
    /// Whether a task of this weight fits, too.
    pub fn fits(&self, weight: f64) -> bool {
        if self.tasks == 0 {
            return true;
        }
        self.tasks < self.max_tasks && self.capacity - self.weight > (weight - OVERCOMMIT).max(0.0)
    }

    fn with(&self, weight: f64) -> Self {
        Self { weight: self.weight + weight, tasks: self.tasks + 1, ..*self }
    }
}

/// A task that waits, as the rule sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The task.
    pub id: TaskId,
    /// Its bin.
    pub bin: Bin,
    /// Its share of a host's capacity.
    pub weight: f64,
    /// Since when it waits.
    pub since: DateTime<Utc>,
    /// An admin has given it to this host.
    pub is_assigned: bool,
}

/// The tasks that the host may take now, best first, of a line in Koji's order.
pub fn takeable<'a>(load: &Load, line: &'a [Waiting], now: DateTime<Utc>) -> Vec<&'a Waiting> {
    takeable_by(PATIENCE, load, line, now)
}

fn takeable_by<'a>(patience: TimeDelta, load: &Load, line: &'a [Waiting], now: DateTime<Utc>) -> Vec<&'a Waiting> {
    let mut found = Vec::new();
    for task in line {
        if task.is_assigned || load.fits(task.weight) {
            found.push(task);
        } else if now - task.since > patience {
            break;
        }
    }
    found
}

/// What is left of a bin for a host, after `taken`.
pub fn left(load: &Load, line: &[Waiting], taken: Option<&Waiting>, bin: &Bin) -> Left {
    let load = taken.map_or(*load, |task| load.with(task.weight));
    let mut rest =
        line.iter().filter(|task| taken.is_none_or(|taken| taken.id != task.id) && task.bin == *bin).peekable();
    if rest.peek().is_none() {
        // a line that is cut may have more behind
        return if line.len() as i64 >= LINE { Left::More } else { Left::Nothing };
    }
    if rest.any(|task| load.fits(task.weight)) { Left::More } else { Left::Unfit }
}

impl Handle for ClaimTask {
    async fn handle(self, cx: &mut Cx) -> Result<Claim> {
        let host = cx.caller.host()?;
        let (now, lease) = (cx.now, cx.hub.config.lease);
        let conn = cx.db().await?;
        // the lock is a statement of its own: one that waits for a lock reads everything else as it was before it waited
        lock_host(conn, host, now).await?;
        match earlier(conn, host, &self.claim_id).await? {
            Earlier::Held(task) => return Ok(Claim { task: Some(*task), left: Left::More }),
            Earlier::Over => return Ok(Claim { task: None, left: Left::More }),
            Earlier::Never => {}
        }
        let bin = self.bin.map(Bin);
        let Some(load) = load(conn, host).await? else {
            // disabled or draining: the bell is for others
            return Ok(Claim { task: None, left: Left::Unfit });
        };
        let line = line(conn, host, now).await?;
        let mut task = None;
        let mut taken = None;
        for candidate in takeable(&load, &line, now) {
            let changes = [TaskChange::State(TaskState::Open), TaskChange::Host(Some(host))];
            let is_free = |row: &TaskRow| matches!(row.state, TaskState::Free | TaskState::Assigned);
            let noted = cx.noted();
            tell::task_changed(cx, &[candidate.id], is_free, &changes).await?;
            let conn = cx.db().await?;
            // somebody else may be faster: then the next one
            if let Some(opened) = open(conn, host, candidate.id, &self.claim_id, now, now + lease).await? {
                task = Some(opened);
                taken = Some(candidate);
                break;
            }
            cx.forget(noted);
        }
        let left = bin.map_or(Left::Nothing, |bin| left(&load, &line, taken, &bin));
        Ok(Claim { task, left })
    }
}

/// What a claim has come to, should it have been sent before; the answer may have been lost.
enum Earlier {
    /// It is new.
    Never,
    /// It has taken this task, which is still the host's.
    Held(Box<ClaimedTask>),
    /// It has taken a task which has ended since, or was given to another.
    Over,
}

async fn earlier(conn: &mut PgConnection, host: HostId, claim_id: &str) -> Result<Earlier> {
    const LONGEST: usize = 100;
    if claim_id.is_empty() || claim_id.len() > LONGEST {
        return Err(Error::parameter(format!("claim_id must have 1 to {LONGEST} characters")));
    }
    let row = sqlx::query!(
        r#"SELECT task_run.host_id, task_run.attempt = task.attempt AND task.state = 1 AS "is_held!",
               task.id, task.attempt, method, request, arch, weight, owner, parent
           FROM task_run JOIN task ON task.id = task_run.task_id WHERE task_run.claim_id = $1"#,
        claim_id
    )
    .fetch_optional(conn)
    .await?;
    match row {
        None => Ok(Earlier::Never),
        Some(row) if row.host_id != host.0 => {
            Err(Error::parameter("claim_id was used by another host; choose a random one for each claim"))
        }
        Some(row) if !row.is_held => Ok(Earlier::Over),
        Some(row) => Ok(Earlier::Held(Box::new(ClaimedTask {
            id: TaskId(row.id),
            attempt: row.attempt,
            method: row.method,
            request: decode_request(&row.request)?,
            arch: row.arch,
            weight: row.weight,
            owner: UserId(row.owner),
            parent: row.parent.map(TaskId),
        }))),
    }
}

/// Locks the host's row, so that its claims come one after another, and notes that it lives.
async fn lock_host(conn: &mut PgConnection, host: HostId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("UPDATE host SET update_time = $2, ready = NOT draining WHERE id = $1", host.0, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// What the host has and takes. None when it takes no tasks.
async fn load(conn: &mut PgConnection, host: HostId) -> Result<Option<Load>> {
    let row = sqlx::query!(
        r#"SELECT capacity, enabled AND NOT draining AS "is_open!", max_jobs,
               (SELECT coalesce(sum(weight) FILTER (WHERE waiting IS NOT TRUE), 0) FROM task
                WHERE host_id = $1 AND state = 1) AS "weight!",
               (SELECT count(*) FILTER (WHERE waiting IS NOT TRUE) FROM task
                WHERE host_id = $1 AND state = 1) AS "tasks!"
           FROM host JOIN host_config ON host_config.host_id = host.id AND active WHERE host.id = $1"#,
        host.0
    )
    .fetch_one(conn)
    .await?;
    let load = Load { capacity: row.capacity, weight: row.weight, tasks: row.tasks, max_tasks: row.max_jobs.into() };
    Ok(row.is_open.then_some(load))
}

/// The tasks that wait for a host like this, in Koji's order; those given to it come first.
async fn line(conn: &mut PgConnection, host: HostId, now: DateTime<Utc>) -> Result<Vec<Waiting>> {
    let rows = sqlx::query!(
        r#"(SELECT id, channel_id, arch, weight, free_since, true AS "is_assigned!" FROM task
            WHERE state = 4 AND host_id = $1 ORDER BY priority, id)
           UNION ALL
           (SELECT task.id, task.channel_id, task.arch, weight, free_since, false FROM task
                JOIN host ON host.id = $1 JOIN host_config ON host_config.host_id = host.id AND active
            WHERE state = 0 AND NOT coordinated
                AND task.channel_id IN (SELECT host_channels.channel_id FROM host_channels
                    JOIN channels ON channels.id = host_channels.channel_id
                    WHERE host_channels.host_id = $1 AND host_channels.active AND channels.enabled)
                AND task.arch = ANY(string_to_array(host_config.arches, ' ') || 'noarch'::text)
                AND task.method = ANY(host.methods)
                AND NOT EXISTS (SELECT 1 FROM task_refusal WHERE task_id = task.id AND task_refusal.host_id = $1
                    AND (NOT soft OR time > $2))
            ORDER BY priority, task.id LIMIT $3)"#,
        host.0,
        now - REFUSED_FOR,
        LINE
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let bin = Bin::new(toji_protocol::id::ChannelId(row.channel_id?), &row.arch?);
            Some(Waiting {
                id: TaskId(row.id?),
                bin,
                weight: row.weight?,
                since: row.free_since?,
                is_assigned: row.is_assigned,
            })
        })
        .collect())
}

/// Opens a task for a host: a new attempt, a lease. None when it is no longer free.
async fn open(
    conn: &mut PgConnection,
    host: HostId,
    task: TaskId,
    claim_id: &str,
    now: DateTime<Utc>,
    lease: DateTime<Utc>,
) -> Result<Option<ClaimedTask>> {
    let row = sqlx::query!(
        r#"WITH opened AS (
               UPDATE task SET state = 1, host_id = $2, claim_id = $3, attempt = attempt + 1, start_time = $4,
                   lease_expires_at = $5
               WHERE id = $1 AND (state = 0 OR state = 4 AND host_id = $2)
               RETURNING id, attempt, method, request, arch, weight, owner, parent
           ), run AS (
               INSERT INTO task_run (task_id, attempt, host_id, claim_id, start_time)
               SELECT id, attempt, $2, $3, $4 FROM opened
           ), log AS (
               INSERT INTO scheduler_log_messages (task_id, host_id, msg_time, msg)
               SELECT id, $2, $4, 'Assigning task' FROM opened
           )
           SELECT * FROM opened"#,
        task.0,
        host.0,
        claim_id,
        now,
        lease
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(ClaimedTask {
            id: TaskId(row.id),
            attempt: row.attempt,
            method: row.method,
            request: decode_request(&row.request)?,
            arch: row.arch,
            weight: row.weight,
            owner: UserId(row.owner),
            parent: row.parent.map(TaskId),
        })
    })
    .transpose()
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toji_protocol::id::ChannelId;

    use super::*;

    fn waiting(id: i64, weight: f64, waited: TimeDelta) -> Waiting {
        let bin = Bin::new(ChannelId(1), "x86_64");
        Waiting { id: TaskId(id), bin, weight, since: now() - waited, is_assigned: false }
    }

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn load(capacity: f64, weight: f64, tasks: i64) -> Load {
        Load { capacity, weight, tasks, max_tasks: 10 }
    }

    #[test]
    fn an_empty_host_takes_anything() {
        assert!(load(2.0, 0.0, 0).fits(100.0));
        assert!(load(2.0, 1.5, 1).fits(1.5));
        assert!(load(2.0, 1.5, 1).fits(5.4));
        assert!(!load(2.0, 1.5, 1).fits(5.6));
        assert!(!load(2.0, 2.0, 1).fits(0.1));
        assert!(!load(200.0, 2.0, 10).fits(0.1));
    }

    #[test]
    fn the_first_that_fits() {
        let line = [waiting(1, 9.0, TimeDelta::zero()), waiting(2, 1.0, TimeDelta::zero())];
        let found = takeable(&load(2.0, 1.0, 1), &line, now());
        assert_eq!(found.iter().map(|task| task.id.0).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_heavy_task_does_not_starve() {
        let line = [waiting(1, 9.0, TimeDelta::minutes(6)), waiting(2, 1.0, TimeDelta::zero())];
        assert!(takeable(&load(2.0, 1.0, 1), &line, now()).is_empty());
        assert_eq!(takeable(&load(2.0, 0.0, 0), &line, now())[0].id.0, 1);
    }

    #[test]
    fn what_is_left() {
        let line = [waiting(1, 1.0, TimeDelta::zero()), waiting(2, 9.0, TimeDelta::zero())];
        let bin = Bin::new(ChannelId(1), "x86_64");
        let busy = load(2.0, 1.5, 1);
        assert_eq!(left(&busy, &line, Some(&line[0]), &bin), Left::Unfit);
        assert_eq!(left(&busy, &line[..1], Some(&line[0]), &bin), Left::Nothing);
        assert_eq!(left(&load(9.0, 0.0, 0), &line, Some(&line[0]), &bin), Left::More);
        assert_eq!(left(&busy, &line, None, &Bin::new(ChannelId(2), "noarch")), Left::Nothing);
    }

    proptest! {
        /// Light tasks arrive without end; a heavy one still runs, soon after it has waited its time.
        #[test]
        fn heavy_tasks_run_in_a_storm_of_light_ones(heavy in 6.0f64..20.0, light in 0.2f64..2.0, minutes in 1i64..4) {
            let capacity = 4.0;
            let mut running: Vec<(f64, i64)> = Vec::new();
            let mut started = None;
            for minute in 0..60 {
                let now = now() + TimeDelta::minutes(minute);
                running.retain(|(_, ends)| *ends > minute);
                loop {
                    let load = Load {
                        capacity,
                        weight: running.iter().map(|(weight, _)| weight).sum(),
                        tasks: running.len() as i64,
                        max_tasks: 10,
                    };
                    let mut line = vec![Waiting { since: super::tests::now(), ..waiting(1, heavy, TimeDelta::zero()) }];
                    line.push(Waiting { since: now, ..waiting(2, light, TimeDelta::zero()) });
                    // the heavy one came when the host was busy
                    if minute == 0 {
                        line.remove(0);
                    }
                    match takeable(&load, &line, now).first() {
                        Some(task) if task.id.0 == 1 => { started = Some(minute); break }
                        Some(task) => running.push((task.weight, minute + minutes)),
                        None => break,
                    }
                }
                if started.is_some() { break }
            }
            prop_assert!(started.is_some_and(|minute| minute <= 5 + 1 + minutes), "started at {started:?}");
        }
    }
}
