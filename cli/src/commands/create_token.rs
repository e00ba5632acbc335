//! `toji create-token`

use toji_protocol::{
    id::{Ref, UserId},
    method::user::CreateToken as Create,
};

use crate::{argument, output, session::Session};

const DAY: i64 = 24 * 60 * 60;

/// Make an API token, and show it this once
#[derive(clap::Args)]
pub(crate) struct CreateToken {
    /// For this user [default: you]
    #[arg(long, value_parser = argument::named::<UserId>)]
    user: Option<Ref<UserId>>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// Refuse it after so many days
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..36_500))]
    days: Option<i64>,
}

impl CreateToken {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let lifetime = self.days.map(|days| days * DAY);
        let token = session.call(&Create { user: self.user, description: self.description, lifetime }).await?;
        if session.json {
            return session.say_json(&token);
        }
        if !session.quiet {
            output::warn(&format!("this is token {}; it is not shown again", token.id));
        }
        session.say(&token.token)
    }
}
