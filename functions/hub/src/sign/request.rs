//! What is to be signed. A request is noted in the transaction that tags the build, and goes when all is signed: so nothing is forgotten,
//! whatever becomes of messages.

use chrono::TimeDelta;
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, TagId, UserId},
    method::sign::{ListUnsigned, SignTaggedBuild, UnsignedBuild},
    queue_name::{QueueName, SignBuild},
    time::Time,
};

use super::{SETTING, key};
use crate::{
    Error, Result, build,
    call::{Cx, Handle},
    content, tag,
};

/// A message that is lost is sent again after this.
const GRACE: TimeDelta = TimeDelta::minutes(2);
/// The most rows of a list.
const MOST: i64 = 1000;

/// Builds have been tagged: they are to be signed, if the tag names a key.
///
/// # Errors
/// When the database is away.
pub(crate) async fn tagged(cx: &mut Cx, tag: TagId, builds: &[BuildId]) -> Result<()> {
    let hub = cx.hub.clone();
    let conn = cx.db().await?;
    // most deployments' tags name none, and all tagging comes through here
    if builds.is_empty() || !any_key(conn).await? {
        return Ok(());
    }
    match key::of_tag(conn, &hub, tag, None).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => ask(cx, tag, builds).await,
        // what the setting is worth is said when it is used: the build is tagged all the same
        Err(error) if error.is_rule() => ask(cx, tag, builds).await,
        Err(error) => Err(error),
    }
}

async fn any_key(conn: &mut PgConnection) -> Result<bool> {
    let any =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM tag_extra WHERE key = $1 AND active) AS "any!""#, SETTING)
            .fetch_one(conn)
            .await?;
    Ok(any)
}

async fn ask(cx: &mut Cx, tag: TagId, builds: &[BuildId]) -> Result<()> {
    let (by, now) = (cx.caller.user()?.id, cx.now);
    let ids: Vec<i64> = builds.iter().map(|build| build.0).collect();
    sqlx::query!(
        "INSERT INTO sign_request (tag_id, build_id, user_id, create_time, due_time)
         SELECT DISTINCT $1::bigint, build, $3::bigint, $4::timestamptz, $5::timestamptz FROM unnest($2::bigint[]) AS build ORDER BY 2
         ON CONFLICT (tag_id, build_id) DO UPDATE SET user_id = excluded.user_id, asked = sign_request.asked + 1, attempts = 0,
             due_time = excluded.due_time",
        tag.0,
        &ids,
        by.0,
        now,
        now + GRACE
    )
    .execute(cx.db().await?)
    .await?;
    for build in builds {
        cx.post(QueueName::Sign, &SignBuild { tag, build: *build });
    }
    Ok(())
}

/// A request as it stands.
pub(super) struct Request {
    pub(super) tag: TagId,
    pub(super) build: BuildId,
    pub(super) user: UserId,
    asked: i32,
    attempts: i32,
}

impl Request {
    pub(super) async fn get(conn: &mut PgConnection, asked: SignBuild) -> Result<Option<Self>> {
        let row = sqlx::query!(
            "SELECT user_id, asked, attempts FROM sign_request WHERE tag_id = $1 AND build_id = $2",
            asked.tag.0,
            asked.build.0
        )
        .fetch_optional(conn)
        .await?;
        Ok(row.map(|row| Self {
            tag: asked.tag,
            build: asked.build,
            user: UserId(row.user_id),
            asked: row.asked,
            attempts: row.attempts,
        }))
    }

    /// It is done. One that was asked for again meanwhile stays.
    pub(super) async fn end(&self, conn: &mut PgConnection) -> Result<()> {
        sqlx::query!(
            "DELETE FROM sign_request WHERE tag_id = $1 AND build_id = $2 AND asked = $3",
            self.tag.0,
            self.build.0,
            self.asked
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// It could not be done, and is tried again after a time that doubles.
    pub(super) async fn put_off(
        &self,
        conn: &mut PgConnection,
        problem: &str,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<()> {
        sqlx::query!(
            "UPDATE sign_request SET attempts = $4 + 1, due_time = $5, problem = $6
             WHERE tag_id = $1 AND build_id = $2 AND asked = $3 AND attempts = $4",
            self.tag.0,
            self.build.0,
            self.asked,
            self.attempts,
            now + pause(self.attempts),
            problem
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// From 10 seconds to an hour.
fn pause(attempts: i32) -> TimeDelta {
    TimeDelta::seconds((10_i64 << attempts.clamp(0, 9)).min(3600))
}

impl Handle for SignTaggedBuild {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let hub = cx.hub.clone();
        let conn = cx.db().await?;
        let (tag, name) = tag::require(conn, &self.tag).await?;
        let build = build::require(conn, &self.build).await?;
        let key = key::of_tag(conn, &hub, tag, None).await?.ok_or_else(|| key::no_key(&name))?;
        hub.config.keyring.check(&key)?;
        if content::tagged_of(conn, tag, &[build]).await?.is_empty() {
            return Err(Error::missing(format!("build {} is not in the tag {name}; tag it there first", self.build)));
        }
        ask(cx, tag, &[build]).await
    }
}

impl Handle for ListUnsigned {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<UnsignedBuild>> {
        let conn = cx.db().await?;
        let tag = match &self.tag {
            Some(tag) => Some(tag::require(conn, tag).await?.0),
            None => None,
        };
        let rows = sqlx::query!(
            r#"SELECT tag_id, tag.name AS tag_name, build_id, package.name || '-' || version || '-' || release AS "nvr!",
                   users.name AS user_name, sign_request.create_time, attempts, due_time, problem
               FROM sign_request JOIN tag ON tag.id = tag_id JOIN build ON build.id = build_id
                   JOIN package ON package.id = pkg_id JOIN users ON users.id = user_id
               WHERE $1::bigint IS NULL OR tag_id = $1
               ORDER BY attempts DESC, sign_request.create_time, build_id, tag_id LIMIT $2"#,
            tag.map(|tag| tag.0),
            self.limit.clamp(1, MOST)
        )
        .fetch_all(conn)
        .await?;
        let shown = rows.into_iter().map(|row| UnsignedBuild {
            tag_id: TagId(row.tag_id),
            tag_name: row.tag_name,
            build_id: BuildId(row.build_id),
            nvr: row.nvr,
            user_name: row.user_name,
            create_time: Time(row.create_time),
            attempts: row.attempts,
            due_time: Time(row.due_time),
            problem: row.problem,
        });
        Ok(shown.collect())
    }
}
