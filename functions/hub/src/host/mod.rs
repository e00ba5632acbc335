//! Hosts: the builders as admins see them. What a builder itself calls is in [`crate::worker`].

mod restart;
mod sql;

use sqlx::PgConnection;
use toji_protocol::{
    id::{ChannelId, EventId, HostId, Ref, UserId},
    method::{
        Listing, OneOrMany,
        host::{
            AddHost, AddHostToChannel, DisableHost, EditHost, EnableHost, GetAllArches, GetHost, GetLastHostUpdate,
            Host, ListHosts, RemoveHostFromChannel, RestartHosts,
        },
    },
    queue_name::{HostOrder, QueueName},
    time::Time,
    value::Value,
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    channel, listing, name, tag, user,
};

/// What a host takes when nobody says otherwise: the sum of its tasks' weights.
const CAPACITY: f64 = 2.0;

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<AddHost>()
        .add::<EditHost>()
        .add::<EnableHost>()
        .add::<DisableHost>()
        .add::<GetHost>()
        .add::<ListHosts>()
        .add::<GetLastHostUpdate>()
        .add::<GetAllArches>()
        .add::<AddHostToChannel>()
        .add::<RemoveHostFromChannel>()
        .add::<RestartHosts>();
}

/// A host.
///
/// # Errors
/// When the database is away.
pub async fn find(conn: &mut PgConnection, host: &Ref<HostId>) -> Result<Option<Host>> {
    find_at(conn, host, None).await
}

async fn find_at(conn: &mut PgConnection, host: &Ref<HostId>, at: Option<EventId>) -> Result<Option<Host>> {
    Ok(sql::list(conn, sql::Wanted { host: Some(host), at, ..Default::default() }).await?.pop())
}

/// The same; a fault when there is none.
///
/// # Errors
/// When there is no such host.
pub async fn require(conn: &mut PgConnection, host: &Ref<HostId>) -> Result<Host> {
    find(conn, host).await?.ok_or_else(|| missing(host))
}

fn missing(host: &Ref<HostId>) -> Error {
    Error::missing(format!("No such host: {host}"))
}

/// A host that is to be made.
struct NewHost<'a> {
    name: &'a str,
    arches: &'a str,
    capacity: Option<f64>,
    channels: &'a [&'a str],
    krb_principal: Option<&'a str>,
    /// Turn an ordinary user of that name into a host.
    force: bool,
}

/// Makes a host known, with a user of the same name, in the channels named.
///
/// # Errors
/// When the name is taken or breaks the rules, an architecture is none, or a channel is not there.
pub async fn create(
    cx: &mut Cx,
    name: &str,
    arches: &str,
    capacity: Option<f64>,
    channels: &[&str],
) -> Result<(HostId, UserId)> {
    make(cx, NewHost { name, arches, capacity, channels, krb_principal: None, force: false }).await
}

async fn make(cx: &mut Cx, new: NewHost<'_>) -> Result<(HostId, UserId)> {
    name::check("host", new.name)?;
    let config = sql::Config {
        arches: tag::arches(new.arches)?,
        capacity: capacity(new.capacity.unwrap_or(CAPACITY))?,
        description: None,
        comment: None,
        enabled: true,
    };
    let conn = cx.db().await?;
    let names: Vec<String> = new.channels.iter().map(|name| (*name).to_owned()).collect();
    let channels = sql::channels_named(conn, &names).await?;
    if let Some(unknown) = names.iter().find(|name| !channels.iter().any(|(_, known)| known == *name)) {
        return Err(Error::missing(format!("No such channel: '{unknown}'")));
    }
    let user = user::create_host_user(conn, new.name, new.krb_principal, new.force).await?;
    let host = sql::create(conn, user, new.name).await?;
    let host = host.ok_or_else(|| Error::invalid(format!("host {} already exists", new.name)))?;

    let by = cx.caller.user_id().unwrap_or(user);
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::insert_config(conn, host, &config, event, by).await?;
    let ids: Vec<ChannelId> = channels.into_iter().map(|(id, _)| id).collect();
    sql::add_channels(conn, host, &ids, event, by).await?;
    Ok((host, user))
}

fn capacity(capacity: f64) -> Result<f64> {
    if capacity.is_finite() && capacity > 0.0 {
        return Ok(capacity);
    }
    Err(Error::parameter("a host's capacity must be more than 0"))
}

/// The bins that a host takes tasks from: its enabled channels, times its architectures and `noarch`. None when it is disabled.
///
/// # Errors
/// When the database is away.
pub async fn bins(conn: &mut PgConnection, host: HostId) -> Result<Vec<(ChannelId, String)>> {
    let Some((arches, channels)) = sql::arches_and_channels(conn, host).await? else { return Ok(Vec::new()) };
    let mut arches: Vec<&str> = arches.split(' ').filter(|arch| !arch.is_empty()).collect();
    if !arches.contains(&"noarch") {
        arches.push("noarch");
    }
    let bins = channels.into_iter().flat_map(|channel| arches.iter().map(move |arch| (channel, (*arch).to_owned())));
    Ok(bins.collect())
}

/// Changes a host's settings; answers whether anything changed. Its builder is told when its bins change by it.
async fn change(cx: &mut Cx, host: &Ref<HostId>, apply: impl FnOnce(&mut sql::Config) -> Result<()>) -> Result<bool> {
    let by = cx.caller.user()?.id;
    let conn = cx.db().await?;
    let id = require(conn, host).await?.id;
    sql::lock(conn, id).await?;
    let Host { arches, capacity, description, comment, enabled, .. } = require(conn, &Ref::Id(id)).await?;
    let old = sql::Config { arches, capacity, description, comment, enabled };
    let mut new = old.clone();
    apply(&mut new)?;
    if new == old {
        return Ok(false);
    }
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::revoke_config(conn, id, event, by).await?;
    sql::insert_config(conn, id, &new, event, by).await?;
    if (&new.arches, new.enabled) != (&old.arches, old.enabled) {
        cx.post(QueueName::Host(id), &HostOrder::Attach);
    }
    Ok(true)
}

impl Handle for AddHost {
    async fn handle(self, cx: &mut Cx) -> Result<HostId> {
        let arches = self.arches.into_vec().join(" ");
        let new = NewHost {
            name: &self.hostname,
            arches: &arches,
            capacity: None,
            channels: &["default"],
            krb_principal: self.krb_principal.as_deref(),
            force: self.force,
        };
        Ok(make(cx, new).await?.0)
    }
}

impl Handle for EditHost {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let changes = self.changes;
        change(cx, &self.host_info, |config| {
            for (key, value) in changes.iter() {
                match (key, value) {
                    // the stock client sends nil for what stays
                    ("arches" | "capacity", Value::Nil) => {}
                    ("arches", Value::String(arches)) => config.arches = tag::arches(arches)?,
                    ("capacity", Value::Int(number)) => config.capacity = capacity(*number as f64)?,
                    ("capacity", Value::Double(number)) => config.capacity = capacity(*number)?,
                    ("arches" | "capacity", other) => {
                        return Err(Error::parameter(format!("{key} cannot be {}", other.kind())));
                    }
                    ("description", text) => config.description = channel::text_or_nil(key, text)?,
                    ("comment", text) => config.comment = channel::text_or_nil(key, text)?,
                    (other, _) => return Err(Error::parameter(format!("editHost cannot change '{other}'"))),
                }
            }
            Ok(())
        })
        .await
    }
}

async fn set_enabled(cx: &mut Cx, host: &Ref<HostId>, enabled: bool) -> Result<()> {
    let apply = |config: &mut sql::Config| {
        config.enabled = enabled;
        Ok(())
    };
    change(cx, host, apply).await.map(|_| ())
}

impl Handle for EnableHost {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_enabled(cx, &self.hostname, true).await
    }
}

impl Handle for DisableHost {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_enabled(cx, &self.hostname, false).await
    }
}

impl Handle for GetHost {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Host>> {
        let found = find_at(cx.db().await?, &self.host_info, self.event).await?;
        if found.is_none() && self.strict {
            return Err(missing(&self.host_info));
        }
        Ok(found)
    }
}

impl Handle for ListHosts {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Host>> {
        if matches!(&self.arches, Some(OneOrMany::Many(arches)) if arches.is_empty()) {
            return Err(Error::invalid("arches option cannot be empty: name one, or leave it out"));
        }
        let conn = cx.db().await?;
        let channel = match &self.channel_id {
            Some(channel) => Some(channel::require(conn, channel).await?.id),
            None => None,
        };
        let user = match &self.user_id {
            Some(user) => Some(user::require(conn, user).await?.id),
            None => None,
        };
        let wanted = sql::Wanted {
            arches: self.arches.map(|arches| arches.into_vec()),
            channel,
            ready: self.ready,
            enabled: self.enabled,
            user,
            ..Default::default()
        };
        listing::in_memory(sql::list(conn, wanted).await?, self.query_opts.as_ref())
    }
}

impl Handle for GetLastHostUpdate {
    async fn handle(self, cx: &mut Cx) -> Result<Value> {
        let conn = cx.db().await?;
        let host = require(conn, &self.host_id).await?.id;
        let time = sql::last_update(conn, host).await?.map(Time);
        Ok(match (time, self.ts) {
            (Some(time), true) => time.ts().into(),
            (Some(time), false) => time.to_string().into(),
            (None, _) => Value::Nil,
        })
    }
}

impl Handle for GetAllArches {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<String>> {
        sql::all_arches(cx.db().await?).await
    }
}

impl Handle for AddHostToChannel {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let host = require(conn, &self.hostname).await?;
        let channel = match (channel::find(conn, &self.channel_name).await?, self.channel_name.name()) {
            (Some(channel), _) if !channel.enabled && !self.force => {
                return Err(Error::invalid(format!("channel {} is disabled; force adds the host to it", channel.name)));
            }
            (Some(channel), _) => channel.id,
            (None, Some(new)) if self.create => {
                name::check("channel", new)?;
                channel::create(conn, new, None).await?
            }
            (None, _) => return Err(Error::missing(format!("No such channel: {}", self.channel_name))),
        };
        sql::lock(conn, host.id).await?;
        if sql::is_in(conn, host.id, channel).await? {
            let message = format!("host {} is already subscribed to the {} channel", host.name, self.channel_name);
            return Err(Error::invalid(message));
        }
        let event = cx.event().await?;
        sql::add_channels(cx.db().await?, host.id, &[channel], event, by).await?;
        cx.post(QueueName::Host(host.id), &HostOrder::Attach);
        Ok(())
    }
}

impl Handle for RemoveHostFromChannel {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let host = require(conn, &self.hostname).await?;
        let channel = channel::require(conn, &self.channel_name).await?;
        sql::lock(conn, host.id).await?;
        if !sql::is_in(conn, host.id, channel.id).await? {
            let message = format!("host {} is not subscribed to the {} channel", host.name, channel.name);
            return Err(Error::missing(message));
        }
        let event = cx.event().await?;
        sql::remove_channel(cx.db().await?, host.id, channel.id, event, by).await?;
        cx.post(QueueName::Host(host.id), &HostOrder::Attach);
        Ok(())
    }
}
