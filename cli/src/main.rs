//! `toji`: the command line.

// The doc comments of commands are the help that people read in a terminal: no Markdown.
#![allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::{io::Write, process::ExitCode};

use clap::Parser;

mod argument;
mod call_line;
mod command_line;
mod commands;
mod config;
mod failure;
mod fetch;
mod log_stream;
mod output;
mod poll;
mod repo_wait;
mod session;
mod source_rpm;
mod task_label;
mod task_log;
mod watch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let command_line = command_line::CommandLine::parse();
    match command_line.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (said, code) = failure::explain(&error);
            if let Some(said) = said {
                // Nobody is left to tell when this fails, too.
                let _ = writeln!(std::io::stderr(), "toji: {}", output::harmless(&said));
            }
            ExitCode::from(code)
        }
    }
}
