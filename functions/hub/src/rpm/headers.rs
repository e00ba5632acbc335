//! `getRPMHeaders`: fields of an RPM's header, from the file itself, without reading all of it.

use toji_protocol::{
    id::TaskId,
    method::{build::Build, rpm::GetRpmHeaders},
    nvr::{Nvr, Nvra},
    object_key,
    value::{Map, Value},
};
use toji_repodata::header::{RpmHeader, TagValue};

use super::{find, no_such_rpm};
use crate::{Error, Result, build, call::Cx, import, task::output};

/// RPM's tags by name.
const TAGS: &[(&str, u32)] = &[
    ("name", 1000),
    ("version", 1001),
    ("release", 1002),
    ("epoch", 1003),
    ("summary", 1004),
    ("description", 1005),
    ("buildtime", 1006),
    ("buildhost", 1007),
    ("installtime", 1008),
    ("size", 1009),
    ("distribution", 1010),
    ("vendor", 1011),
    ("license", 1014),
    ("packager", 1015),
    ("group", 1016),
    ("url", 1020),
    ("os", 1021),
    ("arch", 1022),
    ("prein", 1023),
    ("postin", 1024),
    ("preun", 1025),
    ("postun", 1026),
    ("filesizes", 1028),
    ("filemodes", 1030),
    ("filerdevs", 1033),
    ("filemtimes", 1034),
    ("filedigests", 1035),
    ("filemd5s", 1035),
    ("filelinktos", 1036),
    ("fileflags", 1037),
    ("fileusername", 1039),
    ("filegroupname", 1040),
    ("sourcerpm", 1044),
    ("fileverifyflags", 1045),
    ("archivesize", 1046),
    ("providename", 1047),
    ("provides", 1047),
    ("requireflags", 1048),
    ("requirename", 1049),
    ("requires", 1049),
    ("requireversion", 1050),
    ("conflictflags", 1053),
    ("conflictname", 1054),
    ("conflicts", 1054),
    ("conflictversion", 1055),
    ("excludearch", 1059),
    ("excludeos", 1060),
    ("exclusivearch", 1061),
    ("exclusiveos", 1062),
    ("rpmversion", 1064),
    ("triggerscripts", 1065),
    ("triggername", 1066),
    ("triggerversion", 1067),
    ("triggerflags", 1068),
    ("changelogtime", 1080),
    ("changelogname", 1081),
    ("changelogtext", 1082),
    ("preinprog", 1085),
    ("postinprog", 1086),
    ("preunprog", 1087),
    ("postunprog", 1088),
    ("buildarchs", 1089),
    ("obsoletename", 1090),
    ("obsoletes", 1090),
    ("cookie", 1094),
    ("filedevices", 1095),
    ("fileinodes", 1096),
    ("filelangs", 1097),
    ("prefixes", 1098),
    ("provideflags", 1112),
    ("provideversion", 1113),
    ("obsoleteflags", 1114),
    ("obsoleteversion", 1115),
    ("dirindexes", 1116),
    ("basenames", 1117),
    ("dirnames", 1118),
    ("optflags", 1122),
    ("disturl", 1123),
    ("payloadformat", 1124),
    ("payloadcompressor", 1125),
    ("payloadflags", 1126),
    ("platform", 1132),
    ("filecolors", 1140),
    ("fileclass", 1141),
    ("classdict", 1142),
    ("pretrans", 1151),
    ("posttrans", 1152),
    ("longsize", 5009),
    ("filedigestalgo", 5011),
    ("bugurl", 5012),
    ("vcs", 5034),
    ("recommendname", 5046),
    ("recommendversion", 5047),
    ("recommendflags", 5048),
    ("suggestname", 5049),
    ("suggestversion", 5050),
    ("suggestflags", 5051),
    ("supplementname", 5052),
    ("supplementversion", 5053),
    ("supplementflags", 5054),
    ("enhancename", 5055),
    ("enhanceversion", 5056),
    ("enhanceflags", 5057),
    ("payloaddigest", 5092),
    ("modularitylabel", 5096),
];

/// Tags whose value is a list even when it has one element.
fn is_list(tag: u32) -> bool {
    !matches!(
        tag,
        1000..=1026 | 1044 | 1046 | 1064 | 1085..=1088 | 1094 | 1122..=1126 | 1132 | 1151 | 1152 | 5009 | 5011 | 5012
            | 5034 | 5096
    )
}

pub(super) async fn get(cx: &mut Cx, asked: GetRpmHeaders) -> Result<Map> {
    let place = match (&asked.rpm_id, asked.task_id) {
        (Some(rpm), _) => {
            let conn = cx.db().await?;
            match find(conn, rpm).await?.into_iter().next() {
                Some(rpm) => match rpm.build_id {
                    Some(id) => Some((key(&build::get(conn, id).await?, &rpm), rpm.size)),
                    None => None,
                },
                None if asked.strict => return Err(no_such_rpm(rpm)),
                None => None,
            }
        }
        (None, Some(task)) => {
            let path = asked.filepath.as_deref();
            let name = path.ok_or_else(|| Error::parameter("name a file of the task with filepath"))?;
            of_task(cx, task, name, asked.strict).await?
        }
        (None, None) => return Err(Error::parameter("name an RPM (rpmID), or a task and its file (taskID, filepath)")),
    };
    let Some((key, size)) = place else { return Ok(Map::new()) };
    cx.release();
    let header = import::read_header(&cx.hub, &key, size).await?;
    let names = asked.headers.unwrap_or_default();
    let mut found = Map::new();
    for name in names {
        let value = field(&header, &name)?;
        found.insert(name, value);
    }
    Ok(found)
}

async fn of_task(cx: &mut Cx, task: TaskId, name: &str, strict: bool) -> Result<Option<(String, i64)>> {
    let files = output::files(cx.db().await?, task).await?;
    match files.into_iter().find(|file| file.name == name) {
        Some(file) if file.name.ends_with(".rpm") => Ok(Some((file.key, file.size))),
        Some(_) => Err(Error::parameter(format!("{name} is no RPM"))),
        None if strict => Err(Error::missing(format!("No file \"{name}\" output for task {task}"))),
        None => Ok(None),
    }
}

fn key(build: &Build, rpm: &toji_protocol::method::rpm::Rpm) -> String {
    let nvr = Nvr { name: rpm.name.clone(), version: rpm.version.clone(), release: rpm.release.clone(), epoch: None };
    object_key::rpm(&build::nvr(build), &Nvra { nvr, arch: rpm.arch.clone() })
}

fn field(header: &RpmHeader, name: &str) -> Result<Value> {
    let lower = name.to_lowercase();
    if lower == "sigmd5" {
        return Ok(header.sigmd5.clone().map_or(Value::Nil, Value::String));
    }
    let Some((_, tag)) = TAGS.iter().find(|(known, _)| *known == lower) else {
        return Err(Error::invalid(format!("No such rpm header field: {name}")));
    };
    let value = header.tag(*tag).map_err(|error| Error::invalid(error.to_string()))?;
    Ok(match value {
        None if is_list(*tag) => Value::Array(Vec::new()),
        None => Value::Nil,
        Some(TagValue::Numbers(numbers)) => {
            let mut values: Vec<Value> = numbers.into_iter().map(|number| Value::Int(number as i64)).collect();
            if is_list(*tag) { Value::Array(values) } else { values.pop().unwrap_or_default() }
        }
        Some(TagValue::Text(text)) => Value::String(text),
        Some(TagValue::Texts(texts)) if is_list(*tag) => Value::Array(texts.into_iter().map(Value::String).collect()),
        Some(TagValue::Texts(texts)) => texts.into_iter().next().map_or(Value::Nil, Value::String),
        Some(TagValue::Bytes(bytes)) => Value::String(hex::encode(bytes)),
    })
}
