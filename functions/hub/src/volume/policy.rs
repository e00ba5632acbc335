//! Which volume the policy `volume` wants.

use toji_protocol::{
    id::TaskId,
    method::{build::Build, volume::Volume},
    value::Map,
};

use crate::{Result, call::Cx, policy};

/// The volume that the policy wants for what `data` says, and for what is known of the task; None when it names none that there is.
///
/// # Errors
/// With `strict`, when the policy names none, or does not work.
pub(crate) async fn choose(cx: &mut Cx, data: Map, task: Option<TaskId>, strict: bool) -> Result<Option<Volume>> {
    let mut all = data;
    if let Some(task) = task {
        for (name, value) in policy::data_of_task(cx, task).await? {
            if !all.contains_key(&name) {
                all.insert(name, value);
            }
        }
    }
    Ok(policy::volume(cx, all, strict).await?.map(|(id, name)| Volume { id, name }))
}

/// The volume that the policy wants for a build that is there.
///
/// # Errors
/// As with [`choose`].
pub(crate) async fn of_build(cx: &mut Cx, build: &Build, strict: bool) -> Result<Option<Volume>> {
    let mut data = Map::new();
    data.insert("build", build.id.0);
    choose(cx, data, build.task_id, strict).await
}
