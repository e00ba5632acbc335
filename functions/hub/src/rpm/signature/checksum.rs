//! `getRPMChecksums`: digests of an RPM's file as it is with each of its signatures. Computed when first asked for, then kept.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use toji_protocol::{
    method::rpm::{ChecksumType, GetRpmChecksums, RpmRef},
    value::{Map, Value},
};
use toji_store::{ReadConditions, ReadOutcome};

use super::{
    super::{file::RpmFile, find, no_such_rpm},
    internal, keys, sql,
    write::{Spliced, splice},
};
use crate::{Error, Hub, Result, call::Cx};

pub(in crate::rpm) async fn get(cx: &mut Cx, asked: GetRpmChecksums) -> Result<Map> {
    let kinds = kinds(asked.checksum_types.unwrap_or_default())?;
    let rpm = RpmRef::Id(asked.rpm_id);
    if find(cx.db().await?, &rpm).await?.is_empty() {
        return Err(no_such_rpm(&rpm));
    }
    let keys = keys(cx, asked.rpm_id).await?;
    let mut known = sql::checksums(cx.db().await?, asked.rpm_id, &kinds).await?;
    if !asked.cacheonly && known.len() < keys.len() * kinds.len() {
        let file = internal(cx, &rpm).await?;
        for key in &keys {
            let has = |kind: &ChecksumType| known.iter().any(|(of, known, _)| of == key && known == kind);
            let missing: Vec<ChecksumType> = kinds.iter().copied().filter(|kind| !has(kind)).collect();
            if missing.is_empty() {
                continue;
            }
            cx.release();
            let computed = compute(&cx.hub, &file, key, &missing).await?;
            sql::note(cx.db().await?, asked.rpm_id, key, &computed).await?;
            known.extend(computed.into_iter().map(|(kind, sum)| (key.clone(), kind, sum)));
        }
    }
    let sum = |key: &str, kind: ChecksumType| {
        known.iter().find(|(of, known, _)| of == key && *known == kind).map(|(_, _, sum)| sum.clone())
    };
    let of_key = |key: String| {
        let sums = kinds.iter().map(|kind| (kind.name().to_owned(), Value::from(sum(&key, *kind))));
        (key.clone(), Value::Struct(sums.collect()))
    };
    Ok(keys.into_iter().map(of_key).collect())
}

fn kinds(names: Vec<String>) -> Result<Vec<ChecksumType>> {
    if names.is_empty() {
        return Ok(vec![ChecksumType::Md5, ChecksumType::Sha256]);
    }
    let kind = |name: String| {
        let known = [ChecksumType::Md5, ChecksumType::Sha1, ChecksumType::Sha256];
        let kind = known.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| Error::invalid(format!("Checksum_type {name} isn't supported; there are md5, sha1, sha256")))
    };
    names.into_iter().map(kind).collect()
}

/// All digests at once; only those that are wanted are told.
#[derive(Default)]
struct Digests {
    md5: Md5,
    sha1: Sha1,
    sha256: Sha256,
}

impl Digests {
    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha1.update(bytes);
        self.sha256.update(bytes);
    }

    fn hex(&self, kind: ChecksumType) -> String {
        match kind {
            ChecksumType::Md5 => hex::encode(self.md5.clone().finalize()),
            ChecksumType::Sha1 => hex::encode(self.sha1.clone().finalize()),
            ChecksumType::Sha256 => hex::encode(self.sha256.clone().finalize()),
        }
    }
}

/// Reads the file once, in a stream, with the signature in its place.
pub(super) async fn compute(
    hub: &Hub,
    file: &RpmFile,
    sigkey: &str,
    kinds: &[ChecksumType],
) -> Result<Vec<(ChecksumType, String)>> {
    let mut digests = Digests::default();
    let Spliced { head, after, .. } = splice(hub, file, sigkey).await?;
    digests.update(&head);
    let rest = ReadConditions { range: Some(format!("bytes={after}-")), ..ReadConditions::default() };
    let ReadOutcome::Found(mut read) = hub.store.read(&file.key(), rest).await? else {
        return Err(Error::missing(format!("RPM file of {} has no payload", file.nvra())));
    };
    while let Some(chunk) = read.body.next().await {
        digests.update(&chunk.map_err(|error| Error::Unavailable(error.into()))?);
    }
    Ok(kinds.iter().map(|kind| (*kind, digests.hex(*kind))).collect())
}
