//! `toji list-tags`

use toji_protocol::{
    id::{PackageId, Ref},
    method::{
        Listing,
        build::BuildRef,
        tag::{ListTags as List, ListedTag},
    },
};

use crate::{argument, session::Session};

/// List tags
#[derive(clap::Args)]
pub(crate) struct ListTags {
    /// Only names that match; * and ? as in a shell
    pattern: Option<String>,
    /// Show ids
    #[arg(long)]
    show_id: bool,
    /// Show locks and permissions
    #[arg(long, short)]
    verbose: bool,
    /// Only tags that are not locked
    #[arg(long)]
    unlocked: bool,
    /// Only tags that this build is in
    #[arg(long, value_parser = argument::build)]
    build: Option<BuildRef>,
    /// Only tags whose package list has this one
    #[arg(long, value_parser = argument::named::<PackageId>)]
    package: Option<Ref<PackageId>>,
}

impl ListTags {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let list = List {
            build: self.build.clone(),
            package: self.package.clone(),
            perms: true,
            query_opts: None,
            pattern: self.pattern.clone(),
        };
        session.show(&list, |tags| self.render(tags)).await
    }

    fn render(&self, tags: Listing<ListedTag>) -> String {
        let mut tags = tags.into_rows();
        tags.retain(|tag| !(self.unlocked && tag.locked));
        tags.sort_by(|a, b| a.name.cmp(&b.name));
        tags.iter().map(|tag| self.line(tag)).collect()
    }

    fn line(&self, tag: &ListedTag) -> String {
        let mut line = tag.name.clone();
        if self.show_id {
            line.push_str(&format!(" [{}]", tag.id));
        }
        if self.verbose && tag.locked {
            line.push_str(" [LOCKED]");
        }
        if let Some(perm) = tag.perm.as_ref().and_then(Option::as_ref).filter(|_| self.verbose) {
            line.push_str(&format!(" [{perm} perm required]"));
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let tags = serde_json::json!([
            {"id": 2, "name": "demo-build", "arches": "x86_64", "locked": true, "maven_support": false,
             "maven_include_all": false, "perm_id": 1, "perm": "admin"},
            {"id": 1, "name": "demo", "arches": null, "locked": false, "maven_support": false,
             "maven_include_all": false, "perm_id": null, "perm": null},
        ]);
        let tags: Listing<ListedTag> = serde_json::from_value(tags).unwrap();
        let list = |show_id, verbose, unlocked| {
            let list = ListTags { pattern: None, show_id, verbose, unlocked, build: None, package: None };
            list.render(tags.clone())
        };
        assert_eq!(list(false, false, false), "demo\ndemo-build\n");
        assert_eq!(list(true, true, false), "demo [1]\ndemo-build [2] [LOCKED] [admin perm required]\n");
        assert_eq!(list(false, false, true), "demo\n");
    }
}
