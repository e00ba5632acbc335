//! `toji call`: any method of the API.

use anyhow::Context;
use toji_protocol::method::system::ListApi;

use crate::{
    call_line::{Arguments, by_name},
    session::Session,
};

/// Call any method of the API, and show its answer as JSON
///
/// Arguments are ints, floats, None, True, False or texts, and KEY=VALUE for named ones:
///
///   toji call getTag f42 strict=True
///   toji call --json-input listTasks 'opts={"state": [1]}'
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Call {
    /// The method's name
    method: String,
    /// Its arguments, by place or by name
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// Read arguments as JSON where they are JSON
    #[arg(long)]
    json_input: bool,
    /// As --json-input, with all named arguments in one JSON object
    #[arg(long, value_name = "JSON", value_parser = crate::argument::object)]
    kwargs: Option<toji_protocol::value::Value>,
}

impl Call {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut arguments = Arguments::parse(&self.arguments, self.json_input)?;
        if let Some(toji_protocol::value::Value::Struct(named)) = self.kwargs {
            for (name, value) in named {
                arguments.named.insert(name, value);
            }
        }
        let client = &session.client;
        let answer = match (arguments.positional.is_empty(), arguments.named.is_empty()) {
            (true, _) => client.call_named(&self.method, arguments.named).await?,
            (false, true) => client.call_positional(&self.method, &arguments.positional).await?,
            (false, false) => {
                // One call takes one kind only, and the hub alone knows the names of the places.
                let methods = by_name(session.call(&ListApi {}).await?);
                let method = methods.get(&self.method);
                let method =
                    method.with_context(|| format!("the hub has no method '{}'; see toji list-api", self.method))?;
                client.call_named(&self.method, arguments.into_named(method)?).await?
            }
        };
        session.say_json(&answer)
    }
}
