//! `restartHosts`: asks for builders to be restarted.

use toji_protocol::{
    id::TaskId,
    method::host::RestartHosts,
    task::{TaskMethod, restart_hosts::RestartHostsTask},
    value::Value,
};

use crate::{
    Result,
    call::{Cx, Handle},
    task,
};

impl Handle for RestartHosts {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let owner = cx.caller.user()?.id;
        let request = self.options.map(Value::Struct).into_iter().collect();
        let top = task::NewTask::top(RestartHostsTask::METHOD, request, owner);
        task::make(cx, task::NewTask { priority: self.priority, ..top }).await
    }
}
