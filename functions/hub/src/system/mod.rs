//! The server itself: greetings, versions, its settings (`options`), what there is to call, and calls within calls (`wrap`).

mod options;
mod wrap;

use toji_protocol::{
    method::{
        Param, ParamKind,
        system::{
            Count, CountAndFilterResults, Echo, Event, FilterResults, GetApiVersion, GetEvent, GetKojiVersion,
            GetLastEvent, Hello, ListApi, ListMethods, ListedMethod, MavenEnabled, MethodHelp, MethodSignature,
            RaiseError, RaiseFault, ShowOpts, WinEnabled,
        },
    },
    time::Time,
    value::{Map, Value},
};

use crate::{
    Error, Result,
    call::{Cx, Entry, Handle, Table},
    event,
};

/// The Koji release whose behaviour is kept; stock clients look at it before they use newer calls.
pub const KOJI_VERSION: &str = "1.35.3";

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<Hello>()
        .add::<Echo>()
        .add::<RaiseFault>()
        .add::<RaiseError>()
        .add::<ShowOpts>()
        .add::<Count>()
        .add::<FilterResults>()
        .add::<CountAndFilterResults>()
        .add::<GetApiVersion>()
        .add::<GetKojiVersion>()
        .add::<MavenEnabled>()
        .add::<WinEnabled>()
        .add::<ListApi>()
        .add::<ListMethods>()
        .add::<MethodHelp>()
        .add::<MethodSignature>()
        .add::<GetLastEvent>()
        .add::<GetEvent>();
}

impl Handle for Hello {
    async fn handle(self, _cx: &mut Cx) -> Result<String> {
        Ok("Hello World".to_owned())
    }
}

impl Handle for Echo {
    async fn handle(self, _cx: &mut Cx) -> Result<Vec<Value>> {
        Ok(self.args)
    }
}

impl Handle for RaiseFault {
    async fn handle(self, _cx: &mut Cx) -> Result<()> {
        Err(Error::internal(anyhow::anyhow!("somebody called the method `fault`, which fails on purpose")))
    }
}

impl Handle for RaiseError {
    async fn handle(self, _cx: &mut Cx) -> Result<()> {
        Err(Error::invalid("test error"))
    }
}

impl Handle for GetApiVersion {
    async fn handle(self, _cx: &mut Cx) -> Result<i64> {
        Ok(1)
    }
}

impl Handle for GetKojiVersion {
    async fn handle(self, _cx: &mut Cx) -> Result<String> {
        Ok(KOJI_VERSION.to_owned())
    }
}

impl Handle for MavenEnabled {
    async fn handle(self, _cx: &mut Cx) -> Result<bool> {
        Ok(false)
    }
}

impl Handle for WinEnabled {
    async fn handle(self, _cx: &mut Cx) -> Result<bool> {
        Ok(false)
    }
}

/// A parameter list as Python writes it: `(tagInfo, strict=False, **kwargs)`.
fn argdesc(params: &[Param]) -> String {
    let one = |param: &Param| match param.kind {
        ParamKind::Required => param.name.to_owned(),
        ParamKind::Optional(default) => format!("{}={}", param.name, default.python()),
        ParamKind::Rest => format!("*{}", param.name),
        ParamKind::RestNamed => format!("**{}", param.name),
    };
    format!("({})", params.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn listed(entry: &Entry) -> ListedMethod {
    let plain = || entry.params.iter().filter(|p| matches!(p.kind, ParamKind::Required | ParamKind::Optional(_)));
    let args: Vec<Value> = plain()
        .map(|param| match param.kind {
            ParamKind::Optional(default) => Value::Array(vec![Value::from(param.name), default.value()]),
            _ => Value::from(param.name),
        })
        .collect();
    let names: Vec<Value> = plain().map(|param| Value::from(param.name)).collect();
    let defaults: Vec<Value> = plain()
        .filter_map(|param| match param.kind {
            ParamKind::Optional(default) => Some(default.value()),
            _ => None,
        })
        .collect();
    let rest = |kind| entry.params.iter().find(|p| p.kind == kind).map_or(Value::Nil, |p| Value::from(p.name));
    let argspec: Map = [
        ("args", Value::Array(names)),
        ("varargs", rest(ParamKind::Rest)),
        ("varkw", rest(ParamKind::RestNamed)),
        ("defaults", if defaults.is_empty() { Value::Nil } else { Value::Array(defaults) }),
        ("kwonlyargs", Value::Array(Vec::new())),
        ("kwonlydefaults", Value::Nil),
        ("annotations", Value::Struct(Map::new())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    ListedMethod {
        name: entry.name.to_owned(),
        doc: Some(entry.doc.to_owned()),
        argdesc: argdesc(entry.params),
        args,
        argspec,
    }
}

impl Handle for ListApi {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<ListedMethod>> {
        Ok(cx.hub.table().iter().map(listed).collect())
    }
}

impl Handle for ListMethods {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<String>> {
        Ok(cx.hub.table().iter().map(|entry| entry.name.to_owned()).collect())
    }
}

impl Handle for MethodHelp {
    async fn handle(self, cx: &mut Cx) -> Result<Option<String>> {
        let entry = cx.hub.table().get(&self.method);
        Ok(entry.map(|entry| format!("{}{}\n{}", entry.name, argdesc(entry.params), entry.doc)))
    }
}

impl Handle for MethodSignature {
    async fn handle(self, _cx: &mut Cx) -> Result<String> {
        Ok("signatures not supported".to_owned())
    }
}

impl Handle for GetLastEvent {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Event>> {
        match event::last(cx.db().await?, self.before).await? {
            Some((id, time)) => Ok(Some(Event { id, ts: Time(time).ts() })),
            None if self.strict => Err(Error::missing("No such event")),
            None => Ok(None),
        }
    }
}

impl Handle for GetEvent {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Event>> {
        match event::time(cx.db().await?, self.id).await? {
            Some(time) => Ok(Some(Event { id: self.id, ts: Time(time).ts() })),
            None if self.strict => Err(Error::missing(format!("No such event: {}", self.id))),
            None => Ok(None),
        }
    }
}
