//! RPM repository metadata: read RPM headers, render the XML fragment of each package once, and put repositories
//! together from fragments. Pure: bytes in, bytes out; no I/O of its own, no clock, no async.
//!
//! - [`header`]: an RPM's signature and header, from the first bytes of the file.
//! - [`fragment`]: what a package adds to `primary.xml`, `filelists.xml` and `other.xml`.
//! - [`chunk`]: how packages are divided, so that little is made anew when little has changed.
//! - [`comps`]: package groups (`dnf install @build`).
//! - [`repo`]: the files of a repository, written frame by frame, and `repomd.xml`.
//! - [`external`]: reading other people's repositories.
//! - [`merge`]: which external packages stand beside the local ones.
//! - [`evr`]: RPM's order of versions.

pub mod chunk;
pub mod comps;
pub mod evr;
pub mod external;
pub mod fragment;
pub mod header;
pub mod merge;
pub mod repo;
mod xml;
