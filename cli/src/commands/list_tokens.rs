//! `toji list-tokens`

use toji_protocol::{
    id::{Ref, UserId},
    method::user::{ListTokens as List, TokenInfo},
};

use crate::{
    argument,
    output::{Table, long_time},
    session::Session,
};

/// List API tokens that are not revoked
#[derive(clap::Args)]
pub(crate) struct ListTokens {
    /// Of this user [default: you]
    #[arg(long, value_parser = argument::named::<UserId>)]
    user: Option<Ref<UserId>>,
}

impl ListTokens {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        session.show(&List { user: self.user }, |tokens| render(tokens, session.quiet)).await
    }
}

fn render(tokens: Vec<TokenInfo>, quiet: bool) -> String {
    let mut table = Table::new([("ID", 6), ("Created", 29), ("Expires", 29), ("Description", 20)]);
    for token in tokens {
        table.row([
            token.id.to_string(),
            long_time(token.create_time),
            token.expire_time.map_or_else(|| "never".to_owned(), long_time),
            token.description.unwrap_or_default(),
        ]);
    }
    table.text(quiet)
}
