//! The walk through ancestors, in the order that decides who wins. Pure: the links are loaded before it begins.
//!
//! Koji's walk to the letter, since a migrated tree must give the same repos: depth first, parents by ascending priority, loops cut,
//! and a tag listed again where an earlier visit could have shown less. [`Quirks`] Q1, Q2 and Q3 are decided here.

#[cfg(test)]
mod reference;

use std::collections::{HashMap, HashSet};

use toji_protocol::{
    id::TagId,
    method::tag::{FullInheritanceLink, InheritanceLink},
};

use super::Quirks;
use crate::{Error, Result};

/// More links than any tree of tags has: filters can make a walk grow with each way that leads to a tag.
const MOST: usize = 50_000;

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To what the tag inherits.
    Up,
    /// To those who inherit the tag.
    Down,
}

/// A link that was met.
pub(super) struct Met {
    /// The link, and how it was reached.
    pub(super) full: FullInheritanceLink,
    /// The configuration of the tag it leads to does not count.
    pub(super) noconfig: bool,
}

/// A level that is being walked through.
struct Level<'a> {
    tag: TagId,
    links: std::slice::Iter<'a, InheritanceLink>,
    /// How many more levels may be followed; None = all.
    left: Option<i32>,
    noconfig: bool,
    filter: Vec<String>,
}

/// What an earlier visit to a tag showed.
struct Visit {
    nextdepth: Option<i32>,
    noconfig: bool,
    is_filtered: bool,
}

impl Visit {
    /// Whether a visit with `nextdepth` and `noconfig` could show no more than this one did.
    fn is_sufficient(&self, nextdepth: Option<i32>, noconfig: bool) -> bool {
        let is_deep = match (self.nextdepth, nextdepth) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(earlier), Some(now)) => earlier >= now,
        };
        is_deep && (!self.noconfig || noconfig) && !self.is_filtered
    }
}

/// Walks from `root` through `links`, which are sorted as they are to be met: by priority.
///
/// # Errors
/// When the walk gets out of hand.
pub(super) fn walk(root: TagId, links: &[InheritanceLink], direction: Direction, quirks: Quirks) -> Result<Vec<Met>> {
    let mut by_tag: HashMap<TagId, Vec<InheritanceLink>> = HashMap::new();
    for link in links {
        by_tag.entry(from(link, direction)).or_default().push(link.clone());
    }
    let level = |tag: TagId, left, noconfig, filter| {
        let links = by_tag.get(&tag).map(Vec::as_slice).unwrap_or_default().iter();
        Level { tag, links, left, noconfig, filter }
    };

    let mut order = Vec::new();
    let mut visits: HashMap<TagId, Vec<Visit>> = HashMap::new();
    let mut path = HashSet::from([root]);
    // a stack of our own: a chain of tags may be longer than a thread's
    let mut levels = vec![level(root, None, false, Vec::new())];
    while let Some(top) = levels.last_mut() {
        let Some(link) = top.links.next() else {
            path.remove(&top.tag);
            levels.pop();
            continue;
        };
        let left = top.left;
        let depth = levels.len() as i32;
        let next = to(link, direction);
        let is_hidden = match direction {
            Direction::Up => link.intransitive && depth > 1,
            Direction::Down => link.maxdepth.is_some_and(|most| most < depth - 1),
        };
        if path.contains(&next) || is_hidden {
            continue;
        }
        let nextdepth = match (direction, link.maxdepth, left) {
            (Direction::Down, ..) => None,
            (Direction::Up, None, left) => left.map(|left| left - 1),
            (Direction::Up, Some(most), None) => Some(most),
            (Direction::Up, Some(most), Some(left)) if quirks.are_kept() => Some(most.min(left) - 1),
            (Direction::Up, Some(most), Some(left)) => Some(most.min(left - 1)),
        };
        let Some(top) = levels.last_mut() else { break };
        let noconfig = top.noconfig || link.noconfig;
        top.noconfig = if quirks.are_kept() { noconfig } else { top.noconfig };
        let hides_config = if quirks.are_kept() { link.noconfig } else { noconfig };
        let mut filter = top.filter.clone();
        if !link.pkg_filter.is_empty() {
            filter.push(link.pkg_filter.clone());
        }
        let earlier = visits.entry(next).or_default();
        if earlier.iter().any(|visit| visit.is_sufficient(nextdepth, noconfig)) {
            continue;
        }
        earlier.push(Visit { nextdepth, noconfig: hides_config, is_filtered: !filter.is_empty() });
        if order.len() == MOST {
            return Err(Error::invalid(format!("the inheritance of tag {root} leads through more than {MOST} links")));
        }
        let tag_id = matches!(direction, Direction::Down).then_some(link.child_id);
        let filters = filter.clone();
        let full = FullInheritanceLink { link: link.clone(), currdepth: depth, nextdepth, filter: filters, tag_id };
        order.push(Met { full, noconfig: hides_config });
        let is_followed = match direction {
            Direction::Up => nextdepth.is_none_or(|left| left >= 1),
            Direction::Down => !link.intransitive,
        };
        if is_followed {
            path.insert(next);
            levels.push(level(next, nextdepth, noconfig, filter));
        }
    }
    Ok(order)
}

fn from(link: &InheritanceLink, direction: Direction) -> TagId {
    match direction {
        Direction::Up => link.child_id,
        Direction::Down => link.parent_id,
    }
}

fn to(link: &InheritanceLink, direction: Direction) -> TagId {
    match direction {
        Direction::Up => link.parent_id,
        Direction::Down => link.child_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: u8) -> TagId {
        TagId((name - b'A' + 1).into())
    }

    /// `A->B p10 maxdepth 0 intransitive noconfig filter x.*`, several separated by `;`. Without a priority: in the order given.
    fn links(text: &str) -> Vec<InheritanceLink> {
        let mut links: Vec<InheritanceLink> = text.split(';').enumerate().map(|(at, text)| link(at, text)).collect();
        links.sort_by_key(|link| (link.priority, link.child_id));
        links
    }

    fn link(at: usize, text: &str) -> InheritanceLink {
        let mut words = text.split_whitespace();
        let ends = words.next().unwrap().as_bytes();
        let mut link = InheritanceLink {
            intransitive: false,
            maxdepth: None,
            name: String::new(),
            noconfig: false,
            parent_id: id(ends[3]),
            pkg_filter: String::new(),
            priority: 100 + at as i32,
            child_id: id(ends[0]),
        };
        while let Some(word) = words.next() {
            match word {
                "intransitive" => link.intransitive = true,
                "noconfig" => link.noconfig = true,
                "maxdepth" => link.maxdepth = words.next().map(|depth| depth.parse().unwrap()),
                "filter" => link.pkg_filter = words.next().unwrap().to_owned(),
                priority => link.priority = priority.trim_start_matches('p').parse().unwrap(),
            }
        }
        link
    }

    fn shown(order: &[Met]) -> String {
        let name = |tag: TagId| (b'A' + (tag.0 - 1) as u8) as char;
        let show = |met: &Met| format!("{}>{}", name(met.full.link.child_id), name(met.full.link.parent_id));
        order.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    fn up(text: &str) -> String {
        shown(&walk(id(b'A'), &links(text), Direction::Up, Quirks::Koji).unwrap())
    }

    fn up_without_quirks(text: &str) -> String {
        shown(&walk(id(b'A'), &links(text), Direction::Up, Quirks::None).unwrap())
    }

    /// The tags whose configuration counts.
    fn config(text: &str, quirks: Quirks) -> String {
        let mut met = walk(id(b'A'), &links(text), Direction::Up, quirks).unwrap();
        met.retain(|met| !met.noconfig);
        shown(&met)
    }

    #[test]
    fn parents_by_priority_and_each_tag_once() {
        assert_eq!(up("A->B p10; A->C p5; B->D; C->D"), "A>C C>D A>B");
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(up("A->B maxdepth 0; B->C"), "A>B");
        assert_eq!(up("A->B maxdepth 1; B->C; C->D"), "A>B B>C");
        assert_eq!(up("A->B; B->C maxdepth 1; C->D; D->E"), "A>B B>C C>D");
    }

    #[test]
    fn a_level_is_lost_within_a_bounded_walk() {
        let bounded = "A->B maxdepth 5; B->C maxdepth 1; C->D; D->E";
        assert_eq!(up(bounded), "A>B B>C");
        assert_eq!(up_without_quirks(bounded), "A>B B>C C>D");
        // the outer bound still holds
        assert_eq!(up_without_quirks("A->B maxdepth 1; B->C maxdepth 5; C->D"), "A>B B>C");
    }

    #[test]
    fn intransitive_counts_for_its_own_child_alone() {
        assert_eq!(up("A->B intransitive; B->C intransitive; B->D"), "A>B B>D");
    }

    #[test]
    fn a_tag_comes_again_when_it_may_show_more() {
        assert_eq!(up("A->B p1 maxdepth 0; A->C p2; C->B; B->E"), "A>B A>C C>B B>E");
        assert_eq!(up("A->B p1 filter x.*; A->C p2; C->B; B->E"), "A>B B>E A>C C>B B>E");
        assert_eq!(up("A->B p1; A->C p2 filter x.*; C->B; B->E"), "A>B B>E A>C");
    }

    #[test]
    fn noconfig_leaks_to_later_siblings() {
        let leak = "A->B p1 noconfig; A->C p2; C->B";
        assert_eq!(up(leak), "A>B A>C");
        assert_eq!(up_without_quirks(leak), "A>B A>C C>B");
        assert_eq!(config(leak, Quirks::None), "A>C C>B");
    }

    #[test]
    fn noconfig_hides_one_parent_or_all_behind_it() {
        let chain = "A->B noconfig; B->D";
        assert_eq!((up(chain), up_without_quirks(chain)), ("A>B B>D".to_owned(), "A>B B>D".to_owned()));
        assert_eq!(config(chain, Quirks::Koji), "B>D");
        assert_eq!(config(chain, Quirks::None), "");
        // D comes again by a way that shows its configuration
        assert_eq!(config("A->B p1 noconfig; A->C p2; B->D; C->D", Quirks::None), "A>C C>D");
    }

    #[test]
    fn loops_are_cut() {
        assert_eq!(up("A->B; B->A; B->C"), "A>B B>C");
        assert_eq!(up("A->A; A->B"), "A>B");
    }

    #[test]
    fn downwards() {
        let links = links("A->B p0; B->C p0; D->C p0 maxdepth 0; E->D p0; F->C p0 intransitive; G->F p0");
        assert_eq!(shown(&walk(id(b'C'), &links, Direction::Down, Quirks::Koji).unwrap()), "B>C A>B D>C E>D F>C");
    }

    #[test]
    fn depths_and_filters_are_told() {
        let order =
            walk(id(b'A'), &links("A->B maxdepth 3 filter a.*; B->C filter b.*"), Direction::Up, Quirks::Koji).unwrap();
        assert_eq!((order[0].full.currdepth, order[0].full.nextdepth), (1, Some(3)));
        assert_eq!((order[1].full.currdepth, order[1].full.nextdepth), (2, Some(2)));
        assert_eq!(order[1].full.filter, ["a.*", "b.*"]);
    }

    #[test]
    fn long_chains_and_tangles_end() {
        let chain: Vec<InheritanceLink> = (1..20_000)
            .map(|n| InheritanceLink { parent_id: TagId(n + 1), child_id: TagId(n), ..link(0, "A->B") })
            .collect();
        assert_eq!(walk(TagId(1), &chain, Direction::Up, Quirks::Koji).unwrap().len(), 19_999);
        // each level is reached by two filtered ways, so the ways double
        let tangle: Vec<InheritanceLink> = (0..40)
            .flat_map(|n| {
                let one = |child, parent| InheritanceLink {
                    child_id: TagId(child),
                    parent_id: TagId(parent),
                    ..link(0, "A->B filter x")
                };
                let base = 3 * n;
                [one(base, base + 1), one(base, base + 2), one(base + 1, base + 3), one(base + 2, base + 3)]
            })
            .collect();
        assert!(walk(TagId(0), &tangle, Direction::Up, Quirks::Koji).is_err());
    }
}
