//! `getChangelogEntries`: the changelog of a build, from its source RPM.

use chrono::{DateTime, Utc};
use toji_protocol::{
    method::{
        Listing,
        build::BuildRef,
        rpm::{ChangelogEntry, GetChangelogEntries, RpmRef},
    },
    time::Time,
    value::Value,
};
use toji_repodata::header::RpmHeader;

use super::{
    file, find_source,
    headers::{printable, task_file},
};
use crate::{Error, Result, build, call::Cx, import, listing};

/// With `asList`, Koji answers date, author and text, and leaves the time in seconds out.
const LISTED: [usize; 3] = [1, 0, 3];

pub(super) async fn get(cx: &mut Cx, asked: GetChangelogEntries) -> Result<Listing<ChangelogEntry>> {
    let bound = |name, time: &Option<Value>| match time {
        Some(time) if !time.is_nil() => build::when(name, time).map(Some),
        _ => Ok(None),
    };
    let (before, after) = (bound("before", &asked.before)?, bound("after", &asked.after)?);
    let header = match (&asked.build_id, asked.task_id) {
        (Some(build), _) => of_build(cx, build, asked.strict).await?,
        (None, Some(task)) => match task_file(cx, task, asked.filepath.as_deref()).await? {
            Some((key, size)) => Some(import::read_header(&cx.hub, &key, size).await?),
            None if asked.strict => {
                let path = asked.filepath.as_deref().unwrap_or_default();
                return Err(Error::missing(format!("SRPM {path} doesn't exist")));
            }
            None => None,
        },
        (None, None) => return Err(Error::invalid("either buildID or taskID and filepath must be specified")),
    };
    let mut entries = header.as_ref().map(entries).unwrap_or_default();
    entries.retain(|entry| {
        let at = |time: DateTime<Utc>| time.timestamp();
        asked.author.as_ref().is_none_or(|author| author.is_empty() || *author == entry.author)
            && before.is_none_or(|before| entry.date_ts < at(before))
            && after.is_none_or(|after| entry.date_ts > at(after))
    });
    let mut listed = listing::in_memory(entries, asked.query_opts.as_ref())?;
    listing::at_places(&mut listed, &LISTED);
    Ok(listed)
}

async fn of_build(cx: &mut Cx, build: &BuildRef, strict: bool) -> Result<Option<RpmHeader>> {
    let Some(id) = build::find(cx.db().await?, build).await? else {
        return if strict { Err(Error::missing(format!("No such build: {build}"))) } else { Ok(None) };
    };
    let Some(source) = find_source(cx.db().await?, id).await? else {
        return if strict { Err(Error::missing(format!("Build {build} doesn't have srpms"))) } else { Ok(None) };
    };
    match file::open(cx, &RpmRef::Id(source)).await? {
        Ok((_, header)) => Ok(Some(header)),
        Err(_) if strict => Err(Error::missing(format!("SRPM of build {build} doesn't exist"))),
        Err(_) => Ok(None),
    }
}

/// All entries, newest first, as the header has them.
fn entries(header: &RpmHeader) -> Vec<ChangelogEntry> {
    let date = |ts: i64| {
        let time = DateTime::from_timestamp(ts, 0).unwrap_or_default();
        // Koji's dates have no zone
        Time(time).to_string().trim_end_matches("+00:00").to_owned()
    };
    let entry = |entry: &toji_repodata::header::Changelog| ChangelogEntry {
        date: date(entry.time as i64),
        author: printable(&entry.author),
        text: printable(&entry.text),
        date_ts: entry.time as i64,
    };
    header.changelogs.iter().map(entry).collect()
}
