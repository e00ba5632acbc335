//! Answers as bodies. A short one is encoded whole; a long one while it is sent, so that it is never in memory as a document, and its
//! first bytes leave at once.

use std::io::{self, Write};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use toji_hub::{Error, Result, call::Reply};
use toji_protocol::xmlrpc::{EncodeError, encode_response_in_pieces, encode_short_response};
use tokio::sync::mpsc;

/// Answers up to about this, in bytes, are encoded whole.
const SHORT: usize = 256 << 10;

/// How a longer one is cut, in bytes.
const PIECE: usize = 64 << 10;

/// Pieces that may wait for the client.
const AHEAD: usize = 4;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Xmlrpc,
    Json,
}

type Piece = io::Result<Bytes>;

/// The body of an answer.
///
/// # Errors
/// When the answer cannot be said in that encoding, as far as is known before it is sent.
pub(crate) fn body(reply: Reply, encoding: Encoding) -> Result<Body> {
    let short = match encoding {
        Encoding::Xmlrpc => encode_short_response(&*reply, SHORT).map_err(Error::internal)?,
        Encoding::Json => short_json(&reply).map_err(Error::internal)?,
    };
    Ok(short.map_or_else(|| long(reply, encoding), Body::from))
}

/// Encodes on a thread of its own, which ends with the body: when all is sent, or when the client has gone.
fn long(reply: Reply, encoding: Encoding) -> Body {
    let (sender, mut pieces) = mpsc::channel::<Piece>(AHEAD);
    let outcome = sender.clone();
    tokio::task::spawn_blocking(move || {
        let done = match encoding {
            Encoding::Xmlrpc => xmlrpc_pieces(&reply, sender),
            Encoding::Json => json_pieces(&reply, sender),
        };
        if let Err(error) = done
            && !outcome.is_closed()
        {
            tracing::error!(%error, "an answer was cut off");
            // the connection breaks, so that nobody takes what there is for the whole
            let _ = outcome.blocking_send(Err(io::Error::other("the answer was cut off")));
        }
    });
    Body::from_stream(stream::poll_fn(move |context| pieces.poll_recv(context)))
}

fn xmlrpc_pieces(reply: &Reply, sender: mpsc::Sender<Piece>) -> io::Result<()> {
    let written = encode_response_in_pieces(&**reply, PIECE, move |piece| {
        sender.blocking_send(Ok(piece.into())).map_err(|_| EncodeError::Stopped)
    });
    written.map_err(io::Error::other)
}

fn json_pieces(reply: &Reply, sender: mpsc::Sender<Piece>) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(PIECE, Sent(sender));
    serde_json::to_writer(&mut out, &**reply)?;
    out.flush()
}

/// Sends what is written.
struct Sent(mpsc::Sender<Piece>);

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// None when it is too long.
fn short_json(reply: &Reply) -> serde_json::Result<Option<Vec<u8>>> {
    let mut out = Short(Vec::new());
    match serde_json::to_writer(&mut out, &**reply) {
        Ok(()) => Ok(Some(out.0)),
        Err(error) if error.io_error_kind() == Some(io::ErrorKind::FileTooLarge) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps what is written, up to a limit.
struct Short(Vec<u8>);

impl Write for Short {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > SHORT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
