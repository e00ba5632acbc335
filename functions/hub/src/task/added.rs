//! Kinds of tasks that operators have added to their builders: the hub knows of them what those builders tell.

use sqlx::PgConnection;
use toji_protocol::task::params_of;

use super::NewTask;
use crate::{Result, call::Cx};

/// Gives a task of a kind that was added the weight and the channel that its builders tell, unless it has its own.
///
/// # Errors
/// When the database is away.
pub(super) async fn as_told(cx: &mut Cx, new: NewTask) -> Result<NewTask> {
    if params_of(&new.method).is_some() || new.weight.is_some() && new.channel.is_some() {
        return Ok(new);
    }
    let Some(told) = told(cx.db().await?, &new.method).await? else { return Ok(new) };
    Ok(NewTask { weight: new.weight.or(told.weight), channel: new.channel.or(told.channel), ..new })
}

struct Told {
    weight: Option<f64>,
    channel: Option<String>,
}

/// What the builder says that was heard of last; one that is here comes first.
async fn told(conn: &mut PgConnection, method: &str) -> Result<Option<Told>> {
    let told = sqlx::query_as!(
        Told,
        r#"SELECT (added->>'weight')::float8 AS weight, added->>'channel' AS channel
           FROM host CROSS JOIN LATERAL jsonb_array_elements(added_methods) AS added
           WHERE added->>'method' = $1 ORDER BY ready DESC, update_time DESC LIMIT 1"#,
        method
    )
    .fetch_optional(conn)
    .await?;
    Ok(told)
}
