//! `toji hostinfo`

use anyhow::Context;
use serde_json::json;
use toji_protocol::{
    id::{HostId, Ref},
    method::{
        OneOrMany,
        buildroot::{Buildroot, ListBuildroots},
        channel::{Channel, ListChannels},
        host::{GetHost, Host},
    },
    state::BuildrootState,
};

use crate::{
    argument,
    output::{long_ts, yes_no},
    session::Session,
};

/// Show a builder: what it builds, and what it is doing
#[derive(clap::Args)]
pub(crate) struct Hostinfo {
    /// The hosts
    #[arg(required = true, value_name = "HOST", value_parser = argument::named::<HostId>)]
    hosts: Vec<Ref<HostId>>,
}

impl Hostinfo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for (place, host_info) in self.hosts.into_iter().enumerate() {
            let host =
                session.call(&GetHost { host_info, strict: true, event: None }).await?.context("no such host")?;
            let id = Some(Ref::Id(host.id));
            let channels = session.call(&ListChannels { host_id: id.clone(), event: None, enabled: None }).await?;
            let active = [BuildrootState::Init, BuildrootState::Waiting, BuildrootState::Building];
            let buildroots = ListBuildroots {
                host_id: id,
                tag_id: None,
                state: Some(OneOrMany::Many(active.to_vec())),
                rpm_id: None,
                archive_id: None,
                task_id: None,
                buildroot_id: None,
                repo_id: None,
                query_opts: None,
            };
            let buildroots = session.call(&buildroots).await?.into_rows();
            if session.json {
                let mut json = json!(host);
                json["channels"] = json!(channels);
                json["buildroots"] = json!(buildroots);
                session.say_json(&json)?;
                continue;
            }
            if place > 0 {
                session.say("\n")?;
            }
            session.say(&render(&host, &channels, &buildroots))?;
        }
        Ok(())
    }
}

fn render(host: &Host, channels: &[Channel], buildroots: &[Buildroot]) -> String {
    let channels: Vec<_> = channels.iter().map(|channel| channel.name.as_str()).collect();
    let mut lines = vec![
        format!("Name: {}", host.name),
        format!("ID: {}", host.id),
        format!("Arches: {}", host.arches),
        format!("Capacity: {}", host.capacity),
        format!("Task Load: {:.2}", host.task_load),
        format!("Description: {}", host.description.as_deref().unwrap_or_default()),
        format!("Comment: {}", host.comment.as_deref().unwrap_or_default()),
        format!("Enabled: {}", yes_no(host.enabled)),
        format!("Ready: {}", yes_no(host.ready)),
        format!("Last Update: {}", host.update_ts.map_or_else(|| "never".to_owned(), long_ts)),
        format!("Channels: {}", channels.join(" ")),
        "Active Buildroots:".to_owned(),
    ];
    if buildroots.is_empty() {
        lines.push("None".to_owned());
    }
    for root in buildroots {
        let tag = root.tag_name.as_deref().unwrap_or("-");
        let repo = root.repo_id.map(|id| id.to_string()).unwrap_or_default();
        let name = format!("{tag}-{}-{repo}", root.id);
        lines.push(format!("{name:50} {:10} {}", root.arch, root.state.map_or("-", BuildrootState::name)));
    }
    lines.join("\n")
}
