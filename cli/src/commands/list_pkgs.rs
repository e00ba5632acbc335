//! `toji list-pkgs`

use toji_protocol::{
    id::{EventId, PackageId, Ref, TagId, UserId},
    method::package::{ListPackages, ListedPackage, PackageRow},
};

use crate::{argument, output::Table, session::Session};

/// List packages: a tag's, an owner's, or all
#[derive(clap::Args)]
pub(crate) struct ListPkgs {
    /// Only this tag's
    #[arg(long, value_parser = argument::named::<TagId>)]
    tag: Option<Ref<TagId>>,
    /// Only this package
    #[arg(long, value_parser = argument::named::<PackageId>)]
    package: Option<Ref<PackageId>>,
    /// Only this owner's
    #[arg(long, value_parser = argument::named::<UserId>)]
    owner: Option<Ref<UserId>>,
    /// Without those that the tag inherits
    #[arg(long)]
    noinherit: bool,
    /// With blocked ones
    #[arg(long)]
    show_blocked: bool,
    /// With those that a nearer tag hides
    #[arg(long)]
    show_dups: bool,
    /// As it was at this event
    #[arg(long)]
    event: Option<EventId>,
}

impl ListPkgs {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let in_tags = self.tag.is_some() || self.owner.is_some() || self.package.is_some();
        let list = ListPackages {
            inherited: self.tag.is_some() && !self.noinherit,
            tag_id: self.tag,
            user_id: self.owner,
            pkg_id: self.package,
            prefix: None,
            with_dups: self.show_dups,
            event: self.event,
            query_opts: None,
            with_owners: true,
            with_blocked: self.show_blocked,
        };
        session.show(&list, |packages| render(packages.into_rows(), in_tags, session.quiet)).await
    }
}

fn render(packages: Vec<PackageRow>, in_tags: bool, quiet: bool) -> String {
    let mut listed = Vec::new();
    let mut names = Vec::new();
    for row in packages {
        match row {
            PackageRow::Listed(entry) => listed.push(entry),
            PackageRow::Named(package) => names.push(package.package_name),
        }
    }
    if in_tags { entries(listed, quiet) } else { all(names, quiet) }
}

fn all(mut names: Vec<String>, quiet: bool) -> String {
    names.sort();
    let mut table = Table::new([("Package", 23)]);
    for name in names {
        table.row([name]);
    }
    table.text(quiet)
}

fn entries(mut packages: Vec<ListedPackage>, quiet: bool) -> String {
    packages.sort_by(|a, b| a.package_name.cmp(&b.package_name));
    let mut table = Table::new([("Package", 23), ("Tag", 23), ("Extra Arches", 16), ("Owner", 15)]);
    for package in packages {
        let owner = package.owner_name.unwrap_or_default();
        let owner = if package.blocked { format!("{owner} [BLOCKED]") } else { owner };
        let tag = package.tag_name.unwrap_or_default();
        table.row([package.package_name, tag, package.extra_arches.unwrap_or_default(), owner]);
    }
    table.text(quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let packages = serde_json::json!([
            {"blocked": true, "extra_arches": null, "owner_id": 1, "owner_name": "admin", "package_id": 2,
             "package_name": "world", "tag_id": 1, "tag_name": "demo"},
            {"blocked": false, "extra_arches": "i686", "owner_id": 1, "owner_name": "admin", "package_id": 1,
             "package_name": "hello", "tag_id": 1, "tag_name": "demo"},
        ]);
        let packages: Vec<PackageRow> = serde_json::from_value(packages).unwrap();
        insta::assert_snapshot!(render(packages, true, false), @r"
        Package                  Tag                      Extra Arches      Owner
        -----------------------  -----------------------  ----------------  ---------------
        hello                    demo                     i686              admin
        world                    demo                                       admin [BLOCKED]
        ");
        let names = serde_json::json!([
            {"package_id": 2, "package_name": "world"},
            {"package_id": 1, "package_name": "hello"},
        ]);
        let names: Vec<PackageRow> = serde_json::from_value(names).unwrap();
        assert_eq!(render(names, false, true), "hello\nworld\n");
    }
}
