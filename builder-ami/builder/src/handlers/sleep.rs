//! `sleep` and `default`: tasks that try the way of a task, and nothing else.

use std::time::Duration;

use async_trait::async_trait;
use toji_protocol::value::Value;

use super::TaskHandler;
use crate::{context::TaskContext, failure::TaskError};

/// `sleep(n)`: sleeps so many seconds; 5 unless said, as Koji does.
pub(super) struct Sleep;

#[async_trait]
impl TaskHandler for Sleep {
    fn method(&self) -> &str {
        "sleep"
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let seconds = seconds(ctx.task.request.first())?;
        if !seconds.is_zero() {
            tokio::time::sleep(seconds).await;
        }
        Ok(Value::Nil)
    }
}

fn seconds(argument: Option<&Value>) -> Result<Duration, TaskError> {
    let wrong = || TaskError::Invalid("sleep takes a number of seconds, 0 or more".to_owned());
    let seconds = match argument {
        None | Some(Value::Nil) => 5.0,
        Some(Value::Int(seconds)) => *seconds as f64,
        Some(Value::Double(seconds)) => *seconds,
        Some(Value::String(text)) => text.parse().map_err(|_| wrong())?,
        Some(_) => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// `default`: does nothing, with any arguments.
pub(super) struct Default;

#[async_trait]
impl TaskHandler for Default {
    fn method(&self) -> &str {
        "default"
    }

    async fn run(&self, _: &TaskContext) -> Result<Value, TaskError> {
        Ok(Value::from("the default task does nothing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_seconds() {
        let read = |value: Value| seconds(Some(&value)).ok();
        assert_eq!(seconds(None).ok(), Some(Duration::from_secs(5)));
        assert_eq!(read(0.into()), Some(Duration::ZERO));
        assert_eq!(read("1.5".into()), Some(Duration::from_millis(1500)));
        assert_eq!(read((-1).into()), None);
        assert_eq!(read(Value::Double(f64::NAN)), None);
        assert_eq!(read("soon".into()), None);
        assert_eq!(read(true.into()), None);
    }
}
