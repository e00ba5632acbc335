//! `toji version`: this program's version, and the hub's.

use toji_protocol::method::system::GetKojiVersion;

use crate::session::Session;

/// Show this program's version, and which Koji the hub speaks for
#[derive(clap::Args)]
pub(crate) struct Version {}

impl Version {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let hub = session.call(&GetKojiVersion {}).await?;
        if session.json {
            return session.say_json(&serde_json::json!({"client": env!("CARGO_PKG_VERSION"), "hub": hub}));
        }
        session.say(&format!("Client: {}\nHub:    {hub}", env!("CARGO_PKG_VERSION")))
    }
}
