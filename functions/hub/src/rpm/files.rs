//! `listRPMFiles` and `getRPMFile`: what is in an RPM.

use toji_protocol::method::{
    Listing,
    rpm::{FoundRpmFile, GetRpmFile, ListRpmFiles, RpmFileInfo},
};
use toji_repodata::header::RpmHeader;

use super::{
    deps::{numbers, texts},
    file::{self, NoFile},
    no_such_rpm,
};
use crate::{Error, Result, call::Cx, listing};

const SIZES: u32 = 1028;
const LONG_SIZES: u32 = 5008;
const MODES: u32 = 1030;
const MTIMES: u32 = 1034;
const DIGESTS: u32 = 1035;
const FLAGS: u32 = 1037;
const USERS: u32 = 1039;
const GROUPS: u32 = 1040;
const DIGEST_ALGORITHM: u32 = 5011;

/// With `asList`: name, digest, size, flags, digest_algo, user, group, mtime, mode. Koji leaves the digest's second name out.
const LISTED: [usize; 9] = [7, 0, 8, 2, 1, 9, 3, 6, 5];

pub(super) async fn list(cx: &mut Cx, asked: ListRpmFiles) -> Result<Listing<RpmFileInfo>> {
    let files = match file::open(cx, &asked.rpm_id).await? {
        Ok((_, header)) => all(&header)?,
        Err(_) => Vec::new(),
    };
    let mut listed = listing::in_memory(files, asked.query_opts.as_ref())?;
    listing::at_places(&mut listed, &LISTED);
    Ok(listed)
}

pub(super) async fn get(cx: &mut Cx, asked: GetRpmFile) -> Result<FoundRpmFile> {
    let (rpm, header) = match file::open(cx, &asked.rpm_id).await? {
        Ok((file, header)) => (file.rpm.id, header),
        Err(_) if !asked.strict => return Ok(FoundRpmFile::default()),
        Err(NoFile::Unknown) => return Err(no_such_rpm(&asked.rpm_id)),
        Err(NoFile::External(_)) => {
            let message = format!("Can not get RPM file, because RPM: {} is not internal", asked.rpm_id);
            return Err(Error::invalid(message));
        }
        Err(NoFile::Deleted(_) | NoFile::Gone) => {
            return Err(Error::missing(format!("RPM package file of {} doesn't exist", asked.rpm_id)));
        }
    };
    match all(&header)?.into_iter().find(|file| file.name == asked.filename) {
        Some(file) => Ok(FoundRpmFile { rpm_id: Some(rpm), file: Some(file) }),
        None if asked.strict => {
            Err(Error::missing(format!("No file: {} found in RPM: {}", asked.filename, asked.rpm_id)))
        }
        None => Ok(FoundRpmFile::default()),
    }
}

fn all(header: &RpmHeader) -> Result<Vec<RpmFileInfo>> {
    let sizes = match numbers(header, SIZES)? {
        sizes if sizes.is_empty() => numbers(header, LONG_SIZES)?,
        sizes => sizes,
    };
    let algorithm = algorithm(numbers(header, DIGEST_ALGORITHM)?.first().copied());
    let (digests, flags) = (texts(header, DIGESTS)?, numbers(header, FLAGS)?);
    let (users, groups) = (texts(header, USERS)?, texts(header, GROUPS)?);
    let (mtimes, modes) = (numbers(header, MTIMES)?, numbers(header, MODES)?);
    let paths = header.files.iter().map(|file| super::headers::printable(&file.path));
    let rows = paths.zip(digests).zip(sizes).zip(flags).zip(users).zip(groups).zip(mtimes).zip(modes);
    Ok(rows
        .map(|(((((((name, digest), size), flags), user), group), mtime), mode)| RpmFileInfo {
            name,
            md5: digest.clone(),
            digest,
            size,
            flags,
            digest_algo: algorithm.to_owned(),
            user,
            group,
            mtime,
            mode,
        })
        .collect())
}

/// The name of a hash function by OpenPGP's number for it; RPMs that name none are older than the choice.
fn algorithm(number: Option<i64>) -> &'static str {
    match number {
        None | Some(1) => "md5",
        Some(2) => "sha1",
        Some(3) => "ripemd160",
        Some(8) => "sha256",
        Some(9) => "sha384",
        Some(10) => "sha512",
        Some(11) => "sha224",
        Some(_) => "unknown",
    }
}
