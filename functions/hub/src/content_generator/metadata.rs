//! A content generator's description of a build, version 0, as it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value as Json};
use toji_protocol::{nvr::Nvr, value::Value};

use crate::{Error, Hub, Result, upload, upload::UploadPath};

/// The name that it has when none is told.
const FILE: &str = "metadata.json";

/// The largest that is read.
const LARGEST: i64 = 64 << 20;

/// What kinds of content Koji keeps further facts of, which are not offered.
pub(super) const LEGACY: [&str; 3] = ["maven", "win", "image"];

/// The description.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) build: BuildFacts,
    pub(super) buildroots: Vec<BuildrootFacts>,
    pub(super) output: Vec<Output>,
}

/// The build as a whole.
#[derive(Debug, Deserialize)]
pub(super) struct BuildFacts {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) release: String,
    /// Not said, or said to be none: with a reservation that is not the same.
    #[serde(default, deserialize_with = "said")]
    pub(super) epoch: Option<Option<i64>>,
    pub(super) source: Option<String>,
    #[serde(deserialize_with = "seconds")]
    pub(super) start_time: f64,
    #[serde(deserialize_with = "seconds")]
    pub(super) end_time: f64,
    #[serde(default)]
    pub(super) owner: Option<String>,
    #[serde(default)]
    pub(super) build_id: Option<i64>,
    #[serde(default)]
    pub(super) task_id: Option<i64>,
    #[serde(default)]
    pub(super) draft: bool,
    #[serde(default)]
    pub(super) extra: Option<Map<String, Json>>,
}

impl BuildFacts {
    /// Its name; a draft's without the mark.
    pub(super) fn nvr(&self) -> Nvr {
        Nvr { name: self.name.clone(), version: self.version.clone(), release: self.release.clone(), epoch: None }
    }

    /// The task that it belongs to, which container builds tell elsewhere.
    pub(super) fn task(&self) -> Result<Option<i64>> {
        let Some(other) = self.extra.as_ref().and_then(|extra| extra.get("container_koji_task_id")) else {
            return Ok(self.task_id);
        };
        let other = other.as_i64().ok_or_else(|| Error::parameter("container_koji_task_id must be a task's id"))?;
        match self.task_id {
            Some(task) if task != other => Err(Error::invalid(format!(
                "CG provided non-matching task_id {task} and container_koji_task_id {other}"
            ))),
            _ => Ok(Some(other)),
        }
    }

    /// What is said of each kind of content.
    pub(super) fn typeinfo(&self) -> Result<Map<String, Json>> {
        let extra = self.extra.as_ref();
        let said = extra.and_then(|extra| extra.get("typeinfo"));
        let mut found = match said {
            None | Some(Json::Null) => Map::new(),
            Some(Json::Object(said)) => said.clone(),
            Some(_) => return Err(Error::parameter("build.extra.typeinfo must be a struct")),
        };
        for kind in LEGACY {
            let Some(facts) = extra.and_then(|extra| extra.get(kind)) else { continue };
            if found.insert(kind.to_owned(), facts.clone()).is_some() {
                return Err(Error::invalid(format!("Duplicate typeinfo for '{kind}'")));
            }
        }
        Ok(found)
    }
}

/// A buildroot that something was made in.
#[derive(Debug, Deserialize)]
pub(super) struct BuildrootFacts {
    /// Its number within the description.
    pub(super) id: Json,
    pub(super) content_generator: Program,
    pub(super) container: Container,
    pub(super) host: Machine,
    pub(super) tools: Vec<Program>,
    pub(super) components: Vec<Component>,
    #[serde(default)]
    pub(super) extra: Option<Json>,
}

/// A program and its version.
#[derive(Debug, Deserialize)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) version: String,
}

/// What the buildroot was.
#[derive(Debug, Deserialize)]
pub(super) struct Container {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) arch: String,
}

/// What it ran on.
#[derive(Debug, Deserialize)]
pub(super) struct Machine {
    pub(super) os: String,
    pub(super) arch: String,
}

/// Something that was in a buildroot, or is in an archive.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Component {
    /// An RPM.
    Rpm {
        name: String,
        version: String,
        release: String,
        arch: String,
        /// Only of one from outside, which is refused.
        #[serde(default)]
        location: Option<Json>,
        /// Not Koji's to take.
        #[serde(default)]
        id: Option<Json>,
    },
    /// A file that may be an archive which is known.
    File { filename: String, filesize: i64, checksum: String, checksum_type: String },
    /// An archive, by id.
    Kojifile {
        archive_id: i64,
        nvr: String,
        filename: String,
        #[serde(default)]
        filesize: Option<i64>,
        #[serde(default)]
        checksum: Option<String>,
        #[serde(default)]
        checksum_type: Option<String>,
    },
}

/// A file that was made.
#[derive(Debug, Deserialize)]
pub(super) struct Output {
    pub(super) buildroot_id: Json,
    pub(super) filename: String,
    pub(super) filesize: i64,
    pub(super) checksum: String,
    pub(super) checksum_type: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) relpath: Option<String>,
    #[serde(default)]
    pub(super) subdir: Option<String>,
    #[serde(default)]
    pub(super) metadata_only: bool,
    #[serde(default)]
    pub(super) components: Option<Vec<Component>>,
    #[serde(default)]
    pub(super) extra: Option<Map<String, Json>>,
}

impl Output {
    /// The kind of content that an archive says it is.
    pub(super) fn btype(&self) -> Result<&str> {
        let typeinfo = self.extra.as_ref().and_then(|extra| extra.get("typeinfo")).and_then(Json::as_object);
        let named = typeinfo.into_iter().flat_map(|info| info.keys());
        let legacy = self.extra.iter().flat_map(|extra| extra.keys()).filter(|key| LEGACY.contains(&key.as_str()));
        let mut kinds = legacy.chain(named);
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(kind),
            (None, _) => Err(Error::invalid(format!("No typeinfo for: {}", self.filename))),
            (Some(_), Some(_)) => Err(Error::invalid(format!("Output file has multiple types: {}", self.filename))),
        }
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    let number = match Json::deserialize(deserializer)? {
        Json::Number(number) => number.as_f64(),
        Json::String(digits) => digits.trim().parse().ok(),
        _ => None,
    };
    number
        .filter(|seconds: &f64| seconds.is_finite())
        .ok_or_else(|| D::Error::custom("a time must be given in seconds"))
}

fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a description, and answers its text besides: a struct, a JSON text, or a file in the folder that was uploaded into.
///
/// # Errors
/// When it is none, or of another version.
pub(super) async fn read(hub: &Hub, given: &Value, folder: &str) -> Result<(Metadata, String)> {
    let text = match given {
        Value::Struct(_) => serde_json::to_string_pretty(given).map_err(Error::internal)?,
        Value::Nil => read_file(hub, folder, FILE).await?,
        Value::String(name) if name.ends_with(".json") => read_file(hub, folder, name).await?,
        Value::String(text) => text.clone(),
        other => return Err(Error::parameter(format!("metadata must be a struct or a string, not {}", other.kind()))),
    };
    let json: Json = serde_json::from_str(&text)
        .map_err(|error| Error::invalid(format!("Invalid json data for metadata: {error}")))?;
    match json.get("metadata_version") {
        Some(version) if version.as_i64() == Some(0) => {}
        Some(version) => return Err(Error::invalid(format!("No such metadata version: {version}"))),
        None => return Err(Error::invalid("the metadata does not say its metadata_version, which must be 0")),
    }
    let metadata =
        serde_json::from_value(json).map_err(|error| Error::invalid(format!("Invalid metadata: {error}")))?;
    Ok((metadata, text))
}

async fn read_file(hub: &Hub, folder: &str, name: &str) -> Result<String> {
    let object = upload::complete(hub, &UploadPath::join(folder, name)?).await?;
    if object.size > LARGEST {
        return Err(Error::invalid(format!("{name} has {} bytes: metadata has up to {LARGEST}", object.size)));
    }
    let bytes = hub.store.get(&object.key).await?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::invalid(format!("{name} is no UTF-8")))
}

/// The buildroots by their numbers within the description.
///
/// # Errors
/// When a number is there twice, or nothing was made in one.
pub(super) fn by_number(metadata: &Metadata) -> Result<BTreeMap<String, usize>> {
    let mut places = BTreeMap::new();
    for (place, root) in metadata.buildroots.iter().enumerate() {
        if !metadata.output.iter().any(|output| output.buildroot_id == root.id) {
            return Err(Error::invalid(format!("Buildroot id not used in output: {}", root.id)));
        }
        if places.insert(root.id.to_string(), place).is_some() {
            return Err(Error::invalid(format!("Duplicate buildroot id in metadata: {}", root.id)));
        }
    }
    Ok(places)
}
