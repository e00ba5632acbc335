//! The command line: global options, and one command.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, builder::styling::Styles};

use crate::{
    commands::{Command, GROUPS},
    config::{self, ProfileFile, Wishes},
    session::Session,
};

const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}";

const EXAMPLES: &str = "\
Examples:
  toji hello                                     who am I, and where?
  toji build f42 foo-1.0-1.src.rpm               upload, build, watch with the live log
  toji build --scratch f42 git+https://…#commit  build a checkout, keep nothing
  toji wait-repo f42-build --build foo-1.0-1     until builds can require foo
  toji list-tagged f42 --latest --json           for scripts
  toji call getBuild foo-1.0-1 strict=True       any method of the API

The hub is named by --server, TOJI_SERVER, or a profile in ~/.config/toji/config.toml:
  [profile.work]
  server = \"https://koji.example.com\"
  token = \"…\"

'toji COMMAND --help' tells about one command, 'toji completions SHELL' writes completions.
Exit codes: 0 = done, 1 = failed, 2 = misused.";

/// Builds RPMs, tags them, and makes repos of them.
#[derive(Parser)]
#[command(
    name = "toji",
    version,
    help_template = TEMPLATE,
    before_help = groups(),
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    arg_required_else_help = true,
    styles = Styles::plain(),
    max_term_width = 100
)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
struct Options {
    /// The profile to use; -p for short, before the command
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// As --profile; only before the command, as some commands have a -p of their own
    #[arg(short = 'p', id = "p", value_name = "NAME", hide = true, conflicts_with = "profile")]
    short_profile: Option<String>,
    /// The hub's URL [env: TOJI_SERVER]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The API token [env: TOJI_TOKEN, which other users cannot see]
    #[arg(long, global = true)]
    token: Option<String>,
    /// Where files are read from [env: TOJI_TOPURL] [default: SERVER/kojifiles]
    #[arg(long, global = true, value_name = "URL")]
    topurl: Option<String>,
    /// The profile file [default: ~/.config/toji/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show answers as JSON, as the hub gave them
    #[arg(long, global = true)]
    json: bool,
    /// No titles, no progress
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl CommandLine {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        if let Command::Completions(completions) = self.command {
            return completions.write(&mut Self::command());
        }
        let options = self.options;
        let flags = Wishes {
            profile: options.profile.or(options.short_profile),
            server: options.server,
            token: options.token,
            topurl: options.topurl,
        };
        let hub = config::decide(&flags, &Wishes::from_environment(), &ProfileFile::read(options.config)?)?;
        self.command.run(&Session::new(hub, options.json, options.quiet)?).await
    }
}

/// All commands in groups, each with its line of help.
fn groups() -> String {
    #[derive(clap::Parser)]
    struct Only {
        #[command(subcommand)]
        _command: Command,
    }
    let parser = Only::command();
    let about = |name: &str| {
        let about = parser.find_subcommand(name).and_then(clap::Command::get_about);
        about.map(ToString::to_string).unwrap_or_default()
    };
    let mut text = String::new();
    for (heading, modules) in GROUPS {
        text.push_str(&format!("{heading}:\n"));
        for module in *modules {
            let name = module.replace('_', "-");
            text.push_str(&format!("  {name:24}  {}\n", about(&name)));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_line_of_help() {
        for command in CommandLine::command().get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty(), "{} has no help", command.get_name());
            assert!(!about.ends_with('.') && about.len() < 75, "{}: {about}", command.get_name());
        }
        assert!(!groups().lines().any(|line| line.starts_with("  ") && line.trim().split("  ").count() < 2));
    }

    fn parse(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn global_options_may_stand_anywhere() {
        for line in ["toji --json --server http://x list-tags", "toji list-tags --json --server http://x"] {
            let parsed = parse(line).unwrap_or_else(|error| panic!("{error}"));
            assert!(parsed.options.json);
            assert_eq!(parsed.options.server.as_deref(), Some("http://x"));
        }
        let parsed = parse("toji -p work add-external-repo -p 7 -t demo::5::bare mini http://x").ok().unwrap();
        assert_eq!(parsed.options.short_profile.as_deref(), Some("work"));
    }

    #[test]
    fn misuse_is_refused() {
        let misused = [
            "toji nonsense",
            "toji build",
            "toji build demo a.src.rpm --draft --scratch",
            "toji build demo a.src.rpm --arch-override x86_64",
            "toji build demo a.src.rpm --wait --nowait",
            "toji build demo a.src.rpm --custom-user-metadata [1]",
            "toji add-tag",
            "toji add-tag demo --extra novalue",
            "toji watch-task x",
            "toji list-hosts --ready --not-ready",
            "toji add-external-repo -t demo::x mini http://x",
            "toji wait-repo demo --timeout never",
        ];
        for line in misused {
            match parse(line) {
                Ok(_) => panic!("{line} was taken"),
                Err(error) => assert_eq!(error.exit_code(), 2, "{line}"),
            }
        }
    }

    #[test]
    fn kojis_lines_are_understood() {
        let lines = [
            "toji build --scratch --arch-override=x86_64 --nowait demo a.src.rpm",
            "toji build --wait-build a-1-1 --wait-build b-1-1 --fail-fast --background demo git+https://x#y",
            "toji add-tag demo-build --parent demo --arches x86_64 --extra mock.package_manager=dnf",
            "toji add-target demo demo-build",
            "toji add-target demo demo-build demo-candidate",
            "toji add-tag-inheritance --priority 5 --maxdepth 1 --intransitive --noconfig --pkg-filter ^a demo base",
            "toji add-pkg --owner admin demo hello world",
            "toji add-group-pkg demo-build build bash coreutils",
            "toji add-host builder1 x86_64 noarch",
            "toji add-host-to-channel builder1 createrepo --new",
            "toji list-tagged demo hello --latest --inherit --rpms",
            "toji download-build --arch x86_64 --debuginfo hello-1.0-1",
            "toji wait-repo --target demo --build hello-1.0-1 --timeout 10",
            "toji call getTag demo strict=True",
            "toji call echo -1",
            "toji moshimoshi",
            "toji cancel 5 hello-1.0-1",
            "toji set-task-priority --priority 5 --recurse 7 8",
        ];
        for line in lines {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }
}
