//! The rules of inheritance once more, as plainly as they can be said: recursive, slow, and written from the rules, not from the
//! walk. The two must agree on every graph.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use toji_protocol::{id::TagId, method::tag::InheritanceLink};

use super::{Direction, Quirks, walk};

/// A link as it was met: the ends, how far away, how much further, through which filters, and whether configuration is left out.
type Step = (TagId, TagId, i32, Option<i32>, Vec<String>, bool);

/// An earlier visit to a tag: how much further it went, whether configuration was left out, and whether something was filtered.
struct Visit {
    tag: TagId,
    further: Option<i32>,
    noconfig: bool,
    filtered: bool,
}

struct Reference<'a> {
    links: &'a [InheritanceLink],
    quirks: Quirks,
    visits: Vec<Visit>,
    steps: Vec<Step>,
}

impl Reference<'_> {
    /// Links by priority; where two have the same, as only children of one parent can, by the child.
    fn sorted(&self, is_wanted: impl Fn(&InheritanceLink) -> bool) -> Vec<InheritanceLink> {
        let mut links: Vec<InheritanceLink> = self.links.iter().filter(|link| is_wanted(link)).cloned().collect();
        links.sort_by_key(|link| (link.priority, link.child_id));
        links
    }

    /// Rule 5: an earlier visit has shown all that this one could.
    fn is_known(&self, tag: TagId, further: Option<i32>, noconfig: bool) -> bool {
        self.visits.iter().filter(|visit| visit.tag == tag).any(|visit| {
            let went_as_far = match (visit.further, further) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(then), Some(now)) => then >= now,
            };
            let showed_config = !visit.noconfig || noconfig;
            went_as_far && showed_config && !visit.filtered
        })
    }

    fn up(&mut self, path: &[TagId], left: Option<i32>, filters: &[String], mut noconfig: bool) {
        let tag = path[path.len() - 1];
        for link in self.sorted(|link| link.child_id == tag) {
            let parent = link.parent_id;
            let is_loop = path.contains(&parent);
            let is_anothers = link.intransitive && path.len() > 1;
            if is_loop || is_anothers {
                continue;
            }
            let further = match (link.maxdepth, left, self.quirks) {
                (None, None, _) => None,
                (None, Some(left), _) => Some(left - 1),
                (Some(most), None, _) => Some(most),
                (Some(most), Some(left), Quirks::Koji) => Some(most.min(left) - 1),
                (Some(most), Some(left), Quirks::None) => Some(most.min(left - 1)),
            };
            let mut through = filters.to_vec();
            if !link.pkg_filter.is_empty() {
                through.push(link.pkg_filter.clone());
            }
            let on_the_way = noconfig || link.noconfig;
            let hides = match self.quirks {
                Quirks::Koji => {
                    noconfig = on_the_way;
                    link.noconfig
                }
                Quirks::None => on_the_way,
            };
            if self.is_known(parent, further, on_the_way) {
                continue;
            }
            self.visits.push(Visit { tag: parent, further, noconfig: hides, filtered: !through.is_empty() });
            self.steps.push((tag, parent, path.len() as i32, further, through.clone(), hides));
            if further != Some(0) && further.is_none_or(|further| further > 0) {
                self.up(&[path, &[parent]].concat(), further, &through, on_the_way);
            }
        }
    }

    fn down(&mut self, path: &[TagId], filters: &[String], mut noconfig: bool) {
        let tag = path[path.len() - 1];
        for link in self.sorted(|link| link.parent_id == tag) {
            let child = link.child_id;
            let levels_above = path.len() as i32 - 1;
            let is_too_far = link.maxdepth.is_some_and(|most| most < levels_above);
            if path.contains(&child) || is_too_far {
                continue;
            }
            let mut through = filters.to_vec();
            if !link.pkg_filter.is_empty() {
                through.push(link.pkg_filter.clone());
            }
            let on_the_way = noconfig || link.noconfig;
            let hides = match self.quirks {
                Quirks::Koji => {
                    noconfig = on_the_way;
                    link.noconfig
                }
                Quirks::None => on_the_way,
            };
            if self.is_known(child, None, on_the_way) {
                continue;
            }
            self.visits.push(Visit { tag: child, further: None, noconfig: hides, filtered: !through.is_empty() });
            self.steps.push((child, tag, path.len() as i32, None, through.clone(), hides));
            if !link.intransitive {
                self.down(&[path, &[child]].concat(), &through, on_the_way);
            }
        }
    }
}

fn slow(root: TagId, links: &[InheritanceLink], direction: Direction, quirks: Quirks) -> Vec<Step> {
    let mut reference = Reference { links, quirks, visits: Vec::new(), steps: Vec::new() };
    match direction {
        Direction::Up => reference.up(&[root], None, &[], false),
        Direction::Down => reference.down(&[root], &[], false),
    }
    reference.steps
}

fn fast(root: TagId, links: &[InheritanceLink], direction: Direction, quirks: Quirks) -> Vec<Step> {
    let mut sorted = links.to_vec();
    sorted.sort_by_key(|link| (link.priority, link.child_id));
    let met = walk(root, &sorted, direction, quirks).unwrap();
    met.into_iter()
        .map(|met| {
            let link = met.full.link;
            (link.child_id, link.parent_id, met.full.currdepth, met.full.nextdepth, met.full.filter, met.noconfig)
        })
        .collect()
}

/// A graph of up to seven tags, with loops and with every kind of link.
fn graph(rng: &mut StdRng) -> Vec<InheritanceLink> {
    let tags: i64 = rng.random_range(2..8);
    let links = rng.random_range(1..=2 * tags);
    let mut graph: Vec<InheritanceLink> = Vec::new();
    for _ in 0..links {
        let (child, parent) = (TagId(rng.random_range(1..=tags)), TagId(rng.random_range(1..=tags)));
        // at most one link of a child to a parent, and its priorities differ
        if graph.iter().any(|link| link.child_id == child && link.parent_id == parent) {
            continue;
        }
        let mut priority = rng.random_range(0..10);
        while graph.iter().any(|link| link.child_id == child && link.priority == priority) {
            priority += 1;
        }
        graph.push(InheritanceLink {
            intransitive: rng.random_bool(0.15),
            maxdepth: rng.random_bool(0.35).then(|| rng.random_range(0..4)),
            name: String::new(),
            noconfig: rng.random_bool(0.25),
            parent_id: parent,
            pkg_filter: if rng.random_bool(0.25) { format!("f{}", rng.random_range(0..3)) } else { String::new() },
            priority,
            child_id: child,
        });
    }
    graph
}

#[test]
fn the_walk_agrees_with_the_rules() {
    let times: u64 = std::env::var("TOJI_SOAK").map_or(1, |times| times.parse().unwrap());
    let mut longest = 0;
    for seed in 0..10_000 * times {
        let links = graph(&mut StdRng::seed_from_u64(seed));
        for quirks in [Quirks::Koji, Quirks::None] {
            for direction in [Direction::Up, Direction::Down] {
                let expected = slow(TagId(1), &links, direction, quirks);
                longest = longest.max(expected.len());
                let found = fast(TagId(1), &links, direction, quirks);
                assert_eq!(found, expected, "seed {seed}, {quirks:?}, {direction:?}: {links:#?}");
            }
        }
    }
    assert!(longest > 15, "the graphs are too simple: {longest}");
}
