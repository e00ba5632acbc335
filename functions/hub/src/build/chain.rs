//! `chainBuild`: asks for builds in levels.

use toji_protocol::{
    id::TaskId,
    method::build::ChainBuild,
    task::{TaskMethod, chain_build::ChainBuildTask},
};

use crate::{
    Result,
    call::{Cx, Handle},
    task,
};

impl Handle for ChainBuild {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let owner = cx.caller.user()?.id;
        let priority = task::relative_priority(&cx.caller, self.priority)?;
        let opts = Some(self.opts.unwrap_or_default());
        let request = ChainBuildTask { srcs: self.srcs, target: self.target, opts }.to_request()?;
        let top = task::NewTask::top(ChainBuildTask::METHOD, request, owner);
        task::make(cx, task::NewTask { priority, channel: self.channel, ..top }).await
    }
}
