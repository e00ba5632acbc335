//! `toji list-hosts`

use toji_protocol::{
    id::{ChannelId, Ref},
    method::{
        OneOrMany,
        host::{Host, ListHosts as List},
    },
};

use crate::{
    argument,
    output::{Table, long_ts},
    session::Session,
};

/// List builders
#[derive(clap::Args)]
pub(crate) struct ListHosts {
    /// Only those that build this architecture; may be repeated
    #[arg(long, value_name = "ARCH")]
    arch: Vec<String>,
    /// Only those of this channel
    #[arg(long, value_parser = argument::named::<ChannelId>)]
    channel: Option<Ref<ChannelId>>,
    /// Only those whose builder has called lately
    #[arg(long, conflicts_with = "not_ready")]
    ready: bool,
    /// Only those whose builder has not
    #[arg(long)]
    not_ready: bool,
    /// Only those that are enabled
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Only those that are disabled
    #[arg(long)]
    disabled: bool,
}

impl ListHosts {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let only = |yes: bool, no: bool| (yes || no).then_some(yes);
        let list = List {
            arches: (!self.arch.is_empty()).then_some(OneOrMany::Many(self.arch)),
            channel_id: self.channel,
            ready: only(self.ready, self.not_ready),
            enabled: only(self.enabled, self.disabled),
            user_id: None,
            query_opts: None,
        };
        session.show(&list, |hosts| render(hosts.into_rows(), session.quiet)).await
    }
}

fn render(mut hosts: Vec<Host>, quiet: bool) -> String {
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut table =
        Table::new([("Hostname", 28), ("Enb", 3), ("Rdy", 3), ("Load/Cap", 9), ("Arches", 16), ("Last Update", 29)]);
    for host in hosts {
        let letter = |yes: bool| if yes { "Y" } else { "N" }.to_owned();
        table.row([
            host.name,
            letter(host.enabled),
            letter(host.ready),
            format!("{:4.1}/{:<4.1}", host.task_load, host.capacity),
            host.arches.split_whitespace().collect::<Vec<_>>().join(","),
            host.update_ts.map_or_else(|| "-".to_owned(), long_ts),
        ]);
    }
    table.text(quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let hosts = serde_json::json!([{
            "arches": "x86_64 noarch", "capacity": 2.0, "comment": null, "description": null, "enabled": true, "id": 1,
            "name": "builder1", "ready": true, "task_load": 1.5, "update_ts": 1795219192.8, "user_id": 4}]);
        insta::assert_snapshot!(render(serde_json::from_value(hosts).unwrap(), false), @r"
        Hostname                      Enb  Rdy  Load/Cap   Arches            Last Update
        ----------------------------  ---  ---  ---------  ----------------  -----------------------------
        builder1                      Y    Y     1.5/2.0   x86_64,noarch     Fri, 20 Nov 2026 23:59:52 UTC
        ");
    }
}
