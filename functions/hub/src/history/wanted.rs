//! What `queryHistory` is asked to look for.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, Ref},
    method::{Named, QueryOpts},
    value::{Value, from_value},
};

use super::{
    sql,
    tables::{Subject, VersionedTable},
};
use crate::{Error, Result, build, user};

/// What rows are to be about.
pub(super) enum About {
    /// Something with an id; None = something that is not there, so that nothing is found.
    Id(Subject, Option<i64>),
    /// A package: by its id, or, where tables name packages without one, by its name.
    Package(i64, String),
    /// A key of tags' extra settings.
    ExtraKey(String),
}

/// What is looked for.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) about: Vec<About>,
    pub(super) active: Option<bool>,
    pub(super) editor: Option<i64>,
    pub(super) before: Option<DateTime<Utc>>,
    pub(super) after: Option<DateTime<Utc>>,
    pub(super) before_event: Option<EventId>,
    pub(super) after_event: Option<EventId>,
    pub(super) opts: QueryOpts,
}

impl Wanted {
    /// Looks up what is named.
    ///
    /// # Errors
    /// When something is not there, or an argument is unknown or makes no sense.
    pub(super) async fn resolve(conn: &mut PgConnection, named: &Named) -> Result<Self> {
        let mut wanted = Self::default();
        for (name, value) in named.iter().filter(|(_, value)| !value.is_nil()) {
            match name {
                "active" => wanted.active = Some(value.is_truthy()),
                "editor" => wanted.editor = Some(user_id(conn, value).await?),
                "before" => wanted.before = Some(build::when(name, value)?),
                "after" => wanted.after = Some(build::when(name, value)?),
                "beforeEvent" => wanted.before_event = Some(from_value(value.clone())?),
                "afterEvent" => wanted.after_event = Some(from_value(value.clone())?),
                "queryOpts" => wanted.opts = from_value(value.clone())?,
                "xkey" => wanted.about.push(About::ExtraKey(text(name, value)?)),
                // Koji passes over what it does not know, and the stock client sends these two: how it prints times, and
                // (`untag-build`) which package it will look for in the answer
                "utc" | "pkg" => {}
                _ => wanted.about.push(about(conn, name, value).await?),
            }
        }
        Ok(wanted)
    }

    /// Whether a table can have what is looked for.
    pub(super) fn can_be_in(&self, table: &VersionedTable) -> bool {
        self.about.iter().all(|about| match about {
            About::Id(Subject::Build, _) => table.is_of_builds(),
            About::Id(subject, _) => table.pointers.iter().any(|pointer| pointer.subject == *subject),
            About::Package(..) => {
                table.is_of_builds()
                    || table.columns.contains(&"package")
                    || table.pointers.iter().any(|pointer| pointer.subject == Subject::Package)
            }
            About::ExtraKey(_) => table.columns.contains(&"key"),
        })
    }
}

fn text(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(Error::parameter(format!("{name} must be a text, not {}", other.kind()))),
    }
}

async fn user_id(conn: &mut PgConnection, value: &Value) -> Result<i64> {
    Ok(user::require(conn, &from_value(value.clone())?).await?.id.0)
}

async fn about(conn: &mut PgConnection, name: &str, value: &Value) -> Result<About> {
    let subject = match name {
        "build" => {
            let id = build::require(conn, &from_value(value.clone())?).await?;
            return Ok(About::Id(Subject::Build, Some(id.0)));
        }
        "user" => return Ok(About::Id(Subject::User, Some(user_id(conn, value).await?))),
        "package" => {
            let (id, name) =
                find(conn, Subject::Package, value).await?.ok_or_else(|| missing(Subject::Package, value))?;
            return Ok(About::Package(id, name));
        }
        // what is not there is no fault with these two: nothing is found
        "host" => return Ok(About::Id(Subject::Host, find(conn, Subject::Host, value).await?.map(|(id, _)| id))),
        "channel" => {
            return Ok(About::Id(Subject::Channel, find(conn, Subject::Channel, value).await?.map(|(id, _)| id)));
        }
        "tag" => Subject::Tag,
        "permission" => Subject::Permission,
        "cg" => Subject::Cg,
        "external_repo" => Subject::ExternalRepo,
        "build_target" => Subject::Target,
        "group" => Subject::Group,
        other => return Err(Error::parameter(format!("queryHistory() got an unexpected keyword argument '{other}'"))),
    };
    let (id, _) = find(conn, subject, value).await?.ok_or_else(|| missing(subject, value))?;
    Ok(About::Id(subject, Some(id)))
}

/// The id and name of something, whether it is deleted or not: names stay.
async fn find(conn: &mut PgConnection, subject: Subject, value: &Value) -> Result<Option<(i64, String)>> {
    let info: Ref<EventId> = from_value(value.clone())?;
    sql::find(conn, subject, info.id().map(|id| id.0), info.name()).await
}

fn missing(subject: Subject, value: &Value) -> Error {
    let shown = match value {
        Value::String(name) => name.clone(),
        Value::Int(id) => id.to_string(),
        _ => "what was named".to_owned(),
    };
    Error::missing(format!("No such entry in table {}: {shown}", subject.table()))
}
