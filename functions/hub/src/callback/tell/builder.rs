//! What builders come to: checking sources out, and repos that they have made.

use toji_protocol::{id::TaskId, value::Map};

use super::{caller, is_asked, is_wanted};
use crate::{
    Result,
    call::Cx,
    callback::{Callback, Happening, Point, When, after, before, message::of_task},
    task,
};

/// A builder has come to a point.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn builder(cx: &mut Cx, point: Point, task: TaskId, data: Map) -> Result<()> {
    if !is_wanted(cx, point.callback) {
        return Ok(());
    }
    let row = task::require(cx, task).await?;
    let host = caller(cx).await?.map(|host| host.name);
    let address = match point.callback {
        Callback::CreateRepo => "builder.repo.create",
        Callback::CreateDistRepo => "builder.dist_repo.create",
        _ => "builder.scm.checkout",
    };
    let mut happening = Happening::new(point.callback, address, of_task(task))
        .prop("id", task.0)
        .prop("method", row.method.as_str())
        .prop("host", host);
    for (name, value) in data {
        happening = happening.with(&name, value)?;
    }
    // after what the builder says, which might say otherwise
    happening = happening.with("taskinfo", task::info(&row, true)?)?;
    match point.when {
        When::Pre if is_asked(cx, point.callback) => before(cx, &happening).await,
        When::Pre => Ok(()),
        When::Post => {
            after(cx, happening);
            Ok(())
        }
    }
}
