//! Statements about uploads.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::id::{TaskId, UserId};

use super::path::UploadPath;
use crate::Result;

/// What is known of an upload.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) owner: UserId,
    pub(super) create_time: DateTime<Utc>,
    pub(super) upload_id: Option<String>,
    /// Of the whole object; None while there is none.
    pub(super) size: Option<i64>,
    pub(super) adler32: Option<i64>,
    /// Where the last piece ends.
    pub(super) end: i64,
    /// Where the last part ends that pieces were folded into.
    pub(super) folded: i64,
    /// How many parts there are.
    pub(super) parts: i32,
}

impl Upload {
    /// Whether it is the client that sends the parts, to presigned URLs.
    pub(super) fn is_presigned(&self) -> bool {
        self.size.is_none() && self.upload_id.is_some() && self.end == 0
    }
}

/// A piece of Koji's, as it lies in S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: i64,
    pub(super) size: i64,
    pub(super) adler32: u32,
}

/// A part in S3.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) start: i64,
    pub(super) size: i64,
    pub(super) etag: String,
    pub(super) sha256: String,
}

pub(super) async fn find(conn: &mut PgConnection, path: &UploadPath) -> Result<Option<Upload>> {
    let row = sqlx::query!(
        r#"SELECT owner, create_time, upload_id, upload.size, adler32,
               coalesce(piece.ends, 0) AS "end!", coalesce(part.ends, 0) AS "folded!", coalesce(part.number, 0) AS "parts!"
           FROM upload
           LEFT JOIN LATERAL (SELECT start + upload_piece.size AS ends FROM upload_piece
               WHERE upload_piece.path = upload.path ORDER BY start DESC LIMIT 1) piece ON true
           LEFT JOIN LATERAL (SELECT start + upload_part.size AS ends, number FROM upload_part
               WHERE upload_part.path = upload.path ORDER BY number DESC LIMIT 1) part ON true
           WHERE path = $1"#,
        path.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Upload {
        owner: UserId(row.owner),
        create_time: row.create_time,
        upload_id: row.upload_id,
        size: row.size,
        adler32: row.adler32,
        end: row.end,
        folded: row.folded,
        parts: row.parts,
    }))
}

/// The same, so that nobody else changes it until the transaction ends.
pub(super) async fn lock(conn: &mut PgConnection, path: &UploadPath) -> Result<Option<Upload>> {
    sqlx::query!("SELECT path FROM upload WHERE path = $1 FOR UPDATE", path.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    find(conn, path).await
}

/// Whose a folder is. Until the transaction ends nobody else becomes its owner.
pub(super) async fn folder_owner(conn: &mut PgConnection, folder: &str) -> Result<Option<UserId>> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))", folder).execute(&mut *conn).await?;
    let owner = sqlx::query_scalar!(
        "SELECT owner FROM upload WHERE regexp_replace(path, '/[^/]*$', '') = $1 ORDER BY create_time LIMIT 1",
        folder
    )
    .fetch_optional(conn)
    .await?;
    Ok(owner.map(UserId))
}

/// Begins an upload, or begins it again: nothing is left of what arrived before.
pub(super) async fn begin(
    conn: &mut PgConnection,
    path: &UploadPath,
    owner: UserId,
    upload_id: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("DELETE FROM upload_piece WHERE path = $1", path.as_str()).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM upload_part WHERE path = $1", path.as_str()).execute(&mut *conn).await?;
    sqlx::query!(
        "INSERT INTO upload (path, owner, upload_id, create_time) VALUES ($1, $2, $3, $4)
         ON CONFLICT (path) DO UPDATE SET upload_id = $3, create_time = $4, size = NULL, done_time = NULL, adler32 = NULL",
        path.as_str(),
        owner.0,
        upload_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn piece_at(conn: &mut PgConnection, path: &UploadPath, start: i64) -> Result<Option<Piece>> {
    let row = sqlx::query!(
        "SELECT start, size, adler32 FROM upload_piece WHERE path = $1 AND start <= $2 ORDER BY start DESC LIMIT 1",
        path.as_str(),
        start
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Piece { start: row.start, size: row.size, adler32: row.adler32 as u32 }))
}

/// The pieces from `from` on, in order.
pub(super) async fn pieces(conn: &mut PgConnection, path: &UploadPath, from: i64, most: i64) -> Result<Vec<Piece>> {
    let rows = sqlx::query!(
        "SELECT start, size, adler32 FROM upload_piece WHERE path = $1 AND start >= $2 ORDER BY start LIMIT $3",
        path.as_str(),
        from,
        most
    )
    .fetch_all(conn)
    .await?;
    let piece = |start, size, adler32| Piece { start, size, adler32 };
    // written from a u32
    Ok(rows.into_iter().map(|row| piece(row.start, row.size, row.adler32 as u32)).collect())
}

/// Forgets what stands from `start` on; the piece that `start` lies in becomes `shortened`.
pub(super) async fn truncate(
    conn: &mut PgConnection,
    path: &UploadPath,
    start: i64,
    shortened: Option<Piece>,
) -> Result<()> {
    sqlx::query!("DELETE FROM upload_part WHERE path = $1 AND start + size > $2", path.as_str(), start)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM upload_piece WHERE path = $1 AND start >= $2", path.as_str(), start)
        .execute(&mut *conn)
        .await?;
    if let Some(piece) = shortened {
        sqlx::query!(
            "UPDATE upload_piece SET size = $3, adler32 = $4 WHERE path = $1 AND start = $2",
            path.as_str(),
            piece.start,
            piece.size,
            i64::from(piece.adler32)
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

pub(super) async fn add_piece(conn: &mut PgConnection, path: &UploadPath, piece: Piece) -> Result<()> {
    sqlx::query!(
        "INSERT INTO upload_piece (path, start, size, adler32) VALUES ($1, $2, $3, $4)",
        path.as_str(),
        piece.start,
        piece.size,
        i64::from(piece.adler32)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Names the multipart upload of a file in pieces, unless it has one. Answers the one that counts.
pub(super) async fn name_multipart(
    conn: &mut PgConnection,
    path: &UploadPath,
    upload_id: &str,
) -> Result<Option<String>> {
    let named = sqlx::query_scalar!(
        "UPDATE upload SET upload_id = coalesce(upload_id, $2) WHERE path = $1 AND done_time IS NULL RETURNING upload_id",
        path.as_str(),
        upload_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(named.flatten())
}

pub(super) async fn add_part(conn: &mut PgConnection, path: &UploadPath, part: &Part) -> Result<()> {
    sqlx::query!(
        "INSERT INTO upload_part (path, number, start, size, etag, sha256) VALUES ($1, $2, $3, $4, $5, $6)",
        path.as_str(),
        part.number,
        part.start,
        part.size,
        part.etag,
        part.sha256
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn parts(conn: &mut PgConnection, path: &UploadPath) -> Result<Vec<Part>> {
    let parts = sqlx::query_as!(
        Part,
        "SELECT number, start, size, etag, sha256 FROM upload_part WHERE path = $1 ORDER BY number",
        path.as_str()
    )
    .fetch_all(conn)
    .await?;
    Ok(parts)
}

/// The object is whole. Answers the pieces that it was made of, and forgets them.
pub(super) async fn end(
    conn: &mut PgConnection,
    path: &UploadPath,
    size: i64,
    adler32: Option<u32>,
) -> Result<Vec<i64>> {
    sqlx::query!(
        "UPDATE upload SET size = $2, adler32 = $3, done_time = now(), upload_id = NULL WHERE path = $1",
        path.as_str(),
        size,
        adler32.map(i64::from)
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM upload_part WHERE path = $1", path.as_str()).execute(&mut *conn).await?;
    let pieces = sqlx::query_scalar!("DELETE FROM upload_piece WHERE path = $1 RETURNING start", path.as_str())
        .fetch_all(conn)
        .await?;
    Ok(pieces)
}

/// A task's attempt at hand, and of its whole files of a name the newest: the attempt that made it, and where an import has moved it.
pub(super) async fn task_file(conn: &mut PgConnection, task: TaskId, name: &str) -> Result<Option<(i32, NewestFile)>> {
    let row = sqlx::query!(
        r#"SELECT task.attempt AS current, file.attempt AS "attempt?", file.moved_to AS "moved_to?" FROM task
           LEFT JOIN LATERAL (SELECT attempt, moved_to FROM task_file WHERE task_id = task.id AND name = $2
               AND done_time IS NOT NULL ORDER BY attempt DESC LIMIT 1) file ON true
           WHERE task.id = $1"#,
        task.0,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.current, row.attempt.map(|attempt| (attempt, row.moved_to)))))
}

/// The attempt that made a file, and where an import has moved it.
type NewestFile = Option<(i32, Option<String>)>;
