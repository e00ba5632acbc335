//! Which builds to tag and untag so that a tag has another's builds in their order.

use std::collections::{BTreeMap, HashMap, HashSet};

use toji_protocol::{
    id::{BuildId, PackageId},
    method::{
        content::TaggedBuild,
        tag::{SnapshotTagModify, Tag},
    },
};

use super::{Cx, Error, Result, content, mass, mass::Move};
use crate::error::FaultCode;

/// Builds that are listed newest first, the oldest first and each once.
pub(super) fn oldest_first(newest_first: impl Iterator<Item = BuildId>) -> Vec<BuildId> {
    let mut seen = HashSet::new();
    let mut builds: Vec<BuildId> = newest_first.filter(|build| seen.insert(*build)).collect();
    builds.reverse();
    builds
}

fn by_package(builds: &[TaggedBuild]) -> BTreeMap<PackageId, Vec<BuildId>> {
    let mut newest_first: BTreeMap<PackageId, Vec<BuildId>> = BTreeMap::new();
    for build in builds {
        newest_first.entry(build.package_id).or_default().push(build.build_id);
    }
    newest_first.into_iter().map(|(package, builds)| (package, oldest_first(builds.into_iter()))).collect()
}

/// What to change in a tag. Packages that only it has lose their builds with `remove`, and keep them otherwise.
pub(super) async fn moves(cx: &mut Cx, src: &Tag, dst: &Tag, asked: &SnapshotTagModify) -> Result<Vec<Move>> {
    let by = cx.caller.user()?.id;
    let quirks = cx.hub.config.quirks;
    let conn = cx.db().await?;
    let query = content::Query {
        event: asked.event,
        inherit: asked.inherit_builds,
        latest: asked.latest_only.then_some(1),
        ..content::Query::default()
    };
    let theirs = content::builds(conn, quirks, src.id, &query).await?;
    let ours = content::builds(conn, quirks, dst.id, &content::Query::default()).await?;
    let names: HashMap<BuildId, &str> =
        theirs.iter().chain(&ours).map(|build| (build.build_id, build.nvr.as_str())).collect();
    let (theirs, mut ours) = (by_package(&theirs), by_package(&ours));
    let mut moves = Vec::new();
    for (package, theirs) in &theirs {
        align(theirs, &ours.remove(package).unwrap_or_default(), asked.remove, &mut moves);
    }
    if asked.remove {
        moves.extend(ours.into_values().flatten().map(Move::Out));
    }
    if moves.iter().any(|change| matches!(change, Move::Out(_))) {
        content::check_access(cx, dst.id, by, asked.force).await?;
    }
    let into: Vec<BuildId> =
        moves.iter().filter_map(|change| if let Move::In(build) = change { Some(*build) } else { None }).collect();
    let conn = cx.db().await?;
    mass::hold(conn, &into).await?;
    if !asked.force {
        // hidden by the package list, a build may be there all the same
        let out: HashSet<BuildId> =
            moves.iter().filter_map(|change| if let Move::Out(build) = change { Some(*build) } else { None }).collect();
        let tagged = content::tagged_of(conn, dst.id, &into).await?;
        if let Some(build) = tagged.iter().find(|build| !out.contains(build)) {
            let nvr = names.get(build).copied().unwrap_or_default();
            let message = format!("build {nvr} already tagged ({}); force tags it anew", dst.name);
            return Err(Error::Invalid(FaultCode::Tag, message));
        }
    }
    Ok(moves)
}

/// What to change about a package's builds, all oldest first: `ours` is to end like `theirs`. Builds that only we have go, or, without
/// `remove`, come first. What is in its place already stays untouched.
fn align(theirs: &[BuildId], ours: &[BuildId], remove: bool, moves: &mut Vec<Move>) {
    let wanted: HashSet<&BuildId> = theirs.iter().collect();
    let extra = ours.iter().filter(|build| !wanted.contains(build));
    let goal: Vec<BuildId> = match remove {
        true => theirs.to_vec(),
        false => extra.clone().chain(theirs).copied().collect(),
    };
    if remove {
        moves.extend(extra.map(|build| Move::Out(*build)));
    }
    let mut left: Vec<BuildId> = ours.iter().filter(|build| !remove || wanted.contains(build)).copied().collect();
    left.reverse();
    for build in goal {
        match left.iter().rposition(|other| *other == build) {
            Some(at) => {
                // those before it are in its way; they come again in their turn
                moves.extend(left.drain(at + 1..).rev().map(Move::Out));
                left.pop();
            }
            None => {
                moves.extend(left.drain(..).rev().map(Move::Out));
                moves.push(Move::In(build));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[i64]) -> Vec<BuildId> {
        ids.iter().copied().map(BuildId).collect()
    }

    /// What `ours` becomes, and how many changes that takes.
    fn aligned(theirs: &[i64], ours: &[i64], remove: bool) -> (Vec<i64>, usize) {
        let mut moves = Vec::new();
        align(&ids(theirs), &ids(ours), remove, &mut moves);
        let mut tagged = ids(ours);
        for change in &moves {
            match change {
                Move::Out(build) => tagged.retain(|other| other != build),
                Move::In(build) => {
                    assert!(!tagged.contains(build), "{build} is there already");
                    tagged.push(*build);
                }
            }
        }
        (tagged.into_iter().map(|build| build.0).collect(), moves.len())
    }

    #[test]
    fn what_is_in_place_stays() {
        assert_eq!(aligned(&[1, 2, 3], &[1, 2, 3], false), (vec![1, 2, 3], 0));
        assert_eq!(aligned(&[1, 2, 3], &[1, 2], true), (vec![1, 2, 3], 1));
        assert_eq!(aligned(&[], &[], true), (vec![], 0));
    }

    #[test]
    fn order_is_mended() {
        assert_eq!(aligned(&[1, 2, 3], &[2, 1, 3], true).0, [1, 2, 3]);
        assert_eq!(aligned(&[3, 2, 1], &[1, 2, 3], false).0, [3, 2, 1]);
        assert_eq!(aligned(&[2], &[1, 2, 3], true).0, [2]);
    }

    #[test]
    fn extra_builds_go_or_come_first() {
        assert_eq!(aligned(&[1, 2], &[9, 1, 2], true).0, [1, 2]);
        assert_eq!(aligned(&[1, 2], &[9, 1, 2], false), (vec![9, 1, 2], 0));
        assert_eq!(aligned(&[1, 2], &[1, 9, 2], false).0, [9, 1, 2]);
        assert_eq!(aligned(&[1], &[8, 9], false).0, [8, 9, 1]);
    }
}
