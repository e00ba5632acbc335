//! What an admin asks of callbacks: what was told, who waits to be told, and telling it again. And what builders report.

use toji_protocol::{
    method::callback::{ListCallbackLog, ListReceivers, LoggedCallback, ReceiverInfo, ReplayCallbacks, ReportCallback},
    queue_name::{QueueName, Told},
    time::Time,
};

use super::{Point, sql, tell};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    task::lease,
};

/// What one call lists, and one replay reads at once.
const MOST: i64 = 1000;

fn shown(logged: sql::Logged) -> Result<LoggedCallback> {
    let value = |json| serde_json::from_value(json).map_err(Error::internal);
    Ok(LoggedCallback {
        id: logged.id,
        callback: logged.callback,
        address: logged.address,
        key: logged.key,
        time: Time(logged.time),
        receivers: logged.receivers,
        props: value(logged.props)?,
        body: value(logged.body)?,
    })
}

impl Handle for ListCallbackLog {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<LoggedCallback>> {
        let most = self.limit.clamp(1, MOST);
        let found = sql::list(cx.db().await?, self.from_id, None, self.key.as_deref(), most).await?;
        found.into_iter().map(shown).collect()
    }
}

impl Handle for ListReceivers {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<ReceiverInfo>> {
        let settings = cx.hub.config.callbacks.clone();
        let waiting = sql::waiting(cx.db().await?).await?;
        let info = |receiver: &super::settings::Receiver| {
            let waiting = waiting.iter().find(|waiting| waiting.receiver == receiver.name);
            ReceiverInfo {
                name: receiver.name.clone(),
                endpoint: receiver.endpoint.to_string(),
                waiting: waiting.map_or(0, |waiting| waiting.count),
                oldest_id: waiting.map(|waiting| waiting.oldest),
                next_time: waiting.map(|waiting| Time(waiting.next)),
                problem: waiting.and_then(|waiting| waiting.problem.clone()),
            }
        };
        Ok(settings.receivers().iter().map(info).collect())
    }
}

impl Handle for ReplayCallbacks {
    async fn handle(self, cx: &mut Cx) -> Result<i64> {
        let settings = cx.hub.config.callbacks.clone();
        let receiver = settings.receiver(&self.receiver).ok_or_else(|| {
            let names: Vec<&str> = settings.receivers().iter().map(|receiver| receiver.name.as_str()).collect();
            Error::missing(format!("No such receiver: '{}'; there are: {}", self.receiver, names.join(", ")))
        })?;
        let (now, mut from, mut replayed) = (cx.now, self.from_id, 0);
        loop {
            let found = sql::list(cx.db().await?, from, self.to_id, None, MOST).await?;
            let Some(last) = found.last().map(|event| event.id) else { break };
            let wanted: Vec<i64> =
                found.iter().filter(|event| receiver.wants(&event.address)).map(|event| event.id).collect();
            replayed += sql::replay(cx.db().await?, &receiver.name, &wanted, now).await?;
            from = last + 1;
        }
        cx.post(QueueName::Events, &Told {});
        tracing::info!(receiver = receiver.name, from = self.from_id, replayed, "told again");
        Ok(replayed as i64)
    }
}

impl Handle for ReportCallback {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let host = cx.caller.host()?;
        let point = self.callback.parse::<Point>().ok().filter(|point| point.callback.is_builders());
        let point = point.ok_or_else(|| {
            Error::parameter(format!(
                "'{}' is no callback point of a builder: preSCMCheckout, postSCMCheckout, postCreateRepo, postCreateDistRepo",
                self.callback
            ))
        })?;
        lease::hold(cx.db().await?, host, self.task_id, self.attempt).await?;
        tell::builder(cx, point, self.task_id, self.data).await
    }
}
