//! Signed copies as repos show them. Such a copy is another file than the one that was imported: its share of the metadata is made when
//! it is first asked for, and kept.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use toji_protocol::{
    id::RpmId,
    method::rpm::{ChecksumType, RpmRef},
};
use toji_repodata::fragment::{FileFacts, Fragments, render};

use super::{super::fragment, checksum, internal, write};
use crate::{Error, Hub, Result, call::Cx, import, volume};

/// Copies that are read at once.
const AT_ONCE: usize = 4;

/// A signed copy's share of the metadata.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) mtime: u64,
    pub(crate) fragments: Fragments,
}

/// What is shown of RPMs with one signature each. Those whose signed copies are not there are missing; with `write` they are written.
///
/// # Errors
/// When a signature is not there any more, or something is away.
pub(crate) async fn shown(
    hub: &Hub,
    wanted: &[(RpmId, String)],
    write: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<HashMap<RpmId, Shown>> {
    let mut known = stored(hub, wanted).await?;
    let missing: Vec<_> = wanted.iter().filter(|(rpm, _)| !known.contains_key(rpm)).collect();
    let make = |wanted: &(RpmId, String)| {
        let (rpm, sigkey) = wanted.clone();
        async move { Ok::<_, Error>((rpm, make(hub, rpm, &sigkey, write, now).await?)) }
    };
    let made: Vec<(RpmId, Option<Shown>)> =
        stream::iter(missing).map(make).buffer_unordered(AT_ONCE).try_collect().await?;
    known.extend(made.into_iter().filter_map(|(rpm, shown)| Some((rpm, shown?))));
    Ok(known)
}

async fn stored(hub: &Hub, wanted: &[(RpmId, String)]) -> Result<HashMap<RpmId, Shown>> {
    let (ids, keys): (Vec<i64>, Vec<String>) = wanted.iter().map(|(rpm, key)| (rpm.0, key.clone())).unzip();
    let rows = sqlx::query!(
        "SELECT rpm_id, mtime, fragment FROM rpm_signed_fragment
             JOIN unnest($1::bigint[], $2::text[]) AS wanted (id, key) ON rpm_id = id AND sigkey = key",
        &ids,
        &keys
    )
    .fetch_all(&hub.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok((RpmId(row.rpm_id), Shown { mtime: row.mtime as u64, fragments: fragment::decode(&row.fragment)? }))
        })
        .collect()
}

async fn make(
    hub: &Hub,
    rpm: RpmId,
    sigkey: &str,
    write: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Option<Shown>> {
    let mut cx = Cx::new(hub.clone(), now);
    let file = internal(&mut cx, &RpmRef::Id(rpm)).await?;
    let class = volume::storage_class_of(cx.db().await?, file.build.id).await?;
    cx.release();
    let key = file.signed_key(sigkey);
    if write {
        write::copy(hub, &file, sigkey, class.as_deref(), false).await?;
    }
    let Some(object) = hub.store.head(&key).await? else { return Ok(None) };
    // a SHA-256 cannot be put together of parts: the file is read once, in a stream
    let sums = checksum::compute(hub, &file, sigkey, &[ChecksumType::Sha256]).await?;
    let sha256 = sums.into_iter().next().map(|(_, sum)| sum).unwrap_or_default();
    let header = import::read_header(hub, &key, object.size).await?;
    let size = u64::try_from(object.size).map_err(Error::internal)?;
    let shown = Shown {
        mtime: object.modified.timestamp().max(0) as u64,
        fragments: render(&header, FileFacts { sha256: &sha256, size }),
    };
    let stored = fragment::encode(shown.fragments.clone())?;
    sqlx::query!(
        "INSERT INTO rpm_signed_fragment (rpm_id, sigkey, pkgid, mtime, fragment)
         SELECT rpm_id, sigkey, $3, $4, $5 FROM rpmsigs WHERE rpm_id = $1 AND sigkey = $2 FOR KEY SHARE
         ON CONFLICT DO NOTHING",
        rpm.0,
        sigkey,
        sha256,
        shown.mtime as i64,
        stored
    )
    .execute(&hub.pool)
    .await?;
    Ok(Some(shown))
}
