//! The inheritance of many tags, loaded by one statement: for who asks of thousands of them, now or as they were.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId},
    method::tag::InheritanceLink,
};

use super::{Quirks, walk};
use crate::Result;

/// A link, and while it counted.
struct Lived {
    link: InheritanceLink,
    created: EventId,
    revoked: Option<EventId>,
}

impl Lived {
    fn lives(&self, at: Option<EventId>) -> bool {
        match at {
            None => self.revoked.is_none(),
            Some(at) => self.created <= at && self.revoked.is_none_or(|revoked| at < revoked),
        }
    }
}

/// Every link above some tags that counts now or has counted since some event.
pub(crate) struct Ancestry {
    by_child: HashMap<TagId, Vec<Lived>>,
    quirks: Quirks,
}

impl Ancestry {
    /// Loads what these tags inherit. `since` is the earliest event that will be asked for; None = only as it is now.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn load(
        conn: &mut PgConnection,
        quirks: Quirks,
        tags: &[TagId],
        since: Option<EventId>,
    ) -> Result<Self> {
        let mut by_child: HashMap<TagId, Vec<Lived>> = HashMap::new();
        for lived in lived_above(conn, tags, since).await? {
            by_child.entry(lived.link.child_id).or_default().push(lived);
        }
        Ok(Self { by_child, quirks })
    }

    /// A tag and its ancestors, as [`with_ancestors`](super::with_ancestors) answers them. Where that walk gets out of hand it is all that
    /// can be reached, in no order: one such tag is not to stop what is done for thousands.
    pub(crate) fn of(&self, tag: TagId, at: Option<EventId>) -> Vec<TagId> {
        let mut reached = HashSet::from([tag]);
        let mut pending = vec![tag];
        let mut links = Vec::new();
        while let Some(child) = pending.pop() {
            let up = self.by_child.get(&child).map(Vec::as_slice).unwrap_or_default();
            for lived in up.iter().filter(|lived| lived.lives(at)) {
                links.push(lived.link.clone());
                if reached.insert(lived.link.parent_id) {
                    pending.push(lived.link.parent_id);
                }
            }
        }
        // most tags have few links: what cannot be reached is not walked through
        let met = match walk::walk(tag, &links, walk::Direction::Up, self.quirks) {
            Ok(met) => met,
            Err(error) => {
                tracing::warn!(%tag, %error, "its ancestors are not told apart");
                return reached.into_iter().collect();
            }
        };
        let mut seen = HashSet::new();
        let order = std::iter::once(tag).chain(met.into_iter().map(|met| met.full.link.parent_id));
        order.filter(|tag| seen.insert(*tag)).collect()
    }
}

/// All links above these tags that count now or have counted since an event, by priority.
async fn lived_above(conn: &mut PgConnection, tags: &[TagId], since: Option<EventId>) -> Result<Vec<Lived>> {
    let ids: Vec<i64> = tags.iter().map(|tag| tag.0).collect();
    let rows = sqlx::query!(
        r#"WITH RECURSIVE reached AS (
               SELECT unnest($1::bigint[]) AS id
               UNION
               SELECT parent_id FROM reached JOIN tag_inheritance ON tag_id = reached.id WHERE active OR revoke_event > $2)
           SELECT tag_id, parent_id, name, priority, maxdepth, intransitive, noconfig, pkg_filter, create_event, revoke_event
           FROM reached JOIN tag_inheritance ON tag_id = reached.id JOIN tag ON tag.id = parent_id
           WHERE active OR revoke_event > $2 ORDER BY priority, tag_id"#,
        &ids,
        since.map(|event| event.0)
    )
    .fetch_all(conn)
    .await?;
    let lived = rows.into_iter().map(|row| Lived {
        link: InheritanceLink {
            intransitive: row.intransitive,
            maxdepth: row.maxdepth,
            name: row.name,
            noconfig: row.noconfig,
            parent_id: TagId(row.parent_id),
            pkg_filter: row.pkg_filter,
            priority: row.priority,
            child_id: TagId(row.tag_id),
        },
        created: EventId(row.create_event),
        revoked: row.revoke_event.map(EventId),
    });
    Ok(lived.collect())
}
