//! Statements about notifications.

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, NotificationBlockId, NotificationId, PackageId, TagId, TaskId, UserId},
    method::notification::{Notification, NotificationBlock},
    state::{TaskState, UserType},
};

use crate::{Error, Result};

struct Row {
    email: String,
    id: i64,
    package_id: Option<i64>,
    success_only: bool,
    tag_id: Option<i64>,
    user_id: i64,
}

impl From<Row> for Notification {
    fn from(row: Row) -> Self {
        Self {
            email: row.email,
            id: NotificationId(row.id),
            package_id: row.package_id.map(PackageId),
            success_only: row.success_only,
            tag_id: row.tag_id.map(TagId),
            user_id: UserId(row.user_id),
        }
    }
}

pub(super) async fn subscription(conn: &mut PgConnection, id: NotificationId) -> Result<Option<Notification>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT email, id, package_id, success_only, tag_id, user_id FROM build_notifications WHERE id = $1",
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Notification::from))
}

pub(super) async fn subscriptions(conn: &mut PgConnection, user: UserId) -> Result<Vec<Notification>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT email, id, package_id, success_only, tag_id, user_id FROM build_notifications WHERE user_id = $1
         ORDER BY id",
        user.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Notification::from).collect())
}

/// Notes a wish; false when it is there already.
pub(super) async fn subscribe(
    conn: &mut PgConnection,
    user: UserId,
    package: Option<PackageId>,
    tag: Option<TagId>,
    success_only: bool,
    email: &str,
) -> Result<bool> {
    let noted = sqlx::query!(
        "INSERT INTO build_notifications (user_id, package_id, tag_id, success_only, email) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id, package_id, tag_id, success_only) DO NOTHING",
        user.0,
        package.map(|id| id.0),
        tag.map(|id| id.0),
        success_only,
        email
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Changes a wish; false when the user has that one already, be it this very one.
pub(super) async fn change_subscription(
    conn: &mut PgConnection,
    id: NotificationId,
    package: Option<PackageId>,
    tag: Option<TagId>,
    success_only: bool,
) -> Result<bool> {
    let changed = sqlx::query!(
        "UPDATE build_notifications SET package_id = $2, tag_id = $3, success_only = $4
         WHERE id = $1 AND (package_id, tag_id, success_only) IS DISTINCT FROM ($2, $3, $4)",
        id.0,
        package.map(|id| id.0),
        tag.map(|id| id.0),
        success_only
    )
    .execute(conn)
    .await;
    match changed {
        Ok(changed) => Ok(changed.rows_affected() == 1),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn unsubscribe(conn: &mut PgConnection, id: NotificationId) -> Result<()> {
    sqlx::query!("DELETE FROM build_notifications WHERE id = $1", id.0).execute(conn).await?;
    Ok(())
}

pub(super) async fn block(conn: &mut PgConnection, id: NotificationBlockId) -> Result<Option<NotificationBlock>> {
    let row = sqlx::query!("SELECT id, package_id, tag_id, user_id FROM build_notifications_block WHERE id = $1", id.0)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| NotificationBlock {
        id: NotificationBlockId(row.id),
        package_id: row.package_id.map(PackageId),
        tag_id: row.tag_id.map(TagId),
        user_id: UserId(row.user_id),
    }))
}

pub(super) async fn blocks(conn: &mut PgConnection, user: UserId) -> Result<Vec<NotificationBlock>> {
    let rows = sqlx::query!(
        "SELECT id, package_id, tag_id, user_id FROM build_notifications_block WHERE user_id = $1 ORDER BY id",
        user.0
    )
    .fetch_all(conn)
    .await?;
    let blocks = rows.into_iter().map(|row| NotificationBlock {
        id: NotificationBlockId(row.id),
        package_id: row.package_id.map(PackageId),
        tag_id: row.tag_id.map(TagId),
        user_id: UserId(row.user_id),
    });
    Ok(blocks.collect())
}

/// Notes a block; false when it is there already.
pub(super) async fn add_block(
    conn: &mut PgConnection,
    user: UserId,
    package: Option<PackageId>,
    tag: Option<TagId>,
) -> Result<bool> {
    let noted = sqlx::query!(
        "INSERT INTO build_notifications_block (user_id, package_id, tag_id) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, package_id, tag_id) DO NOTHING",
        user.0,
        package.map(|id| id.0),
        tag.map(|id| id.0)
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() == 1)
}

pub(super) async fn delete_block(conn: &mut PgConnection, id: NotificationBlockId) -> Result<()> {
    sqlx::query!("DELETE FROM build_notifications_block WHERE id = $1", id.0).execute(conn).await?;
    Ok(())
}

/// The people and groups whose wishes fit a package, a tag and an outcome, with their addresses. Who is blocked has none.
pub(super) async fn subscribers(
    conn: &mut PgConnection,
    package: PackageId,
    tag: Option<TagId>,
    is_success: bool,
) -> Result<Vec<(UserId, String)>> {
    let rows = sqlx::query!(
        "SELECT user_id, email FROM build_notifications JOIN users ON users.id = user_id
         WHERE status = 0 AND usertype IN (0, 2) AND (package_id = $1 OR package_id IS NULL)
             AND (tag_id = $2 OR tag_id IS NULL) AND ($3 OR NOT success_only)",
        package.0,
        tag.map(|id| id.0),
        is_success
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (UserId(row.user_id), row.email)).collect())
}

/// Those of some users who are people and may log in, with their names.
pub(super) async fn people(conn: &mut PgConnection, users: &[UserId]) -> Result<Vec<(UserId, String)>> {
    let ids: Vec<i64> = users.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "SELECT id, name FROM users WHERE id = ANY($1) AND status = 0 AND usertype = $2",
        &ids,
        UserType::Normal.number()
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (UserId(row.id), row.name)).collect())
}

/// Those of some users who do not want to be told of a package in a tag.
pub(super) async fn unwilling(
    conn: &mut PgConnection,
    users: &[UserId],
    package: PackageId,
    tag: Option<TagId>,
) -> Result<Vec<UserId>> {
    let ids: Vec<i64> = users.iter().map(|id| id.0).collect();
    let rows = sqlx::query_scalar!(
        "SELECT user_id FROM build_notifications_block
         WHERE user_id = ANY($1) AND (package_id = $2 OR package_id IS NULL) AND (tag_id = $3 OR tag_id IS NULL)",
        &ids,
        package.0,
        tag.map(|id| id.0)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(UserId).collect())
}

/// A task as a letter tells of it.
pub(super) struct ToldTask {
    pub(super) id: TaskId,
    pub(super) parent: Option<TaskId>,
    pub(super) method: String,
    pub(super) arch: String,
    pub(super) state: TaskState,
    pub(super) host: Option<String>,
    /// As XML-RPC.
    pub(super) result: Option<String>,
}

/// A task and all below it.
pub(super) async fn tasks(conn: &mut PgConnection, top: TaskId) -> Result<Vec<ToldTask>> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE tree AS (
               SELECT id FROM task WHERE id = $1 UNION ALL SELECT task.id FROM task JOIN tree ON task.parent = tree.id)
           SELECT task.id, parent, method, arch, state, host.name AS "host?",
               CASE WHEN state = 5 THEN result END AS result
           FROM tree JOIN task ON task.id = tree.id LEFT JOIN host ON host.id = host_id ORDER BY task.id"#,
        top.0
    )
    .fetch_all(conn)
    .await?;
    let told = rows.into_iter().map(|row| {
        let state = TaskState::from_number(row.state.into());
        Ok(ToldTask {
            id: TaskId(row.id),
            parent: row.parent.map(TaskId),
            method: row.method,
            arch: row.arch,
            state: state
                .ok_or_else(|| Error::internal(anyhow::anyhow!("task {} is in state {}", row.id, row.state)))?,
            host: row.host,
            result: row.result,
        })
    });
    told.collect()
}

/// The file names of a build's RPMs, source RPMs first.
pub(super) async fn rpms(conn: &mut PgConnection, build: BuildId) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        r#"SELECT name || '-' || version || '-' || release || '.' || arch || '.rpm' AS "name!" FROM rpminfo
           WHERE build_id = $1 ORDER BY arch NOT IN ('src', 'nosrc'), 1"#,
        build.0
    )
    .fetch_all(conn)
    .await?;
    Ok(names)
}
