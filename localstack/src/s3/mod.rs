//! S3, as far as toji uses it, over a directory.
//!
//! The protocol (HTTP, XML, signatures, chunked bodies) is the `s3s` crate's; what is stored, and when a request is
//! refused, is ours. On disk there is a journal of every change to names and metadata, and a file with a random name for
//! each body or part; a write counts from its journal line on, so a reader sees the old object or the new one, whole, and
//! a crash leaves nothing half done. The names are also in memory, sorted, for listings.
//!
//! Served: buckets, objects with conditions, ranges, copies and checksums, multipart uploads, listings. Not served:
//! versions, tags, ACLs, policies, lifecycle rules, events, encryption; asking for a tag is refused, not forgotten.
//! Multipart uploads begun without a checksum algorithm get no checksum (S3 makes up a CRC64NVME).

mod auth;
mod blob;
mod bucket;
mod checksum;
mod condition;
mod index;
mod integrity;
mod list;
mod listing;
mod multipart;
mod read;
mod service;
mod store;
mod write;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

use crate::credentials::Credentials;

/// An S3 server over one directory.
pub struct Server {
    service: S3Service,
}

impl Server {
    /// Opens the server's directory, made if it is not there, and reads its journal.
    ///
    /// # Errors
    /// `WouldBlock` if another process or server has the directory; `InvalidData` if its journal is damaged; what the
    /// file system says.
    pub fn open(dir: &Path, credentials: Credentials) -> io::Result<Self> {
        let store = Arc::new(store::Store::open(dir)?);
        let keys = auth::Keys(credentials);
        let mut builder = S3ServiceBuilder::new(service::Operations(store));
        builder.set_auth(keys.clone());
        builder.set_access(keys);
        Ok(Self { service: builder.build() })
    }

    /// The service itself, for hyper or tower; clones share the state. Buckets are in the path, never in the host name.
    #[must_use]
    pub fn service(&self) -> S3Service {
        self.service.clone()
    }

    /// Answers on `listener` until `shutdown`, and then for at most 5 s what was already asked.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        crate::listen::serve(listener, self.service, shutdown).await;
    }
}
