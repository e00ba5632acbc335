//! `toji build`: from a source RPM or a checkout to a tagged build.

use std::{io::IsTerminal, path::Path};

use anyhow::bail;
use toji_protocol::{
    id::{Ref, RepoId, TargetId},
    method::{build::StartBuild, tag::GetTag, target::GetBuildTarget},
    task::build::BuildOpts,
    value::Value,
};

use crate::{argument, session::Session, source_rpm, watch};

/// What `--background` adds to the priority's number.
const BACKGROUND: i32 = 5;

/// Build a source RPM, or a checkout
///
/// The source is a file that ends in .src.rpm, which is uploaded, or an SCM URL such as
/// git+https://example.com/foo#commit. The build is watched until it ends, on a terminal with its
/// log; the exit code is 1 unless it went well. Ctrl-C ends only the watching.
///
///   toji build f42 foo-1.0-1.src.rpm
///   toji build --scratch --arch-override x86_64 f42 foo-1.0-1.src.rpm
///   toji build --wait-build libfoo-2.0-1 f42 foo-1.0-1.src.rpm
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Build {
    /// The target: what to build in, and where the build goes. none = only with --repo-id
    target: String,
    /// A source RPM, or an SCM URL
    #[arg(value_name = "SRPM | URL")]
    source: String,
    /// Do not tag the build
    #[arg(long)]
    skip_tag: bool,
    /// Keep the files for a while, and nothing else
    #[arg(long)]
    scratch: bool,
    /// Make the source RPM anew before it is built
    #[arg(long, requires = "scratch", conflicts_with = "no_rebuild_srpm")]
    rebuild_srpm: bool,
    /// Build the source RPM as it is
    #[arg(long, requires = "scratch")]
    no_rebuild_srpm: bool,
    /// Build only for these architectures, with blanks between
    #[arg(long, value_name = "ARCHES", requires = "scratch")]
    arch_override: Option<String>,
    /// Stop the other architectures when one fails
    #[arg(long)]
    fail_fast: bool,
    /// Build in this repo
    #[arg(long, value_name = "ID")]
    repo_id: Option<RepoId>,
    /// Wait for a repo that has every change made to the build tag so far
    #[arg(long)]
    wait_repo: bool,
    /// Wait for a repo that has this build; may be repeated
    #[arg(long = "wait-build", value_name = "NVR")]
    wait_builds: Vec<String>,
    /// Make a draft, which is not for release yet
    #[arg(long, conflicts_with = "scratch")]
    draft: bool,
    /// A JSON object that is kept with the build
    #[arg(long, value_name = "JSON", value_parser = argument::object)]
    custom_user_metadata: Option<Value>,
    /// Let other tasks go first
    #[arg(long)]
    background: bool,
    /// Watch the build to its end, which is the default
    #[arg(long, conflicts_with = "nowait")]
    wait: bool,
    /// Only start it
    #[arg(long)]
    nowait: bool,
    /// Show the build log while watching, on a terminal the default
    #[arg(long, conflicts_with = "no_log")]
    log: bool,
    /// Show only changes of state
    #[arg(long)]
    no_log: bool,
    /// No progress bar
    #[arg(long)]
    noprogress: bool,
}

impl Build {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let is_url = self.source.contains("://");
        if !is_url {
            source_rpm::check(Path::new(&self.source))?;
        }
        let (target, skip_tag) = self.target(session).await?;
        let src = if is_url {
            self.source.clone()
        } else {
            session.tell(&format!("Uploading srpm: {}", self.source))?;
            source_rpm::upload(session, Path::new(&self.source), !self.noprogress).await?
        };
        let start = StartBuild {
            src,
            target,
            opts: Some(self.opts(skip_tag)),
            priority: self.background.then_some(BACKGROUND),
            channel: None,
        };
        let task = session.call(&start).await?;
        session.created(task)?;
        if self.nowait {
            return Ok(());
        }
        let log = self.log || (!self.no_log && !session.quiet && std::io::stdout().is_terminal());
        watch::watch(session, &[task], log && !session.json).await
    }

    /// The target, and whether the build is not to be tagged. What cannot go well is said before anything is uploaded.
    async fn target(&self, session: &Session) -> anyhow::Result<(Option<String>, bool)> {
        if self.target.eq_ignore_ascii_case("none") {
            if self.repo_id.is_none() {
                bail!("without a target, --repo-id must name the repo to build in");
            }
            return Ok((None, true));
        }
        let target = GetBuildTarget { info: Ref::<TargetId>::Name(self.target.clone()), event: None, strict: false };
        let Some(target) = session.call(&target).await? else {
            bail!("unknown build target: {}; see toji list-targets", self.target);
        };
        let dest = GetTag { tag_info: Ref::Id(target.dest_tag), strict: false, event: None, blocked: false };
        let is_locked = session.call(&dest).await?.is_some_and(|tag| tag.locked);
        if is_locked && !self.scratch && !self.skip_tag {
            bail!("the destination tag {} is locked", target.dest_tag_name);
        }
        Ok((Some(self.target.clone()), self.skip_tag))
    }

    fn opts(&self, skip_tag: bool) -> BuildOpts {
        let yes = |wanted: bool| wanted.then_some(true);
        BuildOpts {
            skip_tag: yes(skip_tag),
            scratch: yes(self.scratch),
            arch_override: self.arch_override.clone(),
            repo_id: self.repo_id,
            wait_repo: yes(self.wait_repo),
            wait_builds: (!self.wait_builds.is_empty()).then(|| self.wait_builds.clone()),
            rebuild_srpm: yes(self.rebuild_srpm).or(self.no_rebuild_srpm.then_some(false)),
            fail_fast: yes(self.fail_fast),
            draft: yes(self.draft),
            custom_user_metadata: self.custom_user_metadata.clone(),
            ..BuildOpts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        build: Build,
    }

    #[test]
    fn only_what_is_asked_for_is_sent() {
        let opts = |line: &str| Line::parse_from(line.split(' ')).build.opts(false);
        insta::assert_compact_json_snapshot!(opts("x demo a.src.rpm"), @"{}");
        let all = "x --scratch --arch-override x86_64 --no-rebuild-srpm --fail-fast --repo-id 5 demo a.src.rpm";
        insta::assert_compact_json_snapshot!(opts(all), @r#"{"scratch": true, "arch_override": "x86_64", "repo_id": 5, "rebuild_srpm": false, "fail_fast": true}"#);
        let waits = "x --wait-repo --wait-build a-1-1 --draft --custom-user-metadata {\"a\":1} demo a.src.rpm";
        insta::assert_compact_json_snapshot!(opts(waits), @r#"{"wait_repo": true, "wait_builds": ["a-1-1"], "draft": true, "custom_user_metadata": {"a": 1}}"#);
    }
}
