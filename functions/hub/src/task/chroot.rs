//! Asking for work in a chroot that is no build: a command of one's own, and what a failed build has left.

use toji_protocol::{
    arch::canonical,
    id::{Ref, TagId, TaskId},
    method::{
        Listing,
        buildroot::GetBuildroot,
        host::{GetAllArches, ListHosts},
        tag::GetTag,
        task::{RunRoot, SaveFailedTree},
    },
    state::TaskState,
    task::{TaskMethod, runroot::RunRootTask, save_failed_tree::SaveFailedTreeTask},
    value::{Value, to_value},
    xmlrpc,
};

use super::{NewTask, make, require};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    channel,
    error::FaultCode,
    host, tag,
};

/// Somebody waits for it: it goes before builds.
const PRIORITY: i32 = 15;

impl Handle for RunRoot {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let owner = cx.caller.user()?.id;
        let arch = tag::arches(&self.arch)?;
        if arch.is_empty() {
            return Err(Error::invalid("runroot needs an architecture; noarch leaves it to the tag and the channel"));
        }
        if !matches!(self.command, Value::String(_) | Value::Array(_)) {
            let kind = self.command.kind();
            return Err(Error::invalid(format!("the command of runroot must be a text or a list, not {kind}")));
        }
        let channel = self.channel.filter(|channel| !channel.is_empty()).unwrap_or_else(|| "runroot".to_owned());
        let runs_on = match arch.as_str() {
            "noarch" => noarch_host(cx, &self.tag_info, &channel).await?,
            arch => {
                tag::require(cx.db().await?, &self.tag_info).await?;
                arch.to_owned()
            }
        };
        let arguments = vec![to_value(&self.tag_info)?, arch.into(), self.command];
        let request = xmlrpc::join_named(arguments, self.opts);
        let new = NewTask {
            arch: runs_on,
            channel: Some(channel),
            priority: PRIORITY,
            ..NewTask::top(RunRootTask::METHOD, request, owner)
        };
        make(cx, new).await
    }
}

/// Where a chroot of any architecture can be filled from a tag's repo: anywhere if the tag has all that hosts have; else where the
/// tag's first architecture is that a host of the channel has.
async fn noarch_host(cx: &mut Cx, tag: &Ref<TagId>, channel: &str) -> Result<String> {
    let asked = GetTag { tag_info: tag.clone(), strict: true, event: None, blocked: false };
    let found = asked.handle(cx).await?.ok_or_else(|| Error::missing(format!("No such tag: {tag}")))?;
    let arches = toji_protocol::arch::split_list(found.arches.as_deref().unwrap_or_default());
    if arches.is_empty() {
        return Err(Error::invalid(format!("no arches defined for tag {}", found.name)));
    }
    let known = GetAllArches {}.handle(cx).await?;
    if known.iter().all(|known| arches.contains(known)) {
        return Ok("noarch".to_owned());
    }
    let channel_id = channel::require(cx.db().await?, &channel.into()).await?.id;
    let hosts = ListHosts {
        arches: None,
        channel_id: Some(Ref::Id(channel_id)),
        ready: None,
        enabled: Some(true),
        user_id: None,
        query_opts: None,
    };
    let Listing::Rows(hosts) = hosts.handle(cx).await? else {
        return Err(Error::internal(anyhow::anyhow!("a list of hosts without options is no list")));
    };
    let has = |host_arches: &str, arch: &str| host_arches.split_whitespace().any(|had| canonical(had) == arch);
    let fitting = arches.iter().find(|arch| hosts.iter().any(|host| has(&host.arches, arch)));
    match fitting {
        Some(arch) => Ok(canonical(arch).to_owned()),
        None => Err(Error::invalid(format!("no common arches for tag/channel: {}/{channel}", found.name))),
    }
}

fn pre_build(message: String) -> Error {
    Error::Invalid(FaultCode::PreBuild, message)
}

impl Handle for SaveFailedTree {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let caller = cx.caller.user()?.id;
        let asked = GetBuildroot { buildroot_id: self.buildroot_id, strict: true };
        let buildroot = asked.handle(cx).await?;
        let made = buildroot.and_then(|buildroot| buildroot.task_id.zip(buildroot.host_id));
        let Some((task, buildroot_host)) = made else {
            return Err(pre_build(format!(
                "no builder has made buildroot {}: nothing of it is kept",
                self.buildroot_id
            )));
        };
        let row = require(cx, task).await?;
        if row.state != TaskState::Failed {
            return Err(pre_build(format!("task {task} has not failed; only of failed tasks is anything left")));
        }
        let hub = cx.hub.clone();
        if let Some(methods) = &hub.config.save_failed_tree
            && !methods.contains(&row.method)
        {
            let allowed = methods.join(", ");
            return Err(pre_build(format!(
                "task {task} is a {}, and only of these is anything kept: {allowed}",
                row.method
            )));
        }
        if row.owner != caller && !cx.caller.has_perm("admin") {
            return Err(Error::denied(format!("only the owner of task {task}, or an admin, may ask for what it left")));
        }
        let ran_on = row.host.unwrap_or(buildroot_host);
        if !host::require(cx.db().await?, &Ref::Id(ran_on)).await?.enabled {
            return Err(pre_build(format!("the host that ran task {task} is disabled")));
        }
        let arguments = vec![self.buildroot_id.0.into(), self.full.into()];
        let request = xmlrpc::join_named(arguments, self.opts);
        let new = NewTask { assign: Some(buildroot_host), ..NewTask::top(SaveFailedTreeTask::METHOD, request, caller) };
        make(cx, new).await
    }
}
