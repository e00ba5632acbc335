//! Files from the top URL or a presigned one.

use bytes::Bytes;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_RANGE, RANGE},
};

use super::{Client, ClientError};

/// A file on its way.
pub struct Download {
    response: Response,
    server: String,
    /// Where in the file the first chunk begins: what was asked for, or 0 when the server does not serve parts.
    pub offset: u64,
    /// The whole file's size, where the server tells it.
    pub size: Option<u64>,
}

impl Download {
    /// The next bytes; None at the end.
    ///
    /// # Errors
    /// When the connection breaks; ask again for the rest.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        self.response.chunk().await.map_err(|error| ClientError::transport(&self.server, error))
    }
}

impl Client {
    /// A file from `offset` on, without the token. None when the file ends at or before `offset`.
    ///
    /// # Errors
    /// When it is not there or cannot be reached. A connection that breaks later is the caller's to take up again.
    pub async fn download(&self, url: &str, offset: u64) -> Result<Option<Download>, ClientError> {
        let host = url.split('/').take(3).collect::<Vec<_>>().join("/");
        self.retrying(|| async {
            let mut request = self.files.get(url);
            if offset > 0 {
                request = request.header(RANGE, format!("bytes={offset}-"));
            }
            let response = request.send().await.map_err(|error| ClientError::transport(&host, error))?;
            match response.status() {
                StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => Ok(None),
                StatusCode::PARTIAL_CONTENT => {
                    let size = whole_size(&response);
                    Ok(Some(Download { response, server: host.clone(), offset, size }))
                }
                status if status.is_success() => {
                    let size = response.content_length();
                    Ok(Some(Download { response, server: host.clone(), offset: 0, size }))
                }
                _ => Err(ClientError::from_response(response).await),
            }
        })
        .await
    }
}

/// `bytes 5-9/10` → 10.
fn whole_size(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}
