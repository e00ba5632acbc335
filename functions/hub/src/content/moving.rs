//! Moving builds from one tag to another.

use toji_protocol::{
    id::TaskId,
    method::content::{MoveAllBuilds, MoveBuild, TagBuild},
    task::{TaskMethod, dependant_task::DependantTask, tag_build::TagBuildTask},
    value::{Map, Value},
};

use super::{Change, Query, allow, builds, check_access, check_listed};
use crate::{
    Result,
    call::{Cx, Handle},
    package, tag,
    task::{self, NewTask},
};

/// The priority of each move, as Koji gives it.
const PRIORITY: i64 = 15;

impl Handle for MoveBuild {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        TagBuild { tag: self.tag2, build: self.build, force: self.force, fromtag: Some(self.tag1) }.handle(cx).await
    }
}

impl Handle for MoveAllBuilds {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TaskId>> {
        let owner = cx.caller.user()?.id;
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (package, name) = package::require(conn, &self.package).await?;
        let (from, _) = tag::require(conn, &self.tag1).await?;
        let (to, to_name) = tag::require(conn, &self.tag2).await?;
        // checked again when the tasks run; here, so that who asks in vain is told at once
        check_listed(cx, (to, &format!("tag {to_name}")), (package, &name), self.force).await?;
        check_access(cx, from, owner, self.force).await?;
        check_access(cx, to, owner, self.force).await?;
        let query = Query { package: Some(package), ..Query::default() };
        let mut builds = builds(cx.db().await?, quirks, from, &query).await?;
        // the first tagged goes first, so that the order stays
        builds.reverse();
        for build in &builds {
            let change = Change { tag: Some(to), from: Some(from), build: build.build_id };
            allow(cx, &change, None, self.force).await?;
        }
        let mut tasks: Vec<TaskId> = Vec::with_capacity(builds.len());
        for build in builds {
            let tag_build = TagBuildTask {
                tag_id: Some(to),
                build_id: build.build_id,
                force: self.force,
                fromtag: Some(from),
                ignore_success: false,
            };
            let waits_for = tasks.last().map(|task| Value::Int(task.0)).into_iter().collect();
            tasks.push(make(cx, waits_for, tag_build, owner).await?);
        }
        Ok(tasks)
    }
}

/// A task that moves one build when the one before has moved.
async fn make(
    cx: &mut Cx,
    wait_list: Vec<Value>,
    tag_build: TagBuildTask,
    owner: toji_protocol::id::UserId,
) -> Result<TaskId> {
    let mut opts = Map::new();
    opts.insert("priority", PRIORITY);
    // without `ignore_success`, as Koji makes it
    let arguments: Vec<Value> = tag_build.to_request()?.into_iter().take(4).collect();
    let subtask = vec![TagBuildTask::METHOD.into(), Value::Array(arguments), Value::Struct(opts)];
    let arguments = DependantTask { wait_list, task_list: vec![Value::Array(subtask)] };
    task::make(cx, NewTask::top(DependantTask::METHOD, arguments.to_request()?, owner)).await
}
