//! Every signature that was made: noted before what is signed can be seen.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use toji_protocol::{
    id::{RepoId, RpmId, TagId, TaskId, UserId},
    method::sign::{ListSignatures, LoggedSignature},
    time::Time,
};

use super::Key;
use crate::{
    Result,
    call::{Cx, Handle},
};

/// The most rows of a list.
const MOST: i64 = 1000;

/// What was signed, for whom.
pub(crate) struct Signed<'a> {
    pub(crate) tag: TagId,
    pub(crate) user: Option<UserId>,
    pub(crate) rpm: Option<RpmId>,
    pub(crate) repo: Option<RepoId>,
    pub(crate) name: &'a str,
}

/// Notes a signature of these bytes.
pub(crate) async fn note(
    conn: &mut PgConnection,
    key: &Key,
    signed: Signed<'_>,
    bytes: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO signature_log (key_id, user_id, tag_id, rpm_id, repo_id, name, digest, sign_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        key.id,
        signed.user.map(|id| id.0),
        signed.tag.0,
        signed.rpm.map(|id| id.0),
        signed.repo.map(|id| id.0),
        signed.name,
        hex::encode(Sha256::digest(bytes)),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whose task it is.
pub(super) async fn owner(conn: &mut PgConnection, task: Option<TaskId>) -> Result<Option<UserId>> {
    let Some(task) = task else { return Ok(None) };
    let owner = sqlx::query_scalar!("SELECT owner FROM task WHERE id = $1", task.0).fetch_optional(conn).await?;
    Ok(owner.map(UserId))
}

impl Handle for ListSignatures {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<LoggedSignature>> {
        let rows = sqlx::query!(
            r#"SELECT log.id, reference, fingerprint, users.name AS "user_name?", tag.name AS tag_name, rpm_id, repo_id, log.name,
                   digest, sign_time
               FROM signature_log log JOIN signing_key ON signing_key.id = key_id JOIN tag ON tag.id = tag_id
                   LEFT JOIN users ON users.id = user_id
               WHERE ($1::bigint IS NULL OR rpm_id = $1) AND ($2::bigint IS NULL OR repo_id = $2)
                   AND ($3::bigint IS NULL OR log.id < $3)
               ORDER BY log.id DESC LIMIT $4"#,
            self.rpm_id.map(|id| id.0),
            self.repo_id.map(|id| id.0),
            self.before_id,
            self.limit.clamp(1, MOST)
        )
        .fetch_all(cx.db().await?)
        .await?;
        let shown = rows.into_iter().map(|row| LoggedSignature {
            id: row.id,
            key: row.reference,
            fingerprint: row.fingerprint,
            user_name: row.user_name,
            tag_name: row.tag_name,
            rpm_id: row.rpm_id.map(RpmId),
            repo_id: row.repo_id.map(RepoId),
            name: row.name,
            digest: row.digest,
            sign_time: Time(row.sign_time),
        });
        Ok(shown.collect())
    }
}
