//! Tasks as they are shown.

use std::collections::BTreeMap;

use toji_protocol::{
    id::TaskId,
    method::{
        OneOrMany,
        task::{
            AttemptUsage, GetTaskChildren, GetTaskDescendents, GetTaskInfo, GetTaskRequest, GetTaskResult,
            GetTaskUsage, TaskFinished, TaskInfo,
        },
    },
    state::TaskState,
    time::Time,
    value::Value,
};

use super::{TaskRow, decode_request, decode_result, no_such_task, require, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
};

/// A task as Koji shows it.
pub(crate) fn info(row: &TaskRow, with_request: bool) -> Result<TaskInfo> {
    let ts = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|time| Time(time).ts());
    Ok(TaskInfo {
        arch: row.arch.clone(),
        awaited: row.awaited,
        channel_id: row.channel,
        completion_time: row.completion_time.map(Time),
        completion_ts: ts(row.completion_time),
        create_time: Time(row.create_time),
        create_ts: Time(row.create_time).ts(),
        host_id: row.host,
        id: row.id,
        label: row.label.clone(),
        method: row.method.clone(),
        owner: row.owner,
        parent: row.parent,
        priority: row.priority,
        start_time: row.start_time.map(Time),
        start_ts: ts(row.start_time),
        state: row.state,
        waiting: row.waiting,
        weight: row.weight,
        request: with_request.then(|| decode_request(&row.request)).transpose()?,
    })
}

impl Handle for GetTaskInfo {
    async fn handle(self, cx: &mut Cx) -> Result<OneOrMany<Option<TaskInfo>>> {
        let is_one = matches!(self.task_id, OneOrMany::One(_));
        let ids: Vec<i64> = self.task_id.into_vec().iter().map(|id| id.0).collect();
        let rows = sql::several(cx.db().await?, &ids).await?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            match rows.iter().find(|row| row.id.0 == id) {
                Some(row) => found.push(Some(info(row, self.request)?)),
                None if self.strict => return Err(no_such_task(TaskId(id))),
                None => found.push(None),
            }
        }
        Ok(if is_one { OneOrMany::One(found.pop().flatten()) } else { OneOrMany::Many(found) })
    }
}

impl Handle for GetTaskChildren {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TaskInfo>> {
        if self.strict {
            require(cx, self.task_id).await?;
        }
        let rows = sql::children(cx.db().await?, self.task_id).await?;
        rows.iter().map(|row| info(row, self.request)).collect()
    }
}

impl Handle for GetTaskDescendents {
    async fn handle(self, cx: &mut Cx) -> Result<BTreeMap<String, Vec<TaskInfo>>> {
        require(cx, self.task_id).await?;
        let rows = sql::descendants(cx.db().await?, self.task_id).await?;
        let mut tree = BTreeMap::from([(self.task_id.to_string(), Vec::new())]);
        for row in &rows {
            tree.entry(row.id.to_string()).or_default();
            let parent = row.parent.map(|parent| parent.to_string()).unwrap_or_default();
            tree.entry(parent).or_default().push(info(row, self.request)?);
        }
        Ok(tree)
    }
}

impl Handle for GetTaskRequest {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Vec<Value>>> {
        let row = sql::get(cx.db().await?, self.task_id).await?;
        row.map(|row| decode_request(&row.request)).transpose()
    }
}

impl Handle for GetTaskResult {
    async fn handle(self, cx: &mut Cx) -> Result<Value> {
        let row = require(cx, self.task_id).await?;
        match (row.state, &row.result) {
            (TaskState::Canceled, _) => Err(Error::invalid(format!("Task {} is canceled", row.id))),
            (TaskState::Closed | TaskState::Failed, Some(result)) => match decode_result(result)? {
                Ok(value) => Ok(value),
                Err(fault) if self.raise_fault => Err(Error::TaskFault(fault.code, fault.message)),
                Err(fault) => Ok(fault_value(&fault)),
            },
            (TaskState::Closed | TaskState::Failed, None) => Ok(Value::Nil),
            (state, _) => Err(Error::invalid(format!("Task {} has not ended: it is {state}", row.id))),
        }
    }
}

impl Handle for GetTaskUsage {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<AttemptUsage>> {
        require(cx, self.task_id).await?;
        sql::usage(cx.db().await?, self.task_id).await
    }
}

/// A fault as a struct.
pub(super) fn fault_value(fault: &toji_protocol::xmlrpc::Fault) -> Value {
    let members = [("faultCode", Value::Int(fault.code.into())), ("faultString", Value::from(fault.message.as_str()))];
    Value::Struct(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

impl Handle for TaskFinished {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        Ok(require(cx, self.task_id).await?.state.is_final())
    }
}
