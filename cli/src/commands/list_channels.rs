//! `toji list-channels`

use toji_protocol::{
    id::Ref,
    method::{
        channel::{Channel, ListChannels as List},
        host::{Host, ListHosts},
    },
};

use crate::{output::Table, session::Session};

/// List channels, and how busy their builders are
#[derive(clap::Args)]
pub(crate) struct ListChannels {
    /// Only enabled ones
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Only disabled ones
    #[arg(long)]
    disabled: bool,
}

impl ListChannels {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let enabled = (self.enabled || self.disabled).then_some(self.enabled);
        let list = List { host_id: None, event: None, enabled };
        if session.json {
            return session.show(&list, |_| String::new()).await;
        }
        let mut channels = Vec::new();
        for channel in session.call(&list).await? {
            let hosts = ListHosts {
                arches: None,
                channel_id: Some(Ref::Id(channel.id)),
                ready: None,
                enabled: None,
                user_id: None,
                query_opts: None,
            };
            let hosts = session.call(&hosts).await?.into_rows();
            channels.push((channel, hosts));
        }
        session.say(&render(channels, session.quiet))
    }
}

fn render(mut channels: Vec<(Channel, Vec<Host>)>, quiet: bool) -> String {
    channels.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let mut table = Table::new([
        ("Channel", 15),
        ("Enabled", 7),
        ("Ready", 6),
        ("Disbld", 6),
        ("Load", 6),
        ("Cap", 6),
        ("Perc", 6),
    ]);
    for (channel, hosts) in channels {
        let enabled: Vec<_> = hosts.iter().filter(|host| host.enabled).collect();
        let load: f64 = enabled.iter().map(|host| host.task_load).sum();
        let capacity: f64 = enabled.iter().map(|host| host.capacity).sum();
        let share = if capacity > 0.0 { load / capacity * 100.0 } else { 0.0 };
        let name = if channel.enabled { channel.name } else { format!("{} [disabled]", channel.name) };
        table.row([
            name,
            format!("{:>7}", enabled.len()),
            format!("{:>6}", enabled.iter().filter(|host| host.ready).count()),
            format!("{:>6}", hosts.len() - enabled.len()),
            format!("{load:>6.1}"),
            format!("{capacity:>6.1}"),
            format!("{share:>5.0}%"),
        ]);
    }
    table.text(quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up() {
        let host = |enabled: bool| {
            serde_json::json!({"arches": "x86_64", "capacity": 2.0, "comment": null, "description": null,
                "enabled": enabled, "id": 1, "name": "b", "ready": true, "task_load": 0.5, "update_ts": null, "user_id": 4})
        };
        let hosts = serde_json::from_value(serde_json::json!([host(true), host(false)])).unwrap();
        let channel =
            serde_json::json!({"comment": null, "description": null, "enabled": true, "id": 1, "name": "default"});
        let channel = serde_json::from_value(channel).unwrap();
        insta::assert_snapshot!(render(vec![(channel, hosts)], false), @r"
        Channel          Enabled  Ready   Disbld  Load    Cap     Perc
        ---------------  -------  ------  ------  ------  ------  ------
        default                1       1       1     0.5     2.0     25%
        ");
    }
}
