//! Channels: which hosts take which kind of task.

mod sql;

use sqlx::PgConnection;
use toji_protocol::{
    id::{ChannelId, Ref},
    method::channel::{
        AddChannel, Channel, DisableChannel, EditChannel, EnableChannel, GetChannel, ListChannels, RenameChannel,
    },
    queue_name::{HostOrder, QueueName},
    value::Value,
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    host, name,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<AddChannel>()
        .add::<EditChannel>()
        .add::<RenameChannel>()
        .add::<EnableChannel>()
        .add::<DisableChannel>()
        .add::<GetChannel>()
        .add::<ListChannels>();
}

/// A channel.
///
/// # Errors
/// When the database is away.
pub async fn find(conn: &mut PgConnection, channel: &Ref<ChannelId>) -> Result<Option<Channel>> {
    sql::find(conn, channel).await
}

/// The same; a fault when there is none.
///
/// # Errors
/// When there is no such channel.
pub async fn require(conn: &mut PgConnection, channel: &Ref<ChannelId>) -> Result<Channel> {
    find(conn, channel).await?.ok_or_else(|| Error::missing(format!("No such channel: {channel}")))
}

/// Makes a channel.
///
/// # Errors
/// When the name is taken.
pub(crate) async fn create(conn: &mut PgConnection, name: &str, description: Option<&str>) -> Result<ChannelId> {
    let id = sql::create(conn, name, description).await?;
    id.ok_or_else(|| Error::invalid(format!("channel {name} already exists")))
}

/// A text or nil among the changes of an edit.
pub(crate) fn text_or_nil(name: &str, value: &Value) -> Result<Option<String>> {
    match value {
        Value::Nil => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(Error::parameter(format!("{name} must be a text or nil, not {}", other.kind()))),
    }
}

/// Changes a channel's row; answers whether anything changed. The hosts in it are told when their bins change by it.
async fn change(cx: &mut Cx, channel: &Ref<ChannelId>, apply: impl FnOnce(&mut Channel) -> Result<()>) -> Result<bool> {
    let conn = cx.db().await?;
    let id = require(conn, channel).await?.id;
    sql::lock(conn, id).await?;
    let old = require(conn, &Ref::Id(id)).await?;
    let mut new = old.clone();
    apply(&mut new)?;
    if new == old {
        return Ok(false);
    }
    if !sql::update(conn, &new).await? {
        return Err(Error::invalid(format!("channel {} already exists", new.name)));
    }
    if new.enabled != old.enabled {
        for host in sql::hosts(conn, id).await? {
            cx.post(QueueName::Host(host), &HostOrder::Attach);
        }
    }
    Ok(true)
}

impl Handle for AddChannel {
    async fn handle(self, cx: &mut Cx) -> Result<ChannelId> {
        name::check("channel", &self.channel_name)?;
        create(cx.db().await?, &self.channel_name, self.description.as_deref()).await
    }
}

impl Handle for EditChannel {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let changes = self.changes;
        change(cx, &self.channel_info, |channel| {
            for (key, value) in changes.iter() {
                match (key, text_or_nil(key, value)?) {
                    ("name", Some(name)) => {
                        name::check("channel", &name)?;
                        channel.name = name;
                    }
                    ("name", None) => {}
                    ("description", text) => channel.description = text,
                    ("comment", text) => channel.comment = text,
                    (other, _) => return Err(Error::parameter(format!("editChannel cannot change '{other}'"))),
                }
            }
            Ok(())
        })
        .await
    }
}

impl Handle for RenameChannel {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        name::check("channel", &self.new)?;
        let apply = |channel: &mut Channel| {
            channel.name = self.new;
            Ok(())
        };
        change(cx, &self.old, apply).await.map(|_| ())
    }
}

async fn set_enabled(cx: &mut Cx, channel: &Ref<ChannelId>, enabled: bool, comment: Option<String>) -> Result<()> {
    let apply = |channel: &mut Channel| {
        channel.enabled = enabled;
        if comment.is_some() {
            channel.comment = comment;
        }
        Ok(())
    };
    change(cx, channel, apply).await.map(|_| ())
}

impl Handle for EnableChannel {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_enabled(cx, &self.channelname, true, self.comment).await
    }
}

impl Handle for DisableChannel {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_enabled(cx, &self.channelname, false, self.comment).await
    }
}

impl Handle for GetChannel {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Channel>> {
        let conn = cx.db().await?;
        if self.strict {
            return require(conn, &self.channel_info).await.map(Some);
        }
        find(conn, &self.channel_info).await
    }
}

impl Handle for ListChannels {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Channel>> {
        let conn = cx.db().await?;
        let host = match &self.host_id {
            Some(host) => Some(host::require(conn, host).await?.id),
            None if self.event.is_some() => {
                return Err(Error::invalid("listChannels shows the past only of one host's channels: give hostID too"));
            }
            None => None,
        };
        sql::list(conn, host, self.event, self.enabled).await
    }
}
