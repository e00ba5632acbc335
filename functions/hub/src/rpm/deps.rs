//! `getRPMDeps`: what an RPM requires, provides, and so on.

use toji_protocol::method::{
    Listing,
    rpm::{DepType, GetRpmDeps, RpmDep},
};
use toji_repodata::header::{RpmHeader, TagValue};

use super::{
    file::{self, NoFile, damaged},
    headers::printable,
    no_such_rpm,
};
use crate::{Error, Result, call::Cx, listing};

/// The kinds in the order in which they are listed, with the tags of their names, versions and flags.
const KINDS: [(DepType, [u32; 3]); 8] = [
    (DepType::Require, [1049, 1050, 1048]),
    (DepType::Provide, [1047, 1113, 1112]),
    (DepType::Conflict, [1054, 1055, 1053]),
    (DepType::Obsolete, [1090, 1115, 1114]),
    (DepType::Suggest, [5049, 5050, 5051]),
    (DepType::Enhance, [5055, 5056, 5057]),
    (DepType::Supplement, [5052, 5053, 5054]),
    (DepType::Recommend, [5046, 5047, 5048]),
];

pub(super) async fn get(cx: &mut Cx, asked: GetRpmDeps) -> Result<Listing<RpmDep>> {
    let rows = match file::open(cx, &asked.rpm_id).await? {
        Ok((_, header)) => dependencies(&header, asked.dep_type)?,
        Err(_) if !asked.strict => Vec::new(),
        Err(NoFile::Unknown) => return Err(no_such_rpm(&asked.rpm_id)),
        Err(NoFile::External(_)) => {
            let message = format!("Can not get dependencies, because RPM: {} is not internal", asked.rpm_id);
            return Err(Error::invalid(message));
        }
        Err(NoFile::Deleted(_) | NoFile::Gone) => {
            return Err(Error::missing(format!("RPM file of {} doesn't exist", asked.rpm_id)));
        }
    };
    let mut listed = listing::in_memory(rows, asked.query_opts.as_ref())?;
    // name, version, flags, type
    listing::at_places(&mut listed, &[1, 3, 0, 2]);
    Ok(listed)
}

fn dependencies(header: &RpmHeader, only: Option<DepType>) -> Result<Vec<RpmDep>> {
    let mut all = Vec::new();
    for (kind, [names, versions, flags]) in KINDS.into_iter().filter(|(kind, _)| only.is_none_or(|only| only == *kind))
    {
        let (names, versions) = (texts(header, names)?, texts(header, versions)?);
        let flags = numbers(header, flags)?;
        let rows = names.into_iter().zip(versions).zip(flags);
        all.extend(rows.map(|((name, version), flags)| RpmDep { name, version, flags, kind }));
    }
    Ok(all)
}

/// A list of texts of the header; empty when it has none.
pub(super) fn texts(header: &RpmHeader, tag: u32) -> Result<Vec<String>> {
    Ok(match header.any_tag(tag).map_err(damaged)? {
        Some(TagValue::Texts(texts)) => texts.iter().map(|text| printable(text)).collect(),
        Some(TagValue::Text(text)) => vec![printable(&text)],
        _ => Vec::new(),
    })
}

/// A list of numbers of the header; empty when it has none.
pub(super) fn numbers(header: &RpmHeader, tag: u32) -> Result<Vec<i64>> {
    Ok(match header.any_tag(tag).map_err(damaged)? {
        Some(TagValue::Numbers(numbers)) => numbers.into_iter().map(|number| number as i64).collect(),
        _ => Vec::new(),
    })
}
