//! Koji's own uploads: a file arrives in pieces, each a request of its own.
//!
//! A piece is an object of its own and a row; the row counts. A piece that is sent again, because its answer was lost, is
//! answered as the first time. Every [`fold::PART`] bytes the pieces are copied into a part of a multipart upload.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use toji_protocol::{id::UserId, method::upload::PieceReceipt, object_key};

use super::{
    digest::Kind,
    fold,
    path::UploadPath,
    sql::{self, Piece, Upload},
};
use crate::{
    Error, Hub, Result,
    call::{self, Auth, Cx},
    error::FaultCode,
};

/// The largest piece, in bytes. Koji's client sends 1 MiB unless it is told otherwise.
pub const LARGEST_PIECE: usize = 16 << 20;

/// What a raw upload says in its query string.
#[derive(Clone, Debug, Default)]
pub struct PieceParams {
    /// The file.
    pub filename: String,
    /// The folder.
    pub filepath: String,
    /// The digest that is to be answered.
    pub fileverify: Option<String>,
    /// Where the piece begins; -1 = at the end of what has arrived.
    pub offset: i64,
    /// Whether what stands at `offset` and behind it is given up.
    pub overwrite: bool,
    /// Only the default volume is there.
    pub volume: Option<String>,
}

/// Takes one piece of a file.
///
/// # Errors
/// When the caller may not write there, or the piece does not fit what has arrived before.
pub async fn piece(
    hub: &Hub,
    auth: &Auth,
    params: PieceParams,
    body: Bytes,
    now: DateTime<Utc>,
) -> Result<PieceReceipt> {
    if matches!(auth, Auth::Nobody) {
        let message = "'session-id' not specified in session args; log in first".to_owned();
        return Err(Error::Unauthenticated(FaultCode::Auth, message));
    }
    let mut cx = Cx::new(hub.clone(), now);
    cx.caller = call::authenticate(&mut cx, auth, "rawUpload").await?;
    let user = cx.caller.user()?.id;
    cx.release();
    let fileverify = params.fileverify.as_deref().filter(|name| !name.is_empty());
    let kind = fileverify.ok_or_else(|| Error::parameter("fileverify is missing: it can be adler32, md5 or sha256"))?;
    let kind = Kind::parse(kind)?;
    check_volume(params.volume.as_deref())?;
    let path = UploadPath::join(&params.filepath, &params.filename)?;
    let start = Arrival { hub, path: &path, user, offset: params.offset, overwrite: params.overwrite, now };
    let start = start.store(&body).await?;
    Ok(PieceReceipt {
        size: body.len() as i64,
        fileverify: kind.name().to_owned(),
        offset: if params.offset < 0 { params.offset } else { start },
        hexdigest: kind.of(&body),
    })
}

pub(super) fn check_volume(volume: Option<&str>) -> Result<()> {
    match volume {
        None | Some("" | "DEFAULT") => Ok(()),
        Some(volume) => Err(Error::missing(format!("No such volume: {volume}; there is only DEFAULT"))),
    }
}

/// A piece on its way to its place.
pub(super) struct Arrival<'a> {
    pub(super) hub: &'a Hub,
    pub(super) path: &'a UploadPath,
    pub(super) user: UserId,
    pub(super) offset: i64,
    pub(super) overwrite: bool,
    pub(super) now: DateTime<Utc>,
}

impl Arrival<'_> {
    /// Stores the piece, and answers where it begins.
    pub(super) async fn store(&self, body: &Bytes) -> Result<i64> {
        let (hub, path) = (self.hub, self.path);
        if body.len() > LARGEST_PIECE {
            let most = LARGEST_PIECE >> 20;
            return Err(Error::invalid(format!("a piece has {most} MiB at the most; set a smaller upload_blocksize")));
        }
        let size = body.len() as i64;
        let adler32 = adler2::adler32_slice(body);
        let (place, shortened) = self.look(size, adler32).await?;
        let start = match place {
            Place::Known(start) => return Ok(start),
            Place::At(start) | Place::Anew(start) => start,
        };
        let shortened = match shortened {
            Some(piece) => Some(shorten(hub, path, piece, start).await?),
            None => None,
        };
        if size > 0 {
            // before its row: a crash in between leaves an object that nobody misses, and the client sends the piece again
            let key = object_key::upload_piece(path.as_str(), start);
            hub.store.put(&key, body.clone(), "application/octet-stream").await?;
        }
        let given_up = self.record(Piece { start, size, adler32 }, place, shortened).await?;
        if let Some(upload) = given_up {
            hub.store.abort(&object_key::client_upload(path.as_str()), &upload).await?;
        }
        // what is not folded now is folded later
        if let Err(error) = fold::fold(hub, path).await {
            tracing::warn!(%error, %path, "pieces stay as they are for now");
        }
        Ok(start)
    }

    /// Where the piece belongs, and the piece that it cuts short.
    async fn look(&self, size: i64, adler32: u32) -> Result<(Place, Option<Piece>)> {
        let mut tx = self.hub.pool.begin().await?;
        require_owner(&mut tx, self.path, self.user).await?;
        let upload = sql::find(&mut tx, self.path).await?;
        let before = match &upload {
            Some(upload) => {
                let start = if self.offset < 0 { upload.end } else { self.offset };
                sql::piece_at(&mut tx, self.path, start).await?
            }
            None => None,
        };
        let place = self.place(upload.as_ref(), before, size, adler32)?;
        tx.commit().await?;
        let cut = match place {
            Place::At(start) => before.filter(|piece| piece.start < start && piece.start + piece.size > start),
            Place::Known(_) | Place::Anew(_) => None,
        };
        Ok((place, cut))
    }

    /// Koji's rules. `before` is the piece that begins at the same place or is the last one before it.
    fn place(&self, upload: Option<&Upload>, before: Option<Piece>, size: i64, adler32: u32) -> Result<Place> {
        let (path, offset) = (self.path, self.offset);
        if offset < -1 {
            return Err(Error::parameter(format!("offset is {offset}: it can be -1, 0 or more")));
        }
        let Some(upload) = upload else {
            return match offset {
                -1 | 0 => Ok(Place::Anew(0)),
                _ => Err(Error::invalid(format!("offset is {offset}, but nothing has arrived of {path}: begin at 0"))),
            };
        };
        let is_known = before.is_some_and(|piece| piece == Piece { start: offset, size, adler32 });
        let is_last = offset + size == upload.end;
        match offset {
            0 if self.overwrite => Ok(Place::Anew(0)),
            _ if upload.size.is_some() => Err(Error::invalid(format!(
                "upload path exists: {path} is complete; begin at offset 0 with overwrite=1 to replace it"
            ))),
            -1 => Ok(Place::At(upload.end)),
            _ if is_known && (is_last || !self.overwrite) => Ok(Place::Known(offset)),
            0 if size == 0 && upload.end == 0 && !upload.is_presigned() => Ok(Place::Known(0)),
            0 => Err(Error::invalid(format!("upload path exists: {path}; overwrite=1 replaces it"))),
            _ if offset == upload.end || offset < upload.end && (self.overwrite || is_last) => Ok(Place::At(offset)),
            _ => Err(Error::invalid(format!(
                "a piece of {path} from {offset} to {} does not fit: {} bytes have arrived",
                offset + size,
                upload.end
            ))),
        }
    }

    /// Writes the piece down, unless the file has changed meanwhile. Answers a multipart upload that is given up.
    async fn record(&self, piece: Piece, place: Place, shortened: Option<Piece>) -> Result<Option<String>> {
        let mut tx = self.hub.pool.begin().await?;
        // against two users who begin a folder at once
        require_owner(&mut tx, self.path, self.user).await?;
        let upload = sql::lock(&mut tx, self.path).await?;
        let before = sql::piece_at(&mut tx, self.path, piece.start).await?;
        let now_at = self.place(upload.as_ref(), before, piece.size, piece.adler32)?;
        let mut given_up = None;
        match now_at {
            // the same piece has come over another connection
            Place::Known(_) => return Ok(None),
            Place::Anew(_) => {
                sql::begin(&mut tx, self.path, self.user, None, self.now).await?;
                given_up = upload.and_then(|upload| upload.upload_id);
            }
            Place::At(_) if now_at == place => {
                sql::truncate(&mut tx, self.path, piece.start, shortened).await?;
            }
            Place::At(start) => {
                let message = format!("another piece of {} arrived at {start} at the same time", self.path);
                return Err(Error::conflict(message));
            }
        }
        if piece.size > 0 {
            sql::add_piece(&mut tx, self.path, piece).await?;
        }
        tx.commit().await?;
        Ok(given_up)
    }
}

/// Where a piece belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is there already.
    Known(i64),
    /// Here; what stands there and behind it is given up.
    At(i64),
    /// At the beginning of a new file; the old one is given up.
    Anew(i64),
}

pub(super) async fn require_owner(conn: &mut sqlx::PgConnection, path: &UploadPath, user: UserId) -> Result<()> {
    match sql::folder_owner(conn, path.folder()).await? {
        Some(owner) if owner != user => {
            Err(Error::denied(format!("the upload folder {} belongs to another user; choose a new one", path.folder())))
        }
        _ => Ok(()),
    }
}

/// The piece as it is when it ends at `end`. Its object stays as it is: only so much of it is read.
async fn shorten(hub: &Hub, path: &UploadPath, piece: Piece, end: i64) -> Result<Piece> {
    let size = end - piece.start;
    let key = object_key::upload_piece(path.as_str(), piece.start);
    let bytes = hub.store.get_range(&key, 0..size.unsigned_abs()).await?;
    Ok(Piece { start: piece.start, size, adler32: adler2::adler32_slice(&bytes) })
}
