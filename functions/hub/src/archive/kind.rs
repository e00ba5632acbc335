//! What kind of file an archive is, by how its name ends.

use sqlx::PgConnection;
use toji_protocol::{
    id::ArchiveTypeId,
    method::archive::{AddArchiveType, ArchiveType, GetArchiveType, GetArchiveTypes},
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    name,
};

/// The kind of a file, by the longest ending of its name that is known: `.tar.gz` before `.gz`.
pub(crate) fn of_file<'a>(kinds: &'a [ArchiveType], filename: &str) -> Option<&'a ArchiveType> {
    let lower = filename.to_lowercase();
    // without a dot, the name as a whole may be one
    let mut endings = std::iter::successors(Some(lower.as_str()), |rest| Some(rest.split_once('.')?.1));
    let has =
        |kind: &&ArchiveType, ending: &str| kind.extensions.to_lowercase().split_whitespace().any(|one| one == ending);
    endings.find_map(|ending| kinds.iter().find(|kind| has(kind, ending)))
}

/// All kinds.
pub(crate) async fn all(conn: &mut PgConnection) -> Result<Vec<ArchiveType>> {
    list(conn, None, None).await
}

struct Row {
    id: i64,
    name: String,
    description: String,
    extensions: String,
    compression_type: Option<String>,
}

impl Row {
    fn shown(self) -> ArchiveType {
        ArchiveType {
            compression_type: self.compression_type,
            description: self.description,
            extensions: self.extensions,
            id: ArchiveTypeId(self.id),
            name: self.name,
        }
    }
}

/// All kinds, or the one of this id or name.
async fn list(conn: &mut PgConnection, id: Option<ArchiveTypeId>, name: Option<&str>) -> Result<Vec<ArchiveType>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, name, description, extensions, compression_type FROM archivetypes
         WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR name = $2) ORDER BY id",
        id.map(|id| id.0),
        name
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Row::shown).collect())
}

impl Handle for GetArchiveTypes {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<ArchiveType>> {
        all(cx.db().await?).await
    }
}

impl Handle for GetArchiveType {
    async fn handle(self, cx: &mut Cx) -> Result<Option<ArchiveType>> {
        let conn = cx.db().await?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (found, missing) = match (self.type_id, given(&self.type_name), given(&self.filename)) {
            (Some(id), ..) => (list(conn, Some(id), None).await?.pop(), format!("No such archive type: {id}")),
            (_, Some(name), _) => {
                (list(conn, None, Some(&name)).await?.pop(), format!("No such archive type: '{name}'"))
            }
            (.., Some(file)) => {
                (of_file(&all(conn).await?, &file).cloned(), format!("unsupported file extension: {file}"))
            }
            _ => return Err(Error::invalid("one of filename, type_name, or type_id must be specified")),
        };
        match found {
            None if self.strict => Err(Error::missing(missing)),
            found => Ok(found),
        }
    }
}

impl Handle for AddArchiveType {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        name::check("archive type", &self.name)?;
        if let Some(kind) = self.compression_type.as_deref().filter(|kind| !matches!(*kind, "zip" | "tar")) {
            return Err(Error::invalid(format!("Unsupported compression type {kind}: it can be zip, tar or nil")));
        }
        let endings: Vec<String> = self.extensions.split(' ').map(str::to_lowercase).collect();
        let is_ending = |ending: &&String| {
            !ending.replace('.', "").is_empty() && ending.chars().all(|c| c.is_alphanumeric() || c == '.')
        };
        if let Some(bad) = endings.iter().find(|ending| !is_ending(ending)) {
            return Err(Error::invalid(format!("No such {bad} file extension: letters, digits and dots make one")));
        }
        let conn = cx.db().await?;
        // two that are added at once must not both be the first with an ending
        sqlx::query!("LOCK TABLE archivetypes IN SHARE ROW EXCLUSIVE MODE").execute(&mut *conn).await?;
        if !list(conn, None, Some(&self.name)).await?.is_empty() {
            return Err(Error::invalid(format!("archivetype {} already exists", self.name)));
        }
        let taken = sqlx::query_scalar!(
            r#"SELECT ending AS "ending!" FROM unnest($1::text[]) AS ending, archivetypes
               WHERE ending = ANY(regexp_split_to_array(lower(extensions), '\s+')) LIMIT 1"#,
            &endings
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(taken) = taken {
            return Err(Error::invalid(format!("file extension {taken} already exists")));
        }
        sqlx::query!(
            "INSERT INTO archivetypes (name, description, extensions, compression_type) VALUES ($1, $2, $3, $4)",
            self.name,
            self.description,
            self.extensions,
            self.compression_type
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}
