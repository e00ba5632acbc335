//! `toji list-groups`

use std::collections::BTreeMap;

use toji_protocol::{
    id::{EventId, Ref, TagId},
    method::{
        group::{GetTagGroups, TagGroup},
        tag::{AtEvent, GetTag},
    },
};

use crate::{argument, session::Session};

/// List a tag's comps groups and what is in them
#[derive(clap::Args)]
pub(crate) struct ListGroups {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// Only this group
    group: Option<String>,
    /// As it was at this event
    #[arg(long)]
    event: Option<EventId>,
    /// With blocked ones
    #[arg(long)]
    show_blocked: bool,
}

impl ListGroups {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let list = GetTagGroups {
            tag: self.tag,
            event: self.event,
            inherit: true,
            incl_pkgs: true,
            incl_reqs: true,
            incl_blocked: self.show_blocked,
        };
        if session.json {
            return session.show(&list, |_| String::new()).await;
        }
        let mut groups = session.call(&list).await?;
        groups.retain(|group| self.group.as_ref().is_none_or(|only| *only == group.name));
        let tags = names(session, self.event, &groups).await?;
        session.say(&render(groups, &tags))
    }
}

/// The names of all tags that say something about the groups.
async fn names(
    session: &Session,
    event: Option<EventId>,
    groups: &[TagGroup],
) -> anyhow::Result<BTreeMap<TagId, String>> {
    let mut names = BTreeMap::new();
    for group in groups {
        let packages = group.packagelist.iter().flatten().map(|package| package.tag_id);
        let groups = group.grouplist.iter().flatten().map(|group| group.tag_id);
        for id in packages.chain(groups).chain([group.tag_id]) {
            if names.contains_key(&id) {
                continue;
            }
            let tag = GetTag { tag_info: Ref::Id(id), strict: false, event: event.map(AtEvent::Id), blocked: false };
            let name = session.call(&tag).await?.map_or_else(|| id.to_string(), |tag| tag.name);
            names.insert(id, name);
        }
    }
    Ok(names)
}

fn render(mut groups: Vec<TagGroup>, tags: &BTreeMap<TagId, String>) -> String {
    let tag = |id: TagId| tags.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let hidden = |blocked: bool| if blocked { " [BLOCKED]" } else { "" };
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = String::new();
    for group in groups {
        text.push_str(&format!("{}  [{}]{}\n", group.name, tag(group.tag_id), hidden(group.blocked)));
        let mut lines: Vec<String> = group
            .grouplist
            .iter()
            .flatten()
            .map(|req| format!("  @{}: {}  [{}]{}\n", req.name, req.kind, tag(req.tag_id), hidden(req.blocked)))
            .collect();
        let package = |package: &toji_protocol::method::group::GroupPackage| {
            let base = match package.basearchonly {
                Some(true) => "True",
                Some(false) => "False",
                None => "None",
            };
            let (kind, tag) = (&package.kind, tag(package.tag_id));
            format!("  {}: {base}, {kind}  [{tag}]{}\n", package.package, hidden(package.blocked))
        };
        lines.extend(group.packagelist.iter().flatten().map(package));
        lines.sort();
        text.extend(lines);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let groups = serde_json::json!([{
            "biarchonly": false, "blocked": false, "description": null, "display_name": "build", "exported": true,
            "group_id": 1, "is_default": true, "langonly": null, "name": "build", "tag_id": 2, "uservisible": true,
            "packagelist": [
                {"basearchonly": null, "blocked": false, "group_id": 1, "package": "gcc", "requires": null, "tag_id": 2,
                 "type": "mandatory"},
                {"basearchonly": null, "blocked": true, "group_id": 1, "package": "bash", "requires": null, "tag_id": 9,
                 "type": "mandatory"}],
            "grouplist": []}]);
        let groups = serde_json::from_value(groups).unwrap();
        insta::assert_snapshot!(render(groups, &BTreeMap::from([(TagId(2), "demo-build".to_owned())])), @r"
        build  [demo-build]
          bash: None, mandatory  [9] [BLOCKED]
          gcc: None, mandatory  [demo-build]
        ");
    }
}
