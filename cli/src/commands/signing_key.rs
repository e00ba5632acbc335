//! `toji signing-key`

use toji_protocol::{
    id::{Ref, TagId},
    method::sign::GetSigningKey,
};

use crate::{argument, session::Session};

/// Print the public key that a tag's RPMs and repos are signed with
#[derive(clap::Args)]
pub(crate) struct SigningKey {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
}

impl SigningKey {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let ask = GetSigningKey { tag: self.tag };
        if session.json {
            return session.say_json(&session.raw(&ask).await?);
        }
        session.say(session.call(&ask).await?.public_key.trim_end())
    }
}
