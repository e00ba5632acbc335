//! `toji latest-build`

use toji_protocol::{
    id::{EventId, PackageId, Ref, TagId},
    method::{
        OneOrMany,
        content::{GetLatestBuilds, GetLatestRpms},
    },
};

use super::list_tagged::{render, rpm_lines};
use crate::{argument, session::Session};

/// Show the newest build of packages in a tag and what it inherits
#[derive(clap::Args)]
pub(crate) struct LatestBuild {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The packages
    #[arg(value_name = "PACKAGE", required_unless_present = "all", value_parser = argument::named::<PackageId>)]
    packages: Vec<Ref<PackageId>>,
    /// All packages
    #[arg(long, conflicts_with = "packages")]
    all: bool,
    /// RPMs of this architecture instead of builds; may be repeated
    #[arg(long, value_name = "ARCH")]
    arch: Vec<String>,
    /// As it was at this event
    #[arg(long)]
    event: Option<EventId>,
}

impl LatestBuild {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let packages = if self.all { vec![None] } else { self.packages.into_iter().map(Some).collect() };
        let (mut builds, mut rpms) = (Vec::new(), Vec::new());
        for package in packages {
            if self.arch.is_empty() {
                let latest =
                    GetLatestBuilds { tag: self.tag.clone(), event: self.event, package, kind: None, draft: None };
                builds.extend(session.call(&latest).await?);
            } else {
                let latest = GetLatestRpms {
                    tag: self.tag.clone(),
                    package,
                    arch: Some(OneOrMany::Many(self.arch.clone())),
                    event: self.event,
                    rpmsigs: false,
                    kind: None,
                    draft: None,
                };
                rpms.extend(session.call(&latest).await?.0);
            }
        }
        match (self.arch.is_empty(), session.json) {
            (true, true) => session.say_json(&builds),
            (false, true) => session.say_json(&rpms),
            (true, false) => session.say(&render(builds, session.quiet)),
            (false, false) => session.say(&rpm_lines(&rpms)),
        }
    }
}
