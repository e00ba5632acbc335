//! `toji completions`: what shells complete.

use clap::Command;
use clap_complete::Shell;

use crate::{output, session::Session};

/// Write completions for a shell to standard output
#[derive(clap::Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Needs no hub.
    pub(crate) fn write(self, command: &mut Command) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "toji", &mut script);
        output::say(&String::from_utf8_lossy(&script))
    }

    /// Never reached with a hub: the command line writes completions before it looks for one.
    pub(crate) async fn run(self, _: &Session) -> anyhow::Result<()> {
        use clap::CommandFactory;
        self.write(&mut crate::command_line::CommandLine::command())
    }
}
