//! A builder becomes a host, and is told what it needs.

use sqlx::types::Json;
use toji_protocol::{
    method::{
        host::DrainHost,
        worker::{AddedMethod, AttachHost, Attached, DetachHost, EnrolHost, Enrolled, PROTOCOL},
    },
    queue_name::{Bin, BinQueue, HostOrder, QueueName, QueueUrls},
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    channel, host,
    scheduler::log,
    user,
};

/// The channels of a host that names none.
const CHANNELS: [&str; 2] = ["default", "createrepo"];

impl Handle for EnrolHost {
    async fn handle(self, cx: &mut Cx) -> Result<Enrolled> {
        let now = cx.now;
        if self.arches.is_empty() || !self.arches.iter().all(|arch| toji_protocol::arch::is_valid(arch)) {
            return Err(Error::parameter("arches: name at least one, such as x86_64"));
        }
        let found = host::find(cx.db().await?, &self.name.as_str().into()).await?;
        let (host_id, user_id) = match found {
            Some(host) => (host.id, host.user_id),
            None => {
                let channels: Vec<&str> = match &self.channels {
                    Some(channels) => channels.iter().map(String::as_str).collect(),
                    None => CHANNELS.to_vec(),
                };
                for name in &channels {
                    if channel::find(cx.db().await?, &(*name).into()).await?.is_none() {
                        return Err(Error::missing(format!(
                            "No such channel: '{name}'; make it with `toji add-channel`"
                        )));
                    }
                }
                host::create(cx, &self.name, &self.arches.join(" "), self.capacity, &channels).await?
            }
        };
        // who enrols anew has lost the old token, or it was stolen
        sqlx::query!(
            "UPDATE api_token SET revoke_time = $2 WHERE user_id = $1 AND revoke_time IS NULL",
            user_id.0,
            now
        )
        .execute(cx.db().await?)
        .await?;
        sqlx::query!("UPDATE host SET draining = false WHERE id = $1", host_id.0).execute(cx.db().await?).await?;
        let token = user::new_token(cx.db().await?, user_id, Some("builder"), None, now).await?.token;
        Ok(Enrolled { host_id, user_id, token })
    }
}

fn check_protocol(builder: i64) -> Result<()> {
    if (PROTOCOL - 1..=PROTOCOL).contains(&builder) {
        return Ok(());
    }
    let older = if builder < PROTOCOL { "the builder" } else { "the hub" };
    Err(Error::invalid(format!(
        "this hub speaks host protocol {PROTOCOL} and the one before it, the builder {builder}; bring {older} up to date"
    )))
}

fn check_added(methods: &[String], added: &[AddedMethod]) -> Result<()> {
    for AddedMethod { method, weight, .. } in added {
        if !methods.contains(method) || toji_protocol::task::params_of(method).is_some() {
            return Err(Error::parameter(format!(
                "added: '{method}' must be one of methods, and none that toji has itself"
            )));
        }
        if weight.is_some_and(|weight| !(weight.is_finite() && weight >= 0.0)) {
            return Err(Error::parameter(format!("added: the weight of '{method}' must be 0 or more")));
        }
    }
    Ok(())
}

impl Handle for AttachHost {
    async fn handle(self, cx: &mut Cx) -> Result<Attached> {
        let (id, now) = (cx.caller.host()?, cx.now);
        check_protocol(self.protocol)?;
        let added = self.added.unwrap_or_default();
        check_added(&self.methods, &added)?;
        let conn = cx.db().await?;
        sqlx::query!(
            "UPDATE host SET methods = $2, max_jobs = $3, added_methods = $5, update_time = $4, ready = true,
                 draining = false WHERE id = $1",
            id.0,
            &self.methods,
            self.max_jobs,
            now,
            Json(added) as _
        )
        .execute(&mut *conn)
        .await?;
        let found = host::find(conn, &toji_protocol::id::Ref::Id(id)).await?;
        let host = found.ok_or_else(|| Error::missing(format!("No such host: {id}")))?;
        let bins = host::bins(conn, id).await?;
        cx.release();

        let unavailable = |error: toji_protocol::queue::QueueError| Error::Unavailable(error.into());
        let hub = &cx.hub;
        let mut queues = Vec::with_capacity(bins.len());
        for (channel, arch) in bins {
            let bin = Bin::new(channel, &arch);
            let url = hub.queues.url(&QueueName::Bin(bin.clone())).await.map_err(unavailable)?;
            queues.push(BinQueue { bin, url });
        }
        let urls = QueueUrls {
            endpoint: None,
            region: String::new(),
            own: hub.queues.url(&QueueName::Host(id)).await.map_err(unavailable)?,
            bins: queues,
            access_key_id: String::new(),
            secret_access_key: String::new(),
            session_token: None,
            expires_ts: None,
        };
        Ok(Attached {
            host_id: id,
            name: host.name,
            arches: toji_protocol::arch::split_list(&host.arches),
            capacity: host.capacity,
            topurl: hub.config.topurl.clone(),
            queues: hub.queue_credentials.issue(id, urls).await?,
            lease_seconds: hub.config.lease.num_seconds(),
        })
    }
}

impl Handle for DetachHost {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let (id, now) = (cx.caller.host()?, cx.now);
        let conn = cx.db().await?;
        sqlx::query!("UPDATE host SET ready = false, update_time = $2 WHERE id = $1", id.0, now)
            .execute(&mut *conn)
            .await?;
        log::note(conn, None, Some(id), &format!("Its builder has ended: {}", self.reason), now).await
    }
}

impl Handle for DrainHost {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let found = host::find(cx.db().await?, &self.hostname).await?;
        let host = found.ok_or_else(|| Error::missing(format!("No such host: {}", self.hostname)))?;
        sqlx::query!("UPDATE host SET draining = true, ready = false WHERE id = $1", host.id.0)
            .execute(cx.db().await?)
            .await?;
        cx.post(QueueName::Host(host.id), &HostOrder::Drain);
        Ok(())
    }
}
