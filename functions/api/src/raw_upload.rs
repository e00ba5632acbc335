//! Koji's raw uploads: the piece is the body, and everything else stands in the query string.

use axum::{
    body::Body,
    http::{HeaderMap, Uri},
    response::Response,
};
use chrono::Utc;
use toji_hub::{
    Error, Hub, Result,
    upload::{LARGEST_PIECE, PieceParams, piece},
};
use toji_protocol::{method::upload::PieceReceipt, xmlrpc::encode_response};

use crate::{
    auth,
    body::{self, BodyError},
    error::{Told, xml},
    request_id::RequestId,
};

pub(crate) async fn answer(hub: &Hub, id: &RequestId, uri: &Uri, headers: &HeaderMap, body: Body) -> Response {
    let receipt = take(hub, uri, headers, body).await;
    let document = receipt.and_then(|receipt| encode_response(&receipt).map_err(Error::internal));
    match document {
        Ok(document) => xml(document),
        Err(error) => Told::new(&error, id).xmlrpc(),
    }
}

async fn take(hub: &Hub, uri: &Uri, headers: &HeaderMap, body: Body) -> Result<PieceReceipt> {
    let query = auth::query(uri);
    let auth = auth::shown(headers, &query)?;
    let body = body::read(headers, body, LARGEST_PIECE).await.map_err(|error| match error {
        BodyError::TooLong => {
            let most = LARGEST_PIECE >> 20;
            Error::invalid(format!("a piece has {most} MiB at the most; set a smaller upload_blocksize"))
        }
        BodyError::Broken(problem) => Error::invalid(format!("the piece did not arrive whole: {problem}")),
    })?;
    piece(hub, &auth, params(query)?, body, Utc::now()).await
}

fn params(query: Vec<(String, String)>) -> Result<PieceParams> {
    let mut params = PieceParams::default();
    for (name, value) in query {
        match name.as_str() {
            "filename" => params.filename = value,
            "filepath" => params.filepath = value,
            "fileverify" => params.fileverify = Some(value),
            "volume" => params.volume = Some(value),
            "overwrite" => params.overwrite = !matches!(value.as_str(), "" | "0" | "False" | "false"),
            "offset" => {
                let offset = value.trim().parse();
                params.offset = offset.map_err(|_| Error::parameter(format!("offset is no number: {value:?}")))?;
            }
            _ => {}
        }
    }
    for (name, value) in [("filename", &params.filename), ("filepath", &params.filepath)] {
        if value.is_empty() {
            return Err(Error::parameter(format!("{name} is missing")));
        }
    }
    Ok(params)
}
