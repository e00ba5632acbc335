//! What policies are told of a task: what its arguments say of a source, a target and tags.

use toji_protocol::{
    id::{Ref, TagId, TargetId},
    method::bind,
    task::params_of,
    value::{Map, Value, from_value},
    xmlrpc,
};

use crate::{Result, call::Cx, tag, target};

/// The fields that [`data_of_request`] may answer.
pub(super) const FIELDS: [&str; 5] = ["source", "target", "tag", "build_tag", "scratch"];

/// What a task's arguments say. Empty for a kind of task that is not known, or arguments that do not fit.
pub(in crate::policy) async fn data_of_request(cx: &mut Cx, method: &str, request: &[Value]) -> Result<Map> {
    let mut data = Map::new();
    let Some(arguments) = arguments(method, request) else { return Ok(data) };
    let first = |names: &[&str]| names.iter().find_map(|name| arguments.get(name)).cloned();
    // a newRepo's `src` is a switch
    let source = if method == "newRepo" { None } else { first(&["src", "spec_url", "url"]) };
    if let Some(source @ Value::String(_)) = source {
        data.insert("source", source);
    }
    if let Some(named) = first(&["target", "build_target", "target_info"]) {
        let found = match from_value::<Ref<TargetId>>(named) {
            Ok(named) => target::find(cx.db().await?, &named, None).await?,
            Err(_) => None,
        };
        data.insert("target", found.map(|target| target.name));
    }
    let tags = [("tag", first(&["tag", "tag_id", "tag_info"])), ("build_tag", first(&["build_tag"]))];
    for (field, named) in tags {
        if let Some(Ok(named)) = named.map(from_value::<Ref<TagId>>)
            && let Some((_, name)) = tag::find(cx.db().await?, &named).await?
        {
            data.insert(field, name);
        }
    }
    if let Some(scratch) = first(&["opts"]).as_ref().and_then(|opts| opts.get("scratch")) {
        data.insert("scratch", scratch.clone());
    }
    Ok(data)
}

fn arguments(method: &str, request: &[Value]) -> Option<Map> {
    let (method, params) = params_of(method)?;
    let (positional, named) = xmlrpc::split_named(request.to_vec());
    bind(method, params, positional, named).ok()
}
