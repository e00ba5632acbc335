//! Random edits of everything that has a history, as clients make them.

use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::world::World;

pub(super) const TAGS: [&str; 6] = ["top", "one", "two", "three", "four", "base"];
pub(super) const PACKAGES: [&str; 4] = ["a", "b", "c", "d"];
/// A tag that comes and goes.
pub(super) const PASSING: &str = "passing";
const GROUPS: [&str; 2] = ["build", "srpm-build"];
const REPOS: [&str; 2] = ["ext", "other"];
const TARGETS: [&str; 2] = ["target", "second"];

/// Tags that inherit one from the next, and all that edits need.
pub(super) async fn prepare(world: &World) {
    world.tags(&TAGS).await;
    for pair in TAGS.windows(2) {
        world.inherit(pair[0], pair[1], 100).await;
    }
    world.list("base", &PACKAGES).await;
    for repo in REPOS {
        world.ok("createExternalRepo", json!({"name": repo, "url": "https://example.com/"})).await;
    }
    for package in PACKAGES {
        for version in 1..4 {
            world.build(&format!("{package}-{version}-1")).await;
        }
    }
    world.ok("createUser", json!({"username": "bob"})).await;
    world.ok("addHost", json!({"hostname": "builder", "arches": ["x86_64"]})).await;
    // where the hub has no such method yet, nobody is in a group
    let _ = world.call("newGroup", json!({"name": "people"})).await;
}

/// What an edit is made of.
struct Dice<'a> {
    rng: &'a mut StdRng,
}

impl Dice<'_> {
    fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    fn tag(&mut self) -> &'static str {
        self.one_of(&TAGS)
    }

    fn package(&mut self) -> &'static str {
        self.one_of(&PACKAGES)
    }

    fn build(&mut self) -> String {
        format!("{}-{}-1", self.package(), self.below(3) + 1)
    }

    fn coin(&mut self) -> bool {
        self.rng.random()
    }
}

/// One random edit. It may be refused: what it would change may be so already, or may not be.
pub(super) async fn edit(world: &World, rng: &mut StdRng) {
    let mut dice = Dice { rng };
    let parent = world.tag_id(dice.tag()).await;
    let dice = &mut dice;
    let (method, arguments) = match dice.below(20) {
        0..5 => builds(dice),
        5..9 => packages(dice),
        9..11 => config(dice),
        11..13 => inheritance(dice, parent),
        13..15 => groups(dice),
        15 => targets(dice),
        16..18 => external_repos(dice),
        18 => hosts(dice),
        _ => people(dice),
    };
    if let Err(error) = world.call(method, arguments.clone()).await {
        assert!(error.fault_code() >= 1000 && error.fault_code() != 1014, "{method}({arguments}): {error:?}");
    }
}

type Call = (&'static str, Value);

fn builds(dice: &mut Dice<'_>) -> Call {
    let (tag, build, force) = (dice.tag(), dice.build(), dice.coin());
    match dice.below(6) {
        0 => ("massTag", json!({"tag": tag, "builds": [build, dice.build()]})),
        1 | 2 => ("untagBuildBypass", json!({"tag": tag, "build": build, "strict": dice.coin(), "force": force})),
        _ => ("tagBuildBypass", json!({"tag": tag, "build": build, "force": force})),
    }
}

fn packages(dice: &mut Dice<'_>) -> Call {
    let entry = json!({"taginfo": dice.tag(), "pkginfo": dice.package(), "force": dice.coin()});
    let with = |name: &str, value: Value| {
        let mut entry = entry.clone();
        entry[name] = value;
        entry
    };
    match dice.below(6) {
        0 => ("packageListBlock", entry),
        1 => ("packageListUnblock", entry),
        2 => ("packageListRemove", entry),
        3 => ("packageListSetOwner", with("owner", json!(dice.one_of(&["admin", "bob"])))),
        4 => ("packageListSetArches", with("arches", json!(dice.one_of(&["", "i686"])))),
        _ => ("packageListAdd", with("owner", json!(dice.one_of(&["admin", "bob"])))),
    }
}

fn config(dice: &mut Dice<'_>) -> Call {
    let tag = dice.tag();
    let number = dice.below(4);
    match dice.below(7) {
        0 => ("editTag2", json!({"tagInfo": tag, "arches": format!("a{number}")})),
        1 => ("editTag2", json!({"tagInfo": tag, "arches": null})),
        2 => ("editTag2", json!({"tagInfo": tag, "extra": {"key": number, "other": "x"}})),
        3 => ("editTag2", json!({"tagInfo": tag, "block_extra": ["key"]})),
        4 => ("editTag2", json!({"tagInfo": tag, "remove_extra": ["key"], "locked": dice.coin()})),
        5 if dice.coin() => ("createTag", json!({"name": PASSING, "parent": tag, "extra": {"key": number}})),
        5 => ("deleteTag", json!({"tagInfo": PASSING})),
        _ => ("editTag2", json!({"tagInfo": tag, "perm": if dice.coin() { json!("sign") } else { Value::Null }})),
    }
}

fn inheritance(dice: &mut Dice<'_>, parent: i64) -> Call {
    let mut link = json!({
        "parent_id": parent, "priority": dice.below(5), "delete link": dice.below(4) == 0,
        "intransitive": dice.below(5) == 0, "noconfig": dice.below(4) == 0,
        "pkg_filter": dice.one_of(&["", "", "", "a|b"]),
    });
    if dice.below(3) == 0 {
        link["maxdepth"] = json!(dice.below(3));
    }
    ("setInheritanceData", json!({"tag": dice.tag(), "data": [link]}))
}

fn groups(dice: &mut Dice<'_>) -> Call {
    let mut place = json!({"taginfo": dice.tag(), "grpinfo": dice.one_of(&GROUPS)});
    match dice.below(10) {
        0 => ("groupListRemove", place),
        1 => ("groupListBlock", place),
        2 => ("groupListUnblock", place),
        3 | 4 => {
            place["display_name"] = json!(dice.build());
            place["force"] = json!(true);
            ("groupListAdd", place)
        }
        5 => {
            place["reqinfo"] = json!(GROUPS[1]);
            (dice.one_of(&["groupReqListAdd", "groupReqListBlock", "groupReqListRemove"]), place)
        }
        _ => {
            place["pkg_name"] = json!(dice.package());
            let methods = ["groupPackageListAdd", "groupPackageListBlock", "groupPackageListRemove"];
            (dice.one_of(&methods), place)
        }
    }
}

fn targets(dice: &mut Dice<'_>) -> Call {
    let (name, build, dest) = (dice.one_of(&TARGETS), dice.tag(), dice.tag());
    match dice.below(3) {
        0 => ("createBuildTarget", json!({"name": name, "build_tag": build, "dest_tag": dest})),
        1 => {
            let edited = json!({"buildTargetInfo": name, "name": name, "build_tag": build, "dest_tag": dest});
            ("editBuildTarget", edited)
        }
        _ => ("deleteBuildTarget", json!({"buildTargetInfo": name})),
    }
}

fn external_repos(dice: &mut Dice<'_>) -> Call {
    let repo = dice.one_of(&REPOS);
    let place = json!({"tag_info": dice.tag(), "repo_info": repo});
    let with_priority = |place: Value, priority: usize| {
        let mut place = place;
        place["priority"] = json!(priority);
        place
    };
    match dice.below(8) {
        0 => ("editExternalRepo", json!({"info": repo, "url": format!("https://example.com/{}/", dice.below(5))})),
        1 if dice.coin() => ("deleteExternalRepo", json!({"info": repo})),
        1 => ("createExternalRepo", json!({"name": repo, "url": "https://example.com/"})),
        2 => ("removeExternalRepoFromTag", place),
        3 => ("editTagExternalRepo", with_priority(place, dice.below(5))),
        _ => ("addExternalRepoToTag", with_priority(place, dice.below(5))),
    }
}

fn hosts(dice: &mut Dice<'_>) -> Call {
    match dice.below(4) {
        0 => (dice.one_of(&["enableHost", "disableHost"]), json!({"hostname": "builder"})),
        1 => ("addHostToChannel", json!({"hostname": "builder", "channel_name": "createrepo"})),
        2 => ("removeHostFromChannel", json!({"hostname": "builder", "channel_name": "createrepo"})),
        _ => ("editHost", json!({"hostInfo": "builder", "capacity": dice.below(5) + 1})),
    }
}

fn people(dice: &mut Dice<'_>) -> Call {
    let permission = json!({"userinfo": "bob", "permission": dice.one_of(&["tag", "sign"])});
    match dice.below(4) {
        0 => ("addGroupMember", json!({"group": "people", "user": "bob", "strict": true})),
        1 => ("dropGroupMember", json!({"group": "people", "user": "bob"})),
        2 => ("grantPermission", permission),
        _ => ("revokePermission", permission),
    }
}
