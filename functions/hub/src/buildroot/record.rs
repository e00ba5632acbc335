//! A builder records a buildroot: its state, and each RPM in it, matched to one that is known by its payload hash.

use toji_protocol::{
    id::{BuildrootId, TaskId},
    method::worker::{InstalledRpm, NewBuildroot, SetBuildrootList, SetBuildrootState, UpdateBuildrootList},
    state::BuildrootState,
    value::Value,
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    error::FaultCode,
    task::lease::hold,
};

fn fault(message: String) -> Error {
    Error::Invalid(FaultCode::Buildroot, message)
}

impl Handle for NewBuildroot {
    async fn handle(self, cx: &mut Cx) -> Result<BuildrootId> {
        let host = cx.caller.host()?;
        hold(cx.db().await?, host, self.task_id, self.attempt).await?;
        let state = sqlx::query_scalar!("SELECT state FROM repo WHERE id = $1 FOR SHARE", self.repo.0)
            .fetch_optional(cx.db().await?)
            .await?;
        match state {
            Some(1 | 2) => {}
            Some(_) => {
                return Err(fault(format!("repo {} is neither ready nor expired: it fills no buildroot", self.repo)));
            }
            None => return Err(fault(format!("No such repo: {}", self.repo))),
        }
        let event = cx.event().await?;
        let id = sqlx::query_scalar!(
            "INSERT INTO buildroot (arch, host_id, repo_id, task_id, attempt, state, create_event)
             VALUES ($1, $2, $3, $4, $5, 0, $6) RETURNING id",
            self.arch,
            host.0,
            self.repo.0,
            self.task_id.0,
            self.attempt,
            event.0
        )
        .fetch_one(cx.db().await?)
        .await?;
        Ok(BuildrootId(id))
    }
}

fn parse_state(state: &Value) -> Result<BuildrootState> {
    let states = [BuildrootState::Init, BuildrootState::Waiting, BuildrootState::Building, BuildrootState::Expired];
    let found = match state {
        Value::Int(number) => BuildrootState::from_number(*number),
        Value::String(name) => states.into_iter().find(|state| state.name() == name),
        _ => None,
    };
    found.ok_or_else(|| Error::parameter("state must be 0 to 3, or INIT, WAITING, BUILDING or EXPIRED"))
}

impl Handle for SetBuildrootState {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let host = cx.caller.host()?;
        let state = parse_state(&self.state)?;
        hold(cx.db().await?, host, self.task_id, self.attempt).await?;
        let retire = if state == BuildrootState::Expired { Some(cx.event().await?.0) } else { None };
        let set = sqlx::query!(
            "UPDATE buildroot SET state = $3, retire_event = $4 WHERE id = $1 AND task_id = $2 AND attempt = $5
                 AND state <= $3 AND state <> 3",
            self.brootid.0,
            self.task_id.0,
            state.number(),
            retire,
            self.attempt
        )
        .execute(cx.db().await?)
        .await?;
        if set.rows_affected() == 0 {
            let now = sqlx::query_scalar!(
                "SELECT state FROM buildroot WHERE id = $1 AND task_id = $2",
                self.brootid.0,
                self.task_id.0
            )
            .fetch_optional(cx.db().await?)
            .await?
            .flatten();
            // told twice, it succeeds twice
            if now != Some(state.number()) {
                return Err(fault(format!(
                    "buildroot {} of task {} cannot become {state}",
                    self.brootid, self.task_id
                )));
            }
        }
        Ok(())
    }
}

impl Handle for SetBuildrootList {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        record(cx, self.brootid, self.task_id, self.attempt, &self.rpmlist, false).await
    }
}

impl Handle for UpdateBuildrootList {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        record(cx, self.brootid, self.task_id, self.attempt, &self.rpmlist, true).await
    }
}

async fn record(
    cx: &mut Cx,
    buildroot: BuildrootId,
    task: TaskId,
    attempt: i32,
    rpms: &[InstalledRpm],
    is_update: bool,
) -> Result<()> {
    let host = cx.caller.host()?;
    hold(cx.db().await?, host, task, attempt).await?;
    let is_known = sqlx::query_scalar!(
        "SELECT state FROM buildroot WHERE id = $1 AND task_id = $2 AND attempt = $3",
        buildroot.0,
        task.0,
        attempt
    )
    .fetch_optional(cx.db().await?)
    .await?
    .is_some();
    if !is_known {
        return Err(fault(format!("No buildroot {buildroot} of task {task}")));
    }
    add_external(cx, rpms).await?;
    let ids = known(cx, rpms).await?;
    sqlx::query!(
        "INSERT INTO buildroot_listing (buildroot_id, rpm_id, is_update) SELECT $1, id, $3 FROM unnest($2::bigint[]) AS id
         ON CONFLICT (buildroot_id, rpm_id) DO NOTHING",
        buildroot.0,
        &ids,
        is_update
    )
    .execute(cx.db().await?)
    .await?;
    Ok(())
}

/// Notes RPMs of external repos that were never seen before.
async fn add_external(cx: &mut Cx, rpms: &[InstalledRpm]) -> Result<()> {
    // sorted, so that two buildroots that note the same ones do not lock each other out
    let mut external: Vec<&InstalledRpm> =
        rpms.iter().filter(|rpm| rpm.external_repo_id.is_some_and(|repo| repo.0 != 0)).collect();
    external.sort_by_key(|rpm| (&rpm.name, &rpm.version, &rpm.release, &rpm.arch, rpm.external_repo_id.map(|id| id.0)));
    let text = |part: fn(&InstalledRpm) -> &String| external.iter().map(|rpm| part(rpm).clone()).collect::<Vec<_>>();
    let number = |part: fn(&InstalledRpm) -> i64| external.iter().map(|rpm| part(rpm)).collect::<Vec<_>>();
    let epochs: Vec<Option<i64>> = external.iter().map(|rpm| rpm.epoch).collect();
    sqlx::query!(
        "INSERT INTO rpminfo (name, version, release, arch, epoch, external_repo_id, payloadhash, size, buildtime, draft)
         SELECT new.*, NULL FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
             $8::bigint[], $9::bigint[]) AS new (name, version, release, arch, epoch, repo, hash, size, buildtime)
         WHERE NOT EXISTS (SELECT 1 FROM rpminfo WHERE rpminfo.name = new.name AND rpminfo.version = new.version
             AND rpminfo.release = new.release AND rpminfo.arch = new.arch AND external_repo_id = new.repo
             AND draft IS NOT TRUE)
         ON CONFLICT (name, version, release, arch, external_repo_id) WHERE draft IS NOT TRUE DO NOTHING",
        &text(|rpm| &rpm.name),
        &text(|rpm| &rpm.version),
        &text(|rpm| &rpm.release),
        &text(|rpm| &rpm.arch),
        &epochs as &[Option<i64>],
        &number(|rpm| rpm.external_repo_id.map_or(0, |id| id.0)),
        &text(|rpm| &rpm.payloadhash),
        &number(|rpm| rpm.size),
        &number(|rpm| rpm.buildtime)
    )
    .execute(cx.db().await?)
    .await?;
    Ok(())
}

/// The ids of RPMs, each checked by its payload hash. Of drafts that share a name it also tells which one was meant.
async fn known(cx: &mut Cx, rpms: &[InstalledRpm]) -> Result<Vec<i64>> {
    let text = |part: fn(&InstalledRpm) -> &String| rpms.iter().map(|rpm| part(rpm).clone()).collect::<Vec<_>>();
    let repos: Vec<i64> = rpms.iter().map(|rpm| rpm.external_repo_id.map_or(0, |id| id.0)).collect();
    let rows = sqlx::query!(
        r#"SELECT rpminfo.id AS "id?", payloadhash AS "payloadhash?" FROM
               unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])
                   WITH ORDINALITY AS asked (name, version, release, arch, repo, hash, number)
               LEFT JOIN LATERAL (
                   SELECT id, payloadhash FROM rpminfo WHERE rpminfo.name = asked.name AND rpminfo.version = asked.version
                       AND rpminfo.release = asked.release AND rpminfo.arch = asked.arch AND external_repo_id = asked.repo
                   ORDER BY payloadhash = asked.hash DESC, draft IS TRUE, id DESC LIMIT 1) rpminfo ON true
           ORDER BY asked.number"#,
        &text(|rpm| &rpm.name),
        &text(|rpm| &rpm.version),
        &text(|rpm| &rpm.release),
        &text(|rpm| &rpm.arch),
        &repos,
        &text(|rpm| &rpm.payloadhash)
    )
    .fetch_all(cx.db().await?)
    .await?;
    let mut ids = Vec::with_capacity(rpms.len());
    for (row, rpm) in rows.iter().zip(rpms) {
        let nvra = format!("{}-{}-{}.{}", rpm.name, rpm.version, rpm.release, rpm.arch);
        match (row.id, &row.payloadhash) {
            (Some(id), Some(hash)) if *hash == rpm.payloadhash => ids.push(id),
            (Some(_), Some(hash)) => {
                return Err(fault(format!(
                    "{nvra} in the buildroot is not the one that is known: its payload hash is {}, not {hash}",
                    rpm.payloadhash
                )));
            }
            _ => return Err(fault(format!("{nvra} in the buildroot is of no build and of no external repo"))),
        }
    }
    Ok(ids)
}
