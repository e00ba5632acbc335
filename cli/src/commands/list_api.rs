//! `toji list-api`: the methods that there are.

use toji_protocol::method::system::{ListApi as List, ListedMethod};

use crate::session::Session;

/// List the methods of the API
#[derive(clap::Args)]
pub(crate) struct ListApi {
    /// Only these methods
    #[arg(value_name = "METHOD")]
    methods: Vec<String>,
}

impl ListApi {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let quiet = session.quiet;
        session.show(&List {}, |methods| render(methods, &self.methods, quiet)).await
    }
}

fn render(mut methods: Vec<ListedMethod>, only: &[String], quiet: bool) -> String {
    methods.sort_by(|a, b| a.name.cmp(&b.name));
    methods.retain(|method| only.is_empty() || only.contains(&method.name));
    let mut text = String::new();
    for method in methods {
        text.push_str(&format!("{}{}\n", method.name, method.argdesc));
        if let Some(doc) = method.doc.filter(|_| !quiet) {
            text.push_str(&format!("  Description: {}\n", doc.trim().replace('\n', "\n    ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use toji_protocol::method::Named;

    use super::*;

    #[test]
    fn lists() {
        let method = |name: &str, argdesc: &str, doc: Option<&str>| ListedMethod {
            name: name.to_owned(),
            doc: doc.map(str::to_owned),
            argdesc: argdesc.to_owned(),
            args: Vec::new(),
            argspec: Named::new(),
        };
        let methods = vec![method("hello", "(*args)", Some("Says hello.")), method("echo", "(*args)", None)];
        insta::assert_snapshot!(render(methods.clone(), &[], false), @r"
        echo(*args)
        hello(*args)
          Description: Says hello.
        ");
        assert_eq!(render(methods, &["echo".to_owned()], true), "echo(*args)\n");
    }
}
