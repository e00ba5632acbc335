//! `buildSRPMFromSCM`: checks sources out and makes a source RPM of them.

use std::path::PathBuf;

use async_trait::async_trait;
use toji_protocol::{
    task::{TaskMethod, build_srpm_from_scm::BuildSrpmFromScmTask},
    value::{Map, Value},
};

use super::{TaskHandler, answer, rebuild_srpm::made};
use crate::{
    buildroot::{Group, Session, Wish},
    context::TaskContext,
    failure::{Doing, TaskError},
    scm::{self, Allowed, Checkout, ScmUrl},
    srpm,
};

pub(super) struct BuildSrpmFromScm;

#[async_trait]
impl TaskHandler for BuildSrpmFromScm {
    fn method(&self) -> &str {
        BuildSrpmFromScmTask::METHOD
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let task = BuildSrpmFromScmTask::from_request(ctx.task.request.clone())?;
        // Before anything is made, or any machine asked.
        let (url, allowed) = permitted(ctx, &task).await?;
        let wish = Wish {
            tag: task.build_tag,
            repo: task.opts.repo_id,
            arch: ctx.task.arch.clone(),
            group: Group::SrpmBuild,
            network: true,
            binds: Vec::new(),
        };
        let session = Session::open(ctx, &wish).await?;
        let mut source = Map::new();
        source.insert("url", url.recorded(&url.revision));
        let outcome = build(ctx, &session, &url, &allowed, &mut source).await;
        let finished = session.finish(ctx, outcome).await?;
        answer(&made(finished, Value::Struct(source)))
    }
}

/// What may be done with the sources: the builder's list says so, or the hub's policy, or both.
async fn permitted(ctx: &TaskContext, task: &BuildSrpmFromScmTask) -> Result<(ScmUrl, Allowed), TaskError> {
    let settings = &ctx.machine.config.scm;
    let url = ScmUrl::parse(&task.url).map_err(|error| TaskError::Build(error.to_string()))?;
    if url.password.is_some() && !settings.allow_password {
        return Err(TaskError::Build("passwords in SCM URLs are not allowed here".to_owned()));
    }
    let refused = || TaskError::Build(format!("{}:{} is not in the list of allowed SCMs", url.host, url.repository));
    let mut allowed = None;
    if settings.use_config {
        allowed = Some(settings.allowed.find(&url).cloned().ok_or_else(refused)?);
    }
    if settings.use_policy {
        let mut facts = scm::facts(&url, allowed.as_ref());
        facts.insert("user_id", ctx.task.owner.0);
        facts.insert("task_id", ctx.task.id.0);
        facts.insert("build_tag", task.build_tag.0);
        facts.insert("scratch", task.opts.scratch.unwrap_or(false));
        let said = ctx.hub.policy("build_from_scm", facts).await?;
        allowed = Some(scm::verdict(said.as_deref(), allowed.as_ref(), &url)?);
    }
    let allowed = allowed.ok_or_else(refused)?;
    Ok((url, allowed))
}

async fn build(
    ctx: &TaskContext,
    session: &Session,
    url: &ScmUrl,
    allowed: &Allowed,
    source: &mut Map,
) -> Result<Vec<PathBuf>, TaskError> {
    session.fill().await?;
    let (dir, uid) = session.checkout_dir();
    let (home, log) = (ctx.dir.join("git-home"), ctx.dir.join("logs/checkout.log"));
    let fetch = scm::checkout(url, allowed, &dir, uid, (&home, &log, &ctx.scope));
    let checkout = session.stages().time("checkout", fetch).await?;
    source.insert("source", url.recorded(&checkout.commit));
    if !allowed.source_command.is_empty() {
        session.run_in_checkout(&checkout.dir, &allowed.source_command).await?;
    }
    let spec = spec_of(&checkout)?;
    let made = session.make_srpm(&spec, &sources_of(&checkout)).await?;
    srpm::well_named(&made).await?;
    Ok(vec![made])
}

fn spec_of(checkout: &Checkout) -> Result<PathBuf, TaskError> {
    let spec = srpm::find_spec(&checkout.dir, &checkout.name)?;
    let text = std::fs::read(&spec).doing(|| format!("reading {}", spec.display()))?;
    srpm::check_spec(&String::from_utf8_lossy(&text))?;
    Ok(spec)
}

/// Where sources lie: in `SOURCES/` where there is one, or beside the spec.
fn sources_of(checkout: &Checkout) -> PathBuf {
    let own = checkout.dir.join("SOURCES");
    if own.is_dir() { own } else { checkout.dir.clone() }
}
