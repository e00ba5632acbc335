//! `toji taginfo`

use anyhow::Context;
use serde_json::json;
use toji_protocol::{
    id::{Ref, TagId},
    method::{
        external_repo::{GetTagExternalRepos, TagExternalRepo},
        group::{GetTagGroups, TagGroup},
        repo::{GetRepo, Repo},
        tag::{BuildConfig, GetBuildConfig, GetInheritanceData, GetTag, InheritanceLink},
        target::{BuildTarget, GetBuildTargets},
    },
    value::Value,
};

use crate::{argument, output::long_ts, session::Session};

/// Show a tag: its settings, its parents, its targets
#[derive(clap::Args)]
pub(crate) struct Taginfo {
    /// The tags
    #[arg(required = true, value_name = "TAG", value_parser = argument::named::<TagId>)]
    tags: Vec<Ref<TagId>>,
}

/// Everything that is shown.
struct Info {
    config: BuildConfig,
    groups: Vec<TagGroup>,
    targets: Vec<BuildTarget>,
    into: Vec<BuildTarget>,
    repo: Option<Repo>,
    external: Vec<TagExternalRepo>,
    parents: Vec<InheritanceLink>,
}

impl Taginfo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for (place, tag) in self.tags.iter().enumerate() {
            let info = Info::ask(session, tag).await?;
            if session.json {
                session.say_json(&info.json())?;
                continue;
            }
            if place > 0 {
                session.say("\n")?;
            }
            session.say(&info.text())?;
        }
        Ok(())
    }
}

impl Info {
    async fn ask(session: &Session, tag: &Ref<TagId>) -> anyhow::Result<Self> {
        let strict = GetTag { tag_info: tag.clone(), strict: true, event: None, blocked: false };
        let id = session.call(&strict).await?.context("no such tag")?.id;
        let tag = || Ref::Id(id);
        let config = session.call(&GetBuildConfig { tag: tag(), event: None }).await?.context("no such tag")?;
        let groups = GetTagGroups {
            tag: tag(),
            event: None,
            inherit: true,
            incl_pkgs: false,
            incl_reqs: false,
            incl_blocked: false,
        };
        let targets = |build: Option<Ref<TagId>>, dest: Option<Ref<TagId>>| GetBuildTargets {
            info: None,
            event: None,
            build_tag_id: build,
            dest_tag_id: dest,
            query_opts: None,
        };
        let external = GetTagExternalRepos { tag_info: Some(tag()), repo_info: None, event: None };
        let repo = GetRepo { tag: tag(), state: None, event: None, dist: false, min_event: None };
        Ok(Self {
            config,
            groups: session.call(&groups).await?,
            targets: session.call(&targets(Some(tag()), None)).await?.into_rows(),
            into: session.call(&targets(None, Some(tag()))).await?.into_rows(),
            repo: session.call(&repo).await?,
            external: session.call(&external).await?,
            parents: session.call(&GetInheritanceData { tag: tag(), event: None }).await?,
        })
    }

    fn json(&self) -> serde_json::Value {
        let mut json = json!(self.config);
        json["groups"] = json!(self.groups);
        json["build_targets"] = json!(self.targets);
        json["dest_targets"] = json!(self.into);
        json["repo"] = json!(self.repo);
        json["external_repos"] = json!(self.external);
        json["inheritance"] = json!(self.parents);
        json
    }

    fn text(&self) -> String {
        let tag = &self.config.tag;
        let mut lines = vec![format!("Tag: {} [{}]", tag.name, tag.id)];
        lines.push(format!("Arches: {}", tag.arches.as_deref().unwrap_or("None")));
        let mut groups: Vec<_> = self.groups.iter().map(|group| group.name.as_str()).collect();
        groups.sort_unstable();
        lines.push(format!("Groups: {}", groups.join(", ")));
        if tag.locked {
            lines.push("LOCKED".to_owned());
        }
        if let Some(perm) = &tag.perm {
            lines.push(format!("Required permission: '{perm}'"));
        }
        if !tag.extra.is_empty() {
            lines.push("Tag options:".to_owned());
            lines.extend(tag.extra.iter().map(|(key, value)| self.option(key, value)));
        }
        if !self.targets.is_empty() {
            let repo = self.repo.as_ref();
            let repo = repo
                .map_or("no current repo".to_owned(), |repo| format!("repo#{}: {}", repo.id, long_ts(repo.create_ts)));
            lines.push("This tag is a buildroot for one or more targets".to_owned());
            lines.push(format!("Current repo: {repo}"));
            lines.push("Targets that build from this tag:".to_owned());
            lines.extend(self.targets.iter().map(|target| format!("  {}", target.name)));
        }
        if !self.into.is_empty() {
            lines.push("Targets that build to this tag:".to_owned());
            lines.extend(self.into.iter().map(|target| format!("  {}", target.name)));
        }
        if !self.external.is_empty() {
            lines.push("External repos:".to_owned());
            lines.extend(self.external.iter().map(external));
        }
        lines.push("Inheritance:".to_owned());
        lines.extend(self.parents.iter().map(parent));
        lines.join("\n")
    }

    fn option(&self, key: &str, value: &Value) -> String {
        let shown = serde_json::to_string(value).unwrap_or_default();
        let from =
            self.config.config_inheritance.extra.get(key).and_then(|from| from.get("name")).and_then(Value::as_str);
        let from = from.map(|name| format!("  [{name}]")).unwrap_or_default();
        format!("  {key} : {shown}{from}")
    }
}

fn external(repo: &TagExternalRepo) -> String {
    let arches = repo.arches.as_ref().map(|arches| format!(", arches: {arches}")).unwrap_or_default();
    format!("  {:3} {} ({}, merge mode: {}{arches})", repo.priority, repo.external_repo_name, repo.url, repo.merge_mode)
}

/// Each limit of a link has a letter in Koji: M, F, I, N.
fn parent(link: &InheritanceLink) -> String {
    let flag = |letter: char, set: bool| if set { letter } else { '.' };
    let flags: String = [
        flag('M', link.maxdepth.is_some()),
        flag('F', !link.pkg_filter.is_empty()),
        flag('I', link.intransitive),
        flag('N', link.noconfig),
    ]
    .into_iter()
    .collect();
    let mut text = format!("  {:<4} {flags} {} [{}]", link.priority, link.name, link.parent_id);
    if let Some(depth) = link.maxdepth {
        text.push_str(&format!("\n    maxdepth: {depth}"));
    }
    if !link.pkg_filter.is_empty() {
        text.push_str(&format!("\n    package filter: {}", link.pkg_filter));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_everything() {
        let config = json!({
            "id": 2, "name": "demo-build", "arches": "x86_64", "locked": true, "maven_support": false,
            "maven_include_all": false, "perm": "admin", "perm_id": 1, "extra": {"mock.package_manager": "dnf"},
            "config_inheritance": {"extra": {"mock.package_manager": {"id": 1, "name": "demo"}}, "arches": null},
        });
        let target = json!([{"id": 1, "name": "demo", "build_tag": 2, "build_tag_name": "demo-build", "dest_tag": 1,
            "dest_tag_name": "demo"}]);
        let external = json!([{"arches": null, "external_repo_id": 1, "external_repo_name": "mini", "merge_mode": "koji",
            "priority": 5, "tag_id": 2, "tag_name": "demo-build", "url": "http://mini/$arch"}]);
        let parents = json!([{"intransitive": false, "maxdepth": 1, "name": "demo", "noconfig": true, "parent_id": 1,
            "pkg_filter": "^a", "priority": 0, "child_id": 2}]);
        let info = Info {
            config: serde_json::from_value(config).unwrap(),
            groups: Vec::new(),
            targets: serde_json::from_value(target).unwrap(),
            into: Vec::new(),
            repo: None,
            external: serde_json::from_value(external).unwrap(),
            parents: serde_json::from_value(parents).unwrap(),
        };
        insta::assert_snapshot!(info.text(), @r#"
        Tag: demo-build [2]
        Arches: x86_64
        Groups: 
        LOCKED
        Required permission: 'admin'
        Tag options:
          mock.package_manager : "dnf"  [demo]
        This tag is a buildroot for one or more targets
        Current repo: no current repo
        Targets that build from this tag:
          demo
        External repos:
            5 mini (http://mini/$arch, merge mode: koji)
        Inheritance:
          0    MF.N demo [1]
            maxdepth: 1
            package filter: ^a
        "#);
    }
}
