//! What is in a dist repo: RPMs of the tag at the repo's event, each with the signature that is preferred.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use toji_protocol::{
    arch::canonical,
    id::{BuildId, RpmId},
    method::{content::TaggedRpm, repo::Repo},
    nvr::{Nvr, Nvra},
    object_key,
};

use super::{
    choose::{Choice, choose, refuse},
    opts::Opts,
};
use crate::{
    Hub, Result, content,
    rpm::{
        fragment,
        signature::{Shown, shown},
    },
};

/// An RPM of a dist repo.
pub(super) struct DistRpm {
    pub(super) name: String,
    /// Where the file is: its S3 key.
    pub(super) key: String,
    pub(super) shown: Shown,
}

/// An RPM that is to be shown, and how.
struct Chosen {
    rpm: TaggedRpm,
    /// The key of the signed copy; None = as it was built.
    sigkey: Option<String>,
}

impl Chosen {
    fn nvra(&self) -> Nvra {
        let rpm = &self.rpm;
        let nvr =
            Nvr { name: rpm.name.clone(), version: rpm.version.clone(), release: rpm.release.clone(), epoch: None };
        Nvra { nvr, arch: rpm.arch.clone() }
    }
}

/// The RPMs of each architecture's repo.
///
/// # Errors
/// When some lack all the keys, or their signed copies, and that was not allowed; it names them.
pub(super) async fn rpms(
    hub: &Hub,
    repo: &Repo,
    opts: &Opts,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, Vec<DistRpm>>> {
    let (chosen, builds) = chosen(hub, repo, opts, keys).await?;
    let signed: Vec<(RpmId, String)> =
        chosen.iter().filter_map(|chosen| Some((chosen.rpm.id, chosen.sigkey.clone()?))).collect();
    let as_built: Vec<i64> =
        chosen.iter().filter(|chosen| chosen.sigkey.is_none()).map(|chosen| chosen.rpm.id.0).collect();
    let mut found = shown(hub, &signed, opts.write_signed, now).await?;
    found.extend(built(hub, &as_built).await?);

    let mut arches: BTreeMap<String, Vec<DistRpm>> =
        opts.arches.iter().map(|arch| (arch.clone(), Vec::new())).collect();
    let mut lacking = Vec::new();
    for chosen in &chosen {
        let (Some(shown), Some(build)) = (found.get(&chosen.rpm.id), builds.get(&chosen.rpm.build_id)) else {
            lacking.push(chosen.nvra().to_string());
            continue;
        };
        let key = match &chosen.sigkey {
            Some(sigkey) => object_key::signed_rpm(build, &chosen.nvra(), sigkey),
            None => object_key::rpm(build, &chosen.nvra()),
        };
        for arch in repos_of(&chosen.rpm.arch, &opts.arches) {
            let rpm = DistRpm { name: chosen.rpm.name.clone(), key: key.clone(), shown: shown.clone() };
            arches.entry(arch).or_default().push(rpm);
        }
    }
    let advice = "write them (koji write-signed-rpm), or have them written (--write-signed-rpms)";
    refuse(&lacking, "These RPMs have no signed copies", advice)?;
    Ok(arches)
}

/// The architectures' repos that an RPM goes into.
fn repos_of(rpm_arch: &str, arches: &[String]) -> Vec<String> {
    match rpm_arch {
        "noarch" => arches.iter().filter(|arch| *arch != "src").cloned().collect(),
        "src" | "nosrc" => arches.iter().filter(|arch| *arch == "src").cloned().collect(),
        other => arches.iter().filter(|arch| *arch == canonical(other)).cloned().collect(),
    }
}

async fn chosen(hub: &Hub, repo: &Repo, opts: &Opts, keys: &[String]) -> Result<(Vec<Chosen>, HashMap<BuildId, Nvr>)> {
    let query = content::Query {
        event: Some(repo.create_event),
        inherit: opts.inherit,
        latest: opts.latest,
        ..content::Query::default()
    };
    let mut conn = hub.pool.acquire().await?;
    let (mut rpms, builds) = content::rpms(&mut conn, hub.config.quirks, repo.tag_id, &query, None, false).await?;
    rpms.retain(|rpm| !rpm.metadata_only && !repos_of(&rpm.arch, &opts.arches).is_empty());
    let ids: Vec<i64> = rpms.iter().map(|rpm| rpm.id.0).collect();
    let rows =
        sqlx::query!("SELECT rpm_id, sigkey FROM rpmsigs WHERE rpm_id = ANY($1)", &ids).fetch_all(&mut *conn).await?;
    let mut has: HashMap<i64, Vec<String>> = HashMap::new();
    for row in rows {
        has.entry(row.rpm_id).or_default().push(row.sigkey);
    }
    let (mut chosen, mut lacking) = (Vec::new(), Vec::new());
    for rpm in rpms {
        let has = has.get(&rpm.id.0).map(Vec::as_slice).unwrap_or_default();
        match choose(keys, has, opts) {
            Choice::Signed(key) => chosen.push(Chosen { rpm, sigkey: Some(key) }),
            Choice::AsBuilt => chosen.push(Chosen { rpm, sigkey: None }),
            Choice::LeftOut => {}
            Choice::Missing => lacking.push(Chosen { rpm, sigkey: None }.nvra().to_string()),
        }
    }
    let what = format!("These RPMs have none of the keys {}", keys.join(", "));
    refuse(&lacking, &what, "sign them, or ask for --allow-missing-signatures or --skip-missing-signatures")?;
    let nvr = |build: toji_protocol::method::content::TaggedBuild| {
        let nvr = Nvr { name: build.name, version: build.version, release: build.release, epoch: None };
        (build.build_id, nvr)
    };
    Ok((chosen, builds.into_iter().map(nvr).collect()))
}

/// What is shown of RPMs as they were built.
async fn built(hub: &Hub, ids: &[i64]) -> Result<HashMap<RpmId, Shown>> {
    let rows = sqlx::query!("SELECT rpm_id, mtime, fragment FROM rpm_fragment WHERE rpm_id = ANY($1)", ids)
        .fetch_all(&hub.pool)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok((RpmId(row.rpm_id), Shown { mtime: row.mtime as u64, fragments: fragment::decode(&row.fragment)? }))
        })
        .collect()
}
