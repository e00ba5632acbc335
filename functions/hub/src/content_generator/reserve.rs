//! Names that are kept for a content generator until it brings the build.

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, TaskId},
    method::content_generator::{CgInitBuild, CgRefundBuild, Reservation},
    nvr::Nvr,
    state::BuildState,
    value::Value,
};

use super::assert_access;
use crate::{
    Error, Result,
    build::{self, NewBuild},
    call::{Cx, Handle, secret_hash},
};

impl Handle for CgInitBuild {
    async fn handle(self, cx: &mut Cx) -> Result<Reservation> {
        let cg = assert_access(cx, &self.cg).await?;
        let owner = cx.caller.user()?.id;
        let text = |name: &str| match self.data.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            None | Some(Value::Nil) => Err(Error::invalid(format!("No {name} value for build"))),
            Some(_) => Err(Error::parameter(format!("data: {name} must be a string"))),
        };
        let nvr = Nvr { name: text("name")?, version: text("version")?, release: text("release")?, epoch: None };
        let epoch = build::parse_epoch(self.data.get("epoch").unwrap_or(&Value::Nil))?;
        let task = match self.data.get("task_id") {
            None | Some(Value::Nil) => None,
            Some(Value::Int(task)) => Some(crate::task::require(cx, TaskId(*task)).await?.id),
            Some(other) => return Err(Error::parameter(format!("data: task_id must be an int, not {}", other.kind()))),
        };
        let extra = self.data.get("extra").filter(|extra| !extra.is_nil());
        let new = NewBuild {
            state: BuildState::Building,
            draft: self.data.get("draft").is_some_and(Value::is_truthy),
            task,
            source: self.data.get("source").and_then(Value::as_str).map(str::to_owned),
            extra: extra.map(serde_json::to_value).transpose().map_err(Error::internal)?,
            cg: Some(cg),
            ..NewBuild::empty(&nvr, epoch, owner, cx.now)
        };
        let build_id = build::create(cx, &new).await?;
        let token = hex::encode(rand::random::<[u8; 32]>());
        let now = cx.now;
        let reserved = sqlx::query!(
            "INSERT INTO build_reservations (build_id, token_hash, create_time) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            build_id.0,
            secret_hash(&token),
            now
        )
        .execute(cx.db().await?)
        .await?;
        if reserved.rows_affected() == 0 {
            return Err(Error::invalid("Build is already reserved"));
        }
        Ok(Reservation { build_id, token })
    }
}

/// # Errors
/// When it is not the token that the build was reserved with.
pub(super) async fn check_token(conn: &mut PgConnection, build: BuildId, token: Option<&str>) -> Result<()> {
    let kept = sqlx::query_scalar!("SELECT token_hash FROM build_reservations WHERE build_id = $1", build.0)
        .fetch_optional(conn)
        .await?;
    match (kept, token) {
        (Some(kept), Some(token)) if kept == secret_hash(token) => Ok(()),
        _ => Err(Error::invalid(format!("Token doesn't match build ID {build}"))),
    }
}

impl Handle for CgRefundBuild {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let state = match BuildState::from_number(self.state) {
            Some(state @ (BuildState::Failed | BuildState::Canceled)) => state,
            _ => return Err(Error::invalid("Only FAILED/CANCELED build states are allowed")),
        };
        let cg = assert_access(cx, &self.cg).await?;
        let build = build::get(cx.db().await?, self.build_id).await?;
        if build.state != BuildState::Building {
            return Err(Error::invalid(format!("Build ID {} is not in BUILDING state", build.id)));
        }
        check_token(cx.db().await?, build.id, self.token.as_deref()).await?;
        if build.cg_id != Some(cg) {
            return Err(Error::invalid(format!("Build ID {} is not reserved by this CG", build.id)));
        }
        if !build::end(cx, build.id, state).await? {
            return Err(Error::conflict(format!("Build ID {} is not in BUILDING state any more", build.id)));
        }
        Ok(())
    }
}
