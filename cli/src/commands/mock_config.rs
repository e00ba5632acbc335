//! `toji mock-config`

use std::path::PathBuf;

use anyhow::{Context, bail};
use toji_protocol::{
    arch::canonical,
    id::{BuildrootId, Ref, RepoId, TagId, TargetId},
    method::{
        buildroot::GetBuildroot,
        repo::{FindRepo, RepoInfo},
        tag::{BuildConfig, GetBuildConfig},
        target::GetBuildTarget,
    },
    mock_config::{self as mock, Makers, environment, macros},
};

use crate::{argument, session::Session};

/// Write the mock configuration that builds of a tag have
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("of").required(true).args(["tag", "target", "buildroot"]))]
pub(crate) struct MockConfig {
    /// The buildroot's name
    #[arg(value_name = "NAME", required_unless_present = "buildroot")]
    name: Option<String>,
    /// Of this build tag
    #[arg(long, value_parser = argument::named::<TagId>)]
    tag: Option<Ref<TagId>>,
    /// Of this target's build tag
    #[arg(long, value_parser = argument::named::<TargetId>)]
    target: Option<Ref<TargetId>>,
    /// Of a buildroot as it was
    #[arg(long, value_name = "ID")]
    buildroot: Option<BuildrootId>,
    /// The architecture
    #[arg(long, short, required_unless_present = "buildroot")]
    arch: Option<String>,
    /// This repo, instead of the newest
    #[arg(long, value_name = "ID", conflicts_with_all = ["buildroot", "latest"])]
    repo: Option<RepoId>,
    /// Whichever repo is the newest when mock runs
    #[arg(long, conflicts_with = "buildroot")]
    latest: bool,
    /// The comps group that fills it
    #[arg(long, default_value = "build")]
    group: String,
    /// `%vendor`, `%packager` and `%distribution` of what is built
    #[arg(long, default_value = "toji")]
    maker: String,
    /// What follows the architecture in `%_host`
    #[arg(long, default_value = "redhat-linux-gnu", value_name = "TRIPLE")]
    host_triple: String,
    /// Where mock makes buildroots
    #[arg(long, default_value = "/var/lib/mock", value_name = "FOLDER")]
    basedir: String,
    /// Write it to a file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What is to be described.
struct Wanted {
    name: String,
    arch: String,
    config: BuildConfig,
    repo: String,
}

impl MockConfig {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let wanted = match self.buildroot {
            Some(id) => self.of_buildroot(session, id).await?,
            None => self.of_tag(session).await?,
        };
        let text = self.render(&wanted, &session.topurl)?;
        match &self.output {
            Some(file) => std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display())),
            None => session.say(text.trim_end()),
        }
    }

    async fn of_buildroot(&self, session: &Session, id: BuildrootId) -> anyhow::Result<Wanted> {
        let asked = GetBuildroot { buildroot_id: id, strict: true };
        let root = session.call(&asked).await?.context("no such buildroot")?;
        let Some((tag, (repo, event))) = root.tag_id.zip(root.repo_id.zip(root.repo_create_event_id)) else {
            bail!("buildroot {id} was filled from no repo");
        };
        let config = build_config(session, tag, Some(event)).await?;
        let name = self.name.clone().unwrap_or_else(|| format!("{}-{id}-{repo}", config.tag.name));
        let arch = self.arch.clone().unwrap_or(root.arch);
        Ok(Wanted { name, arch, config, repo: repo.to_string() })
    }

    async fn of_tag(&self, session: &Session) -> anyhow::Result<Wanted> {
        let tag = match (&self.tag, &self.target) {
            (Some(tag), _) => tag.clone(),
            (None, Some(target)) => {
                let asked = GetBuildTarget { info: target.clone(), event: None, strict: true };
                Ref::Id(session.call(&asked).await?.context("no such target")?.build_tag)
            }
            (None, None) => bail!("name a tag, a target or a buildroot"),
        };
        let asked = GetBuildConfig { tag, event: None };
        let mut config = session.call(&asked).await?.context("no such tag")?;
        let repo = if self.latest {
            "latest".to_owned()
        } else {
            let found = match self.repo {
                Some(repo_id) => session.call(&RepoInfo { repo_id, strict: true }).await?,
                None => {
                    let tag = Ref::Id(config.tag.id);
                    session.call(&FindRepo { tag, min_event: None, at_event: None, opts: None }).await?
                }
            };
            let found =
                found.with_context(|| format!("{} has no repo yet; see `toji request-repo`", config.tag.name))?;
            if found.tag_id != config.tag.id {
                bail!("repo {} belongs to {}, not to {}", found.id, found.tag_name, config.tag.name);
            }
            // As the builder asks: what the tag was when the repo was made.
            config = build_config(session, found.tag_id, Some(found.create_event)).await?;
            found.id.to_string()
        };
        let missing = "give the buildroot a name, and an architecture with --arch";
        let (name, arch) = self.name.clone().zip(self.arch.clone()).context(missing)?;
        Ok(Wanted { name, arch, config, repo })
    }

    fn render(&self, wanted: &Wanted, topurl: &str) -> anyhow::Result<String> {
        let Wanted { name, arch, config, repo } = wanted;
        let extra = &config.tag.extra;
        let makers = Makers {
            vendor: &self.maker,
            packager: &self.maker,
            distribution: &self.maker,
            host_triple: &self.host_triple,
        };
        let baseurl = format!("{topurl}/repos/{}/{repo}/{}", config.tag.name, canonical(arch));
        let text = mock::MockConfig {
            name,
            basedir: &self.basedir,
            arch,
            group: &self.group,
            baseurl: &baseurl,
            network: self.group == "srpm-build",
            timeout: 24 * 60 * 60,
            extra,
            macros: &macros(&makers, extra, arch),
            env: &environment(extra),
            binds: &[],
            allow_bootstrap_image: true,
            systemd: true,
        };
        Ok(text.render()?)
    }
}

async fn build_config(
    session: &Session,
    tag: TagId,
    event: Option<toji_protocol::id::EventId>,
) -> anyhow::Result<BuildConfig> {
    session.call(&GetBuildConfig { tag: Ref::Id(tag), event }).await?.context("no such tag")
}
