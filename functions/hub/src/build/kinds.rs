//! What kinds of content a build has: its btypes.

use sqlx::PgConnection;
use toji_protocol::{
    id::{BtypeId, BuildId},
    method::build::{AddBtype, Btype, GetBuildType, ListBtypes},
    value::{Map, Value},
};

use super::{find, get};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    listing, name,
};

/// Notes that a build has content of a kind. Harmless when it is known.
///
/// # Errors
/// When there is no such kind.
pub(crate) async fn add(conn: &mut PgConnection, build: BuildId, kind: &str) -> Result<()> {
    let kind = require(conn, kind).await?;
    sqlx::query!(
        "INSERT INTO build_types (build_id, btype_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        build.0,
        kind.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A kind of content, by name.
///
/// # Errors
/// When the database is away.
pub(crate) async fn find_kind(conn: &mut PgConnection, kind: &str) -> Result<Option<BtypeId>> {
    let id = sqlx::query_scalar!("SELECT id FROM btype WHERE name = $1", kind).fetch_optional(conn).await?;
    Ok(id.map(BtypeId))
}

/// The same; a fault when there is none.
pub(crate) async fn require(conn: &mut PgConnection, kind: &str) -> Result<BtypeId> {
    find_kind(conn, kind).await?.ok_or_else(|| Error::missing(format!("No such entry in table btype: {kind}")))
}

impl Handle for GetBuildType {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Map>> {
        let conn = cx.db().await?;
        let id = match find(conn, &self.build_info).await? {
            Some(id) => id,
            None if self.strict => return Err(Error::missing(format!("No such build: {}", self.build_info))),
            None => return Ok(None),
        };
        let build = get(conn, id).await?;
        let kinds = sqlx::query_scalar!(
            "SELECT name FROM btype JOIN build_types ON btype_id = btype.id WHERE build_id = $1 ORDER BY btype.id",
            id.0
        )
        .fetch_all(conn)
        .await?;
        let typeinfo = build.extra.as_ref().and_then(|extra| extra.get("typeinfo"));
        let facts = |kind: &str| typeinfo.and_then(|info| info.get(kind)).cloned().unwrap_or_default();
        Ok(Some(kinds.into_iter().map(|kind| (kind.clone(), facts(&kind))).collect()))
    }
}

impl Handle for ListBtypes {
    async fn handle(self, cx: &mut Cx) -> Result<toji_protocol::method::Listing<Btype>> {
        let query = self.query.unwrap_or_default();
        let id = match query.get("id") {
            None => None,
            Some(Value::Int(id)) => Some(*id),
            Some(other) => return Err(Error::parameter(format!("query: id must be an int, not {}", other.kind()))),
        };
        let name = match query.get("name") {
            None => None,
            Some(Value::String(name)) => Some(name.as_str()),
            Some(other) => return Err(Error::parameter(format!("query: name must be a string, not {}", other.kind()))),
        };
        let rows = sqlx::query!(
            "SELECT id, name FROM btype WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR name = $2) ORDER BY id",
            id,
            name
        )
        .fetch_all(cx.db().await?)
        .await?;
        let rows = rows.into_iter().map(|row| Btype { id: BtypeId(row.id), name: row.name }).collect();
        listing::in_memory(rows, self.query_opts.as_ref())
    }
}

impl Handle for AddBtype {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        name::check("btype", &self.name)?;
        let added = sqlx::query!("INSERT INTO btype (name) VALUES ($1) ON CONFLICT DO NOTHING", self.name)
            .execute(cx.db().await?)
            .await?;
        if added.rows_affected() == 0 {
            return Err(Error::invalid("btype already exists"));
        }
        Ok(())
    }
}
