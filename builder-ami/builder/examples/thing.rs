//! `thing(name, count=2)` as Rust: a builder with two kinds of tasks more. As programs, the same are in `builder-ami/plugins`.

use std::path::PathBuf;

use clap::Parser;
use toji_builder::{
    Config, Handlers, Map, NamedFile, Subtask, TaskContext, TaskError, TaskHandler, Value, async_trait,
};

struct Thing;

#[async_trait]
impl TaskHandler for Thing {
    fn method(&self) -> &str {
        "thing"
    }

    fn weight(&self) -> Option<f64> {
        Some(0.5)
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let (positional, named) = ctx.arguments();
        let name = positional.first().or(named.get("name")).and_then(Value::as_str);
        let count = positional.get(1).or(named.get("count")).map_or(Some(2), Value::as_int);
        let (Some(name), Some(count)) = (name, count) else {
            let usage = "thing takes a name, and how many there are to be: thing(name, count=2)";
            return Err(TaskError::Invalid(usage.to_owned()));
        };
        let mut subtasks = Vec::new();
        for n in 1..=count {
            // Should this be the second attempt, the label finds the subtask of the first.
            let (method, label) = ("subthing".to_owned(), format!("thing {n}"));
            let arguments = vec![name.into(), n.into()];
            subtasks.push(ctx.start(Subtask { method, label, arguments, opts: Map::new() }).await?);
        }
        // While it waits, the task weighs nothing. One that fails fails this one, too.
        let things = if subtasks.is_empty() { Vec::new() } else { ctx.results(&subtasks).await? };
        let lines: String = things.iter().filter_map(Value::as_str).map(|thing| format!("{thing}\n")).collect();
        let path = ctx.folder("work")?.join("things.txt");
        std::fs::write(&path, lines)
            .map_err(|error| TaskError::Machine { what: "writing things.txt".into(), error })?;
        ctx.upload(&[NamedFile { path, name: "things.txt".to_owned() }]).await?;
        let mut result = Map::new();
        result.insert("things", Value::Array(things));
        result.insert("file", "things.txt");
        Ok(Value::Struct(result))
    }
}

struct Subthing;

#[async_trait]
impl TaskHandler for Subthing {
    fn method(&self) -> &str {
        "subthing"
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        match ctx.arguments().0.as_slice() {
            [Value::String(name), Value::Int(number)] => Ok(format!("{name} {number}").into()),
            _ => Err(TaskError::Invalid("subthing takes a name and a number".to_owned())),
        }
    }
}

/// A builder that can do things, too
#[derive(Parser)]
struct Args {
    /// The settings
    #[arg(long, value_name = "FILE", default_value = "/etc/toji/builder.toml")]
    config: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Config::load(&Args::parse().config)?;
    let mut handlers = Handlers::own();
    handlers.add(Thing)?;
    handlers.add(Subthing)?;
    let interrupted = async {
        // Without it, the builder stays until it is drained.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    toji_builder::run(settings, handlers, interrupted).await?;
    Ok(())
}
