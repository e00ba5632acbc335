//! `toji hello`: am I logged in, and where?

use anyhow::bail;
use toji_protocol::method::user::GetLoggedInUser;

use crate::session::Session;

const GREETINGS: [&str; 12] =
    ["hello", "bonjour", "hallo", "hej", "ciao", "hola", "olá", "ahoj", "moshi moshi", "nǐ hǎo", "namaste", "merhaba"];

/// Greet the hub, and check the login
#[derive(clap::Args)]
#[command(visible_alias = "moshimoshi")]
pub(crate) struct Hello {}

impl Hello {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        if session.json {
            return session.show(&GetLoggedInUser {}, |_| String::new()).await;
        }
        let user = session.call(&GetLoggedInUser {}).await?;
        if user.is_none() && session.client.has_token() {
            bail!("the hub at {} does not know the token", session.client.server());
        }
        let name = user.map(|user| user.name);
        let greeting = GREETINGS[rand::random_range(0..GREETINGS.len())];
        session.say(&greet(greeting, name.as_deref(), session.client.server()))
    }
}

fn greet(greeting: &str, name: Option<&str>, server: &str) -> String {
    match name {
        Some(name) => format!("{greeting}, {name}!\n\nYou are using the hub at {server}\nAuthenticated via token"),
        None => format!("{greeting}!\n\nYou are using the hub at {server}\nNot authenticated"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets() {
        insta::assert_snapshot!(greet("hej", Some("admin"), "http://hub"), @r"
        hej, admin!

        You are using the hub at http://hub
        Authenticated via token
        ");
        assert!(greet("hej", None, "http://hub").ends_with("Not authenticated"));
    }
}
