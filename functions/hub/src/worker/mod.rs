//! What a builder says to the hub, beside claiming and ending tasks (those are in [`crate::task`]): enrolling, attaching, uploading.

mod enrol;
mod files;

use toji_protocol::method::{
    host::DrainHost,
    worker::{
        AttachHost, AwaitSubtasks, ClaimTask, CloseTask, DetachHost, EnrolHost, FailTask, FinishTaskUpload, HandBack,
        HeartbeatCall, LogUrls, NewBuildroot, SetBuildrootList, SetBuildrootState, SetTaskWeight, StartSubtask,
        StartTaskUpload, UpdateBuildrootList,
    },
};

use crate::call::Table;

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<EnrolHost>()
        .add::<DrainHost>()
        .add::<AttachHost>()
        .add::<DetachHost>()
        .add::<ClaimTask>()
        .add::<HeartbeatCall>()
        .add::<HandBack>()
        .add::<CloseTask>()
        .add::<FailTask>()
        .add::<SetTaskWeight>()
        .add::<StartSubtask>()
        .add::<AwaitSubtasks>()
        .add::<LogUrls>()
        .add::<StartTaskUpload>()
        .add::<FinishTaskUpload>()
        .add::<NewBuildroot>()
        .add::<SetBuildrootState>()
        .add::<SetBuildrootList>()
        .add::<UpdateBuildrootList>();
}
