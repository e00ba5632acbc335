//! `toji revoke-token`

use toji_protocol::method::user::RevokeToken as Revoke;

use crate::session::Session;

/// Revoke API tokens at once
#[derive(clap::Args)]
pub(crate) struct RevokeToken {
    /// The tokens' ids, as toji list-tokens shows them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,
}

impl RevokeToken {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for token_id in self.ids {
            session.call(&Revoke { token_id }).await?;
        }
        Ok(())
    }
}
