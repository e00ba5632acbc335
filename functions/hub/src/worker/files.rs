//! A builder's uploads: to part URLs of the attempt it holds, and nowhere else. Only the hub makes a file of the parts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::HostId,
    method::{
        upload::{UploadPlan, part_size},
        worker::{FinishTaskUpload, Lease, LogUrls, StartTaskUpload, TaskFile},
    },
    object_key,
};
use toji_store::{PRESIGNED_FOR, Part, StoreError};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    task::lease::{Hold, LAST_WORDS, hold_logs, stale},
};

/// The most log parts that one call answers URLs for.
const MOST_URLS: u32 = 100;

impl Handle for LogUrls {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<String>> {
        let host = cx.caller.host()?;
        if self.first == 0 || self.count == 0 || self.count > MOST_URLS {
            return Err(Error::parameter(format!("first begins at 1, count is 1 to {MOST_URLS}")));
        }
        let now = cx.now;
        hold_logs(cx.db().await?, host, Lease { task_id: self.task_id, attempt: self.attempt }, now).await?;
        cx.release();
        let mut urls = Vec::with_capacity(self.count as usize);
        for part in self.first..self.first.saturating_add(self.count) {
            let key = object_key::log_part(self.task_id, self.attempt, part);
            urls.push(cx.hub.store.presign_put(&key, PRESIGNED_FOR).await?);
        }
        Ok(urls)
    }
}

/// A file's name becomes the end of a key: no folders, nothing hidden.
fn check_name(name: &str) -> Result<()> {
    const LONGEST: usize = 255;
    let is_bad = name.is_empty()
        || name.starts_with('.')
        || name.contains('/')
        || name.len() > LONGEST
        || name.chars().any(char::is_control);
    if is_bad {
        return Err(Error::parameter(format!("'{name}' is no name for a task's file")));
    }
    Ok(())
}

fn check(file: &TaskFile) -> Result<()> {
    check_name(&file.name)?;
    if file.size < 0 || file.unpacked.is_some_and(|unpacked| unpacked < 0) {
        return Err(Error::parameter(format!("{}: a size below zero", file.name)));
    }
    let parts = (file.size.max(1) + part_size(file.size) - 1) / part_size(file.size);
    if file.parts.len() as i64 != parts {
        return Err(Error::parameter(format!(
            "{}: {} bytes make {parts} parts, not {}",
            file.name,
            file.size,
            file.parts.len()
        )));
    }
    let is_digest = |digest: &String| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_digest(&file.sha256) || !file.parts.iter().all(is_digest) {
        return Err(Error::parameter(format!("{}: digests are 64 hex digits", file.name)));
    }
    Ok(())
}

impl Handle for StartTaskUpload {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<UploadPlan>> {
        let (host, now) = (cx.caller.host()?, cx.now);
        for file in &self.files {
            check(file)?;
        }
        let lease = Lease { task_id: self.task_id, attempt: self.attempt };
        if hold_logs(cx.db().await?, host, lease, now).await? == Hold::LastWords
            && self.files.iter().any(|file| file.unpacked.is_none())
        {
            return Err(stale(self.task_id, self.attempt));
        }
        cx.release();
        let store = cx.hub.store.clone();
        let mut plans = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let key = object_key::attempt_file(self.task_id, self.attempt, &file.name);
            let upload_id = match file.unpacked {
                Some(_) => store.start_packed_log(&key).await?,
                None => store.start_multipart(&key).await?,
            };
            let mut urls = Vec::with_capacity(file.parts.len());
            for (number, digest) in (1..).zip(&file.parts) {
                urls.push(store.presign_part(&key, &upload_id, number, digest, PRESIGNED_FOR).await?);
            }
            plans.push(UploadPlan { upload_id, part_size: part_size(file.size), urls });
        }
        for (file, plan) in self.files.iter().zip(&plans) {
            record(cx.db().await?, host, lease, file, &plan.upload_id, now).await?;
        }
        Ok(plans)
    }
}

/// Notes an upload under way, if the attempt still counts. A second one of the same name takes the first one's place.
async fn record(
    conn: &mut PgConnection,
    host: HostId,
    lease: Lease,
    file: &TaskFile,
    upload_id: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let recorded = sqlx::query!(
        "INSERT INTO task_file (task_id, attempt, name, size, sha256, upload_id, create_time, unpacked)
         SELECT id, attempt, $4, $5, $6, $7, $8, $9 FROM task WHERE id = $1 AND host_id = $2 AND attempt = $3
             AND (state = 1 OR state = 3 AND completion_time > $10 AND $9::bigint IS NOT NULL)
         ON CONFLICT (task_id, attempt, name) DO UPDATE SET size = $5, sha256 = $6, upload_id = $7, create_time = $8,
             unpacked = $9, done_time = NULL",
        lease.task_id.0,
        host.0,
        lease.attempt,
        file.name,
        file.size,
        file.sha256.to_lowercase(),
        upload_id,
        now,
        file.unpacked,
        now - LAST_WORDS
    )
    .execute(conn)
    .await?;
    if recorded.rows_affected() == 0 { Err(stale(lease.task_id, lease.attempt)) } else { Ok(()) }
}

impl Handle for FinishTaskUpload {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let (host, now) = (cx.caller.host()?, cx.now);
        let lease = Lease { task_id: self.task_id, attempt: self.attempt };
        let names: Vec<String> = self.files.iter().map(|file| file.name.clone()).collect();
        if hold_logs(cx.db().await?, host, lease, now).await? == Hold::LastWords {
            only_logs(cx.db().await?, lease, &names).await?;
        }
        cx.release();
        let mut uploads = Vec::with_capacity(self.files.len());
        for file in self.files {
            check_name(&file.name)?;
            let key = object_key::attempt_file(self.task_id, self.attempt, &file.name);
            let parts: Vec<Part> =
                file.parts.into_iter().map(|part| Part { etag: part.etag, sha256: part.sha256 }).collect();
            cx.hub.store.complete(&key, &file.upload_id, &parts).await.map_err(|error| refused(&file.name, error))?;
            uploads.push(file.upload_id);
        }
        // S3 may have taken long: the attempt is held once more, until the commit
        let mut tx = cx.hub.pool.begin().await?;
        if hold_logs(&mut tx, host, lease, now).await? == Hold::LastWords {
            only_logs(&mut tx, lease, &names).await?;
        }
        let done = sqlx::query!(
            "UPDATE task_file SET done_time = $5 FROM unnest($3::text[], $4::text[]) AS done (name, upload_id)
             WHERE task_id = $1 AND attempt = $2 AND task_file.name = done.name AND task_file.upload_id = done.upload_id",
            self.task_id.0,
            self.attempt,
            &names,
            &uploads,
            now
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() < names.len() as u64 {
            return Err(Error::invalid("one of the files was never begun: call host.startUpload first"));
        }
        Ok(tx.commit().await?)
    }
}

/// Checks that these uploads are of packed logs: of what was cancelled, nothing else is taken.
async fn only_logs(conn: &mut PgConnection, lease: Lease, names: &[String]) -> Result<()> {
    let others = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM unnest($3::text[]) AS name WHERE NOT EXISTS (SELECT FROM task_file
               WHERE task_id = $1 AND attempt = $2 AND task_file.name = name.name AND unpacked IS NOT NULL)) AS "others!""#,
        lease.task_id.0,
        lease.attempt,
        names
    )
    .fetch_one(conn)
    .await?;
    if others { Err(stale(lease.task_id, lease.attempt)) } else { Ok(()) }
}

fn refused(name: &str, error: StoreError) -> Error {
    match error {
        StoreError::Mismatch { message, .. } => Error::invalid(format!("{name} did not arrive whole: {message}")),
        StoreError::Missing(_) => Error::invalid(format!("{name}: there is no such upload; begin it again")),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(check_name("build.log").is_ok() && check_name("a+b~c^1.rpm").is_ok());
        for bad in ["", ".log", "../x", "a/b", "a\nb", &"x".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_must_fit_the_size() {
        let file = |size, parts: usize| TaskFile {
            name: "a".to_owned(),
            size,
            sha256: "0".repeat(64),
            parts: vec!["0".repeat(64); parts],
            unpacked: None,
        };
        assert!(check(&file(0, 1)).is_ok());
        assert!(check(&file(8 << 20, 1)).is_ok());
        assert!(check(&file((8 << 20) + 1, 2)).is_ok());
        assert!(check(&file((8 << 20) + 1, 1)).is_err());
        assert!(check(&TaskFile { sha256: "xyz".to_owned(), ..file(1, 1) }).is_err());
    }
}
