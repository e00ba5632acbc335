//! `toji list-buildroot`

use toji_protocol::{
    id::BuildrootId,
    method::rpm::{ListRpms, Rpm},
};

use crate::session::Session;

/// List the RPMs that were installed in a buildroot
#[derive(clap::Args)]
pub(crate) struct ListBuildroot {
    /// The buildroot, as toji rpminfo names it
    buildroot: BuildrootId,
    /// The RPMs that were built there instead
    #[arg(long)]
    built: bool,
    /// Mark what was installed after the build had begun
    #[arg(long, short)]
    verbose: bool,
}

impl ListBuildroot {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let list = ListRpms {
            build_id: None,
            buildroot_id: self.built.then_some(self.buildroot),
            image_id: None,
            component_buildroot_id: (!self.built).then_some(self.buildroot),
            host_id: None,
            arches: None,
            query_opts: None,
            draft: None,
        };
        session.show(&list, |rpms| render(&rpms.into_rows(), self.verbose)).await
    }
}

fn render(rpms: &[Rpm], verbose: bool) -> String {
    let line = |rpm: &Rpm| {
        let update = if verbose && rpm.is_update == Some(true) { " [update]" } else { "" };
        format!("{}-{}-{}.{}{update}\n", rpm.name, rpm.version, rpm.release, rpm.arch)
    };
    let mut lines: Vec<_> = rpms.iter().map(line).collect();
    lines.sort();
    lines.concat()
}
