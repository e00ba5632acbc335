//! In which order the lists of a tag and its ancestors count, and which packages each link lets through.

use std::collections::HashMap;

use regex::Regex;
use sqlx::PgConnection;
use toji_protocol::id::{EventId, TagId};

use crate::{
    Error, Result,
    tag::{self, Quirks},
};

/// A link's package filter: a regular expression, anchored at its start as Python's `re.match` is.
#[derive(Clone, Debug)]
pub(crate) struct Filter(Regex);

impl Filter {
    /// # Errors
    /// When it is no regular expression, or one that cannot be matched in linear time.
    pub(crate) fn new(pattern: &str) -> Result<Self> {
        let regex = Regex::new(&format!("^(?:{pattern})"));
        regex.map(Self).map_err(|error| Error::invalid(format!("package filter '{pattern}': {error}")))
    }

    fn lets_through(&self, package: &str) -> bool {
        self.0.is_match(package)
    }
}

/// One place in the order. A tag may have several, under different filters.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) tag: TagId,
    filters: Vec<Filter>,
}

impl Place {
    /// Whether the links that lead here let a package through.
    pub(crate) fn lets_through(&self, package: &str) -> bool {
        self.filters.iter().all(|filter| filter.lets_through(package))
    }
}

/// A tag and its ancestors in the order in which their package lists count.
#[derive(Debug)]
pub(crate) struct Order(Vec<Place>);

impl Order {
    /// The order for a tag: itself, and with `inherit` its ancestors.
    ///
    /// # Errors
    /// When the walk through ancestors gets out of hand, or a stored filter is none.
    pub(crate) async fn load(
        conn: &mut PgConnection,
        quirks: Quirks,
        tag: TagId,
        at: Option<EventId>,
        inherit: bool,
    ) -> Result<Self> {
        let mut places = vec![Place { tag, filters: Vec::new() }];
        if !inherit {
            return Ok(Self(places));
        }
        let mut known: HashMap<String, Filter> = HashMap::new();
        for full in tag::inheritance(conn, quirks, tag, at).await? {
            let mut filters = Vec::with_capacity(full.filter.len());
            for pattern in full.filter {
                let filter = match known.get(&pattern) {
                    Some(filter) => filter.clone(),
                    None => Filter::new(&pattern)?,
                };
                known.insert(pattern, filter.clone());
                filters.push(filter);
            }
            places.push(Place { tag: full.link.parent_id, filters });
        }
        Ok(Self(places))
    }

    /// The tags in their order, repeated where a walk repeats them.
    pub(crate) fn walk(&self) -> impl Iterator<Item = &Place> {
        self.0.iter()
    }

    /// The tags, each once.
    pub(crate) fn tags(&self) -> Vec<TagId> {
        let mut tags: Vec<TagId> = self.walk().map(|place| place.tag).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// The tags whose entries of a package are seen, nearest first.
    pub(crate) fn places<'a>(&'a self, package: &'a str) -> impl Iterator<Item = TagId> + 'a {
        self.walk().filter(move |place| place.lets_through(package)).map(|place| place.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_anchored_at_their_start_alone() {
        let filter = Filter::new("foo|bar").unwrap();
        assert!(filter.lets_through("foo") && filter.lets_through("barley"));
        assert!(!filter.lets_through("afoo") && !filter.lets_through("abar"));
        assert!(Filter::new("a(").is_err());
    }
}
