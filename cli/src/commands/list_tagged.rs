//! `toji list-tagged`

use toji_protocol::{
    id::{EventId, PackageId, Ref, TagId},
    method::{
        OneOrMany,
        content::{Latest, ListTagged as List, ListTaggedRpms, TaggedBuild, TaggedRpm},
    },
};

use crate::{argument, output::Table, session::Session};

/// List the builds in a tag, or their RPMs
#[derive(clap::Args)]
pub(crate) struct ListTagged {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// Only of this package
    #[arg(value_parser = argument::named::<PackageId>)]
    package: Option<Ref<PackageId>>,
    /// Only the newest of each package
    #[arg(long, conflicts_with = "latest_n")]
    latest: bool,
    /// Only the newest N of each package
    #[arg(long, value_name = "N")]
    latest_n: Option<u32>,
    /// With those that the tag inherits
    #[arg(long)]
    inherit: bool,
    /// RPMs instead of builds
    #[arg(long)]
    rpms: bool,
    /// Only RPMs of this architecture; may be repeated
    #[arg(long, value_name = "ARCH", requires = "rpms")]
    arch: Vec<String>,
    /// As it was at this event
    #[arg(long)]
    event: Option<EventId>,
}

impl ListTagged {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let latest = Some(self.latest_n.map_or(Latest::Flag(self.latest), Latest::Count));
        if self.rpms {
            let list = ListTaggedRpms {
                tag: self.tag,
                event: self.event,
                inherit: self.inherit,
                latest,
                package: self.package,
                arch: (!self.arch.is_empty()).then_some(OneOrMany::Many(self.arch)),
                rpmsigs: false,
                owner: None,
                kind: None,
                strict: true,
                extra: false,
                draft: None,
            };
            return session.show(&list, |(rpms, _)| rpm_lines(&rpms)).await;
        }
        let list = List {
            tag: self.tag,
            event: self.event,
            inherit: self.inherit,
            prefix: None,
            latest,
            package: self.package,
            owner: None,
            kind: None,
            strict: true,
            extra: false,
            draft: None,
        };
        session.show(&list, |builds| render(builds, session.quiet)).await
    }
}

/// Each RPM as name-version-release.arch.
pub(crate) fn rpm_lines(rpms: &[TaggedRpm]) -> String {
    let mut lines: Vec<_> =
        rpms.iter().map(|rpm| format!("{}-{}-{}.{}\n", rpm.name, rpm.version, rpm.release, rpm.arch)).collect();
    lines.sort();
    lines.concat()
}

/// Builds by name, as the hub sorts versions.
pub(crate) fn render(mut builds: Vec<TaggedBuild>, quiet: bool) -> String {
    builds.sort_by(|a, b| a.package_name.cmp(&b.package_name));
    let mut table = Table::new([("Build", 40), ("Tag", 20), ("Built by", 16)]);
    for build in builds {
        table.row([build.nvr, build.tag_name, build.owner_name]);
    }
    table.text(quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let mut build = super::super::buildinfo::tests::build();
        build["tag_id"] = 1.into();
        build["tag_name"] = "demo".into();
        build["create_event"] = 52.into();
        insta::assert_snapshot!(render(vec![serde_json::from_value(build).unwrap()], false), @r"
        Build                                     Tag                   Built by
        ----------------------------------------  --------------------  ----------------
        hello-1.0-1                               demo                  admin
        ");
    }
}
