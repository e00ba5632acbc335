//! What an admin sets about a build: making one with nothing in it, its owner, its time.

use chrono::{DateTime, NaiveDateTime, Utc};
use toji_protocol::{
    id::BuildId,
    method::build::{CreateEmptyBuild, SetBuildOwner, SetBuildTimestamp},
    nvr::Nvr,
    state::BuildState,
    time::Time,
    value::Value,
};

use super::{NewBuild, create, history, require, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    user,
};

impl Handle for CreateEmptyBuild {
    async fn handle(self, cx: &mut Cx) -> Result<BuildId> {
        let epoch = parse_epoch(&self.epoch)?;
        let owner = match &self.owner {
            Some(owner) => user::require(cx.db().await?, owner).await?.id,
            None => cx.caller.user()?.id,
        };
        let nvr = Nvr { name: self.name, version: self.version, release: self.release, epoch: None };
        let new = NewBuild { draft: self.draft, ..NewBuild::empty(&nvr, epoch, owner, cx.now) };
        create(cx, &new).await
    }
}

/// An epoch as clients give it: a number, or its digits; nil = none.
pub(crate) fn parse_epoch(epoch: &Value) -> Result<Option<i64>> {
    let number = match epoch {
        Value::Nil => return Ok(None),
        Value::Int(number) => Some(*number),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    };
    let number = number.filter(|number| u32::try_from(*number).is_ok());
    number.map(Some).ok_or_else(|| Error::parameter("epoch must be a number from 0 to 4294967295, or nil"))
}

impl Handle for SetBuildOwner {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let build = require(conn, &self.build).await?;
        let owner = user::require(conn, &self.user).await?.id;
        sql::set_owner(conn, build, owner).await?;
        history::note(cx, &[build]).await
    }
}

impl Handle for SetBuildTimestamp {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let time = parse_time(&self.ts)?;
        let conn = cx.db().await?;
        let build = require(conn, &self.build).await?;
        if !sql::set_completion(conn, build, time).await? {
            let state = BuildState::Building;
            return Err(Error::invalid(format!(
                "build {build} is {state}: it has not ended yet, and has no time to set"
            )));
        }
        Ok(())
    }
}

fn parse_time(ts: &Value) -> Result<DateTime<Utc>> {
    let time = match ts {
        Value::Int(ts) => DateTime::from_timestamp(*ts, 0),
        Value::Double(ts) => Time::from_ts(*ts).map(|time| time.0),
        Value::DateTime(text) => NaiveDateTime::parse_from_str(text, "%Y%m%dT%H:%M:%S").ok().map(|time| time.and_utc()),
        _ => return Err(Error::invalid("Invalid type for timestamp: give seconds since 1970")),
    };
    time.ok_or_else(|| Error::invalid("Invalid time: give seconds since 1970"))
}
