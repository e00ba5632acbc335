//! What a task is called when it is shown: its method, and what it is about.

use toji_protocol::{method::task::TaskInfo, value::Value};

/// `5 buildArch (hello-1.0-1.src.rpm, x86_64)`.
pub(crate) fn with_id(task: &TaskInfo) -> String {
    format!("{} {}", task.id, label(task))
}

/// `buildArch (hello-1.0-1.src.rpm, x86_64)`.
pub(crate) fn label(task: &TaskInfo) -> String {
    let about = about(task).unwrap_or_else(|| task.arch.clone());
    format!("{} ({about})", task.method)
}

fn about(task: &TaskInfo) -> Option<String> {
    let request = task.request.as_deref()?;
    let text = |at: usize| request.get(at).and_then(shown);
    let file = |at: usize| text(at).map(|path| path.rsplit('/').next().unwrap_or_default().to_owned());
    match task.method.as_str() {
        "build" => Some(match text(1) {
            Some(target) => format!("{target}, {}", file(0)?),
            None => file(0)?,
        }),
        "buildArch" => Some(format!("{}, {}", file(0)?, text(2)?)),
        "rebuildSRPM" | "buildSRPMFromSCM" => file(0),
        "newRepo" | "waitrepo" | "distRepo" => text(0),
        "chainbuild" => text(1),
        "dependantTask" => match request.first() {
            Some(Value::Array(waits_for)) => Some(waits_for.iter().filter_map(shown).collect::<Vec<_>>().join(", ")),
            _ => None,
        },
        _ => None,
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Struct(members) => members.get("name").and_then(shown),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A task as the hub would show it.
    pub(crate) fn task(id: i64, method: &str, state: i64, request: Vec<Value>) -> TaskInfo {
        let json = serde_json::json!({
            "arch": "noarch", "awaited": null, "channel_id": 1, "completion_time": null, "completion_ts": null,
            "create_time": "2026-11-21 00:00:13+00:00", "create_ts": 1795219213.0, "host_id": null, "id": id,
            "label": null, "method": method, "owner": 1, "parent": null, "priority": 20, "start_time": null,
            "start_ts": null, "state": state, "waiting": null, "weight": 1.0, "request": request,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn labels() {
        let text = Value::from;
        let build = task(4, "build", 0, vec![text("cli-build/1.a/hello-1.0-1.src.rpm"), text("demo"), Value::Nil]);
        assert_eq!(with_id(&build), "4 build (demo, hello-1.0-1.src.rpm)");
        let arch = task(5, "buildArch", 0, vec![text("tasks/4/4/hello-1.0-1.src.rpm"), Value::Int(2), text("x86_64")]);
        assert_eq!(label(&arch), "buildArch (hello-1.0-1.src.rpm, x86_64)");
        assert_eq!(label(&task(6, "tagBuild", 0, vec![Value::Int(1)])), "tagBuild (noarch)");
        let waits_for = Value::Array(vec![Value::Int(1), Value::Int(2)]);
        assert_eq!(label(&task(9, "dependantTask", 0, vec![waits_for])), "dependantTask (1, 2)");
        assert_eq!(label(&task(7, "build", 0, vec![])), "build (noarch)");
        assert_eq!(label(&task(8, "newRepo", 0, vec![text("demo-build")])), "newRepo (demo-build)");
    }
}
