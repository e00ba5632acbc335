//! `getRPMHeaders`: fields of an RPM's header, from the file itself.

use toji_protocol::{
    id::TaskId,
    method::rpm::{GetRpmHeaders, RpmRef},
    value::{Map, Value},
};
use toji_repodata::header::{RpmHeader, TagValue, names};

use super::{
    file::{self, NoFile, damaged},
    no_such_rpm,
};
use crate::{Error, Result, call::Cx, import, task::output};

/// Sizes that large packages keep in 64 bits, under other numbers.
const LONG: [(u32, u32); 4] = [(1009, 5009), (1028, 5008), (1046, 271), (257, 270)];

pub(super) async fn get(cx: &mut Cx, asked: GetRpmHeaders) -> Result<Map> {
    let header = match (&asked.rpm_id, asked.task_id) {
        (Some(rpm), _) => of_rpm(cx, rpm, asked.strict).await?,
        (None, Some(task)) => of_task(cx, task, asked.filepath.as_deref(), asked.strict).await?,
        (None, None) => return Err(Error::invalid("either rpmID or taskID and filepath must be specified")),
    };
    let Some(header) = header else { return Ok(Map::new()) };
    let names = match asked.headers {
        Some(names) => names,
        None => header.all_tags().into_iter().filter_map(names::numbered).map(|tag| tag.name.to_owned()).collect(),
    };
    names.into_iter().map(|name| Ok((name.clone(), field(&header, &name)?))).collect()
}

async fn of_rpm(cx: &mut Cx, rpm: &RpmRef, strict: bool) -> Result<Option<RpmHeader>> {
    let none = match file::open(cx, rpm).await? {
        Ok((_, header)) => return Ok(Some(header)),
        Err(none) => none,
    };
    if !strict {
        return Ok(None);
    }
    Err(match none {
        NoFile::Unknown => no_such_rpm(rpm),
        NoFile::External(rpm) => Error::invalid(format!("External rpm: {}", rpm.id)),
        NoFile::Deleted(build) => Error::invalid(format!("Build {} is deleted", build.nvr)),
        NoFile::Gone => Error::missing(format!("Missing rpm file: {rpm}")),
    })
}

async fn of_task(cx: &mut Cx, task: TaskId, path: Option<&str>, strict: bool) -> Result<Option<RpmHeader>> {
    match task_file(cx, task, path).await? {
        Some((key, size)) => import::read_header(&cx.hub, &key, size).await.map(Some),
        None if strict => Err(Error::missing(format!("Missing rpm file: {}", path.unwrap_or_default()))),
        None => Ok(None),
    }
}

/// Where the file of a task lies, and its size; None when there is none.
pub(super) async fn task_file(cx: &mut Cx, task: TaskId, path: Option<&str>) -> Result<Option<(String, i64)>> {
    let path = path.filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| Error::invalid("filepath must be specified with taskID"))?;
    if path.starts_with('/') || path.contains("../") {
        return Err(Error::invalid(format!("Invalid filepath: {path}")));
    }
    let files = output::files(cx.db().await?, task).await?;
    cx.release();
    Ok(files.into_iter().find(|file| file.name == path).map(|file| (file.key, file.size)))
}

/// A field by its name in any case, as Python's binding of rpm shows it.
fn field(header: &RpmHeader, name: &str) -> Result<Value> {
    let tag = names::named(name)
        .ok_or_else(|| Error::invalid(format!("No such rpm header field: {}", name.to_uppercase())))?;
    let mut value = header.any_tag(tag.number).map_err(damaged)?;
    if value.is_none()
        && let Some((_, long)) = LONG.iter().find(|(short, _)| *short == tag.number)
    {
        value = header.any_tag(*long).map_err(damaged)?;
    }
    let mut values = match value {
        None => Vec::new(),
        Some(TagValue::Numbers(numbers)) => numbers.into_iter().map(|number| Value::Int(number as i64)).collect(),
        Some(TagValue::Text(text)) => vec![Value::String(printable(&text))],
        Some(TagValue::Texts(texts)) => texts.iter().map(|text| Value::String(printable(text))).collect(),
        Some(TagValue::Bytes(bytes)) => vec![Value::Bytes(bytes)],
    };
    Ok(if tag.is_list {
        Value::Array(values)
    } else if values.is_empty() {
        Value::Nil
    } else {
        values.swap_remove(0)
    })
}

/// Without control characters, which XML cannot carry.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')).collect()
}
