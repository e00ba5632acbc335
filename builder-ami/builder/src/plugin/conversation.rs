//! One run of a plugin: it asks and tells, line by line, until its result.

use std::{
    fs::File,
    io::Write,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    time::Duration,
};

use toji_protocol::value::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
    time::timeout,
};

use super::{
    Plugin,
    words::{Answer, Begin, BuilderShown, Ended, EndedWith, Said, UploadSaid, WaitSaid, value},
};
use crate::{
    context::TaskContext,
    failure::{Doing, TaskError},
    process::{Command, ended, kill_all},
    upload::NamedFile,
};

/// A line is no longer than this: results are for the hub, files for uploads.
const LONGEST: u64 = 4 * 1024 * 1024;
/// After its last word a plugin gets this long to end.
const LAST: Duration = Duration::from_secs(30);

/// A plugin that runs.
pub(super) struct Conversation<'a> {
    method: &'a str,
    ctx: &'a TaskContext,
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Written in the background: a plugin that speaks before it listens is no reason to stand still.
    answers: mpsc::UnboundedSender<Vec<u8>>,
    /// Where it works, and where its files are.
    dir: PathBuf,
    log: PathBuf,
}

/// How it ended.
pub(super) struct Outcome {
    /// What it told.
    pub(super) result: Option<Value>,
    /// Its exit status.
    pub(super) status: i32,
}

impl<'a> Conversation<'a> {
    /// Starts the program, and tells it the task.
    pub(super) async fn begin(plugin: &'a Plugin, ctx: &'a TaskContext, log: PathBuf) -> Result<Self, TaskError> {
        let starting = || format!("starting {}", plugin.program.display());
        let dir = ctx.folder("work")?;
        let mut command = Command::new(&plugin.program).args(&plugin.args).dir(&dir).env("HOME", &dir).log(&log);
        if let Some(uid) = plugin.uid {
            chown(&dir, Some(uid), Some(uid)).doing(|| "making the plugin's folder".to_owned())?;
            command = command.uid(uid);
        }
        let mut child = command.start(&ctx.scope).await.doing(starting)?;
        let no_pipe = || std::io::Error::other("its pipes are missing");
        let stdin = child.stdin.take().ok_or_else(no_pipe).doing(starting)?;
        let stdout = child.stdout.take().ok_or_else(no_pipe).doing(starting)?;
        let (answers, written) = mpsc::unbounded_channel();
        tokio::spawn(write(stdin, written));
        let begun = Self { method: &plugin.method, ctx, child, lines: BufReader::new(stdout), answers, dir, log };
        begun.tell_task()?;
        Ok(begun)
    }

    fn tell_task(&self) -> Result<(), TaskError> {
        let (ctx, facts) = (self.ctx, self.ctx.machine.facts());
        let (arguments, named) = ctx.arguments();
        let config = &ctx.machine.config;
        let builder =
            BuilderShown { name: &config.name, arches: &facts.arches, server: &config.server, topurl: &facts.topurl };
        self.send(&Begin { task: (&ctx.task).into(), arguments: &arguments, named: &named, builder })
    }

    /// Does what it asks for, until it has told its result, or ends.
    pub(super) async fn hold(mut self) -> Result<Outcome, TaskError> {
        let mut result = None;
        while let Some(line) = self.line().await? {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match self.understood(&line)? {
                Said::Progress(text) => self.note(&text)?,
                Said::Weight(weight) => {
                    self.ctx.set_weight(weight).await?;
                    self.send(&Answer::Weight(weight))?;
                }
                Said::Subtask(asked) => {
                    let subtask = asked.subtask().map_err(|problem| self.wrong(&line, &problem))?;
                    let id = self.ctx.start(subtask).await?;
                    self.send(&Answer::Subtask(id))?;
                }
                Said::Wait(asked) => {
                    let ended = self.wait(asked).await?;
                    self.send(&Answer::Results(ended))?;
                }
                Said::Upload(asked) => {
                    let name = self.upload(asked).await?;
                    self.send(&Answer::Uploaded(&name))?;
                }
                Said::Result(json) => {
                    result = Some(value(&json).map_err(|problem| self.wrong(&line, &problem))?);
                    break;
                }
                Said::Error(error) => {
                    let (code, message) = error.parts();
                    return Err(TaskError::Plugin { code, message });
                }
            }
        }
        // Before its result, its own time limit counts.
        let limit = if result.is_some() { LAST } else { Duration::MAX };
        Ok(Outcome { status: self.exit_status(limit).await?, result })
    }

    /// Waits for its end. One that has nothing more to say is ended in time.
    async fn exit_status(self, limit: Duration) -> Result<i32, TaskError> {
        let Self { ctx, method, mut child, answers, lines: _lines, .. } = self;
        // Who reads on learns that there is no more.
        drop(answers);
        match timeout(limit, ended(&mut child, &ctx.scope)).await {
            Ok(exited) => Ok(exited.doing(|| format!("waiting for the plugin for {method}"))?.status),
            Err(_) => {
                tracing::warn!(method, "the plugin did not end after its result, and is ended");
                kill_all(&ctx.scope, Duration::ZERO).await;
                Ok(0)
            }
        }
    }

    async fn wait(&self, asked: WaitSaid) -> Result<Vec<Ended>, TaskError> {
        let (tasks, can_fail) = asked.parts();
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = if can_fail {
            self.ctx.outcomes(&tasks).await?
        } else {
            self.ctx.results(&tasks).await?.into_iter().map(Ok).collect()
        };
        let ended = |(task, outcome): (_, Result<Value, TaskError>)| {
            let with = match outcome {
                Ok(result) => EndedWith::Result(result),
                Err(TaskError::Subtask { code, message, .. }) => EndedWith::Fault { code, message },
                Err(error) => return Err(error),
            };
            Ok(Ended { task, with })
        };
        tasks.into_iter().zip(outcomes).map(ended).collect()
    }

    /// Uploads a file out of its folder.
    async fn upload(&self, asked: UploadSaid) -> Result<String, TaskError> {
        let (file, name) = asked.parts();
        let path = inside(&self.dir, &file)?;
        let own = || path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let nameless = || TaskError::Invalid(format!("upload: {file} has no name that it could have"));
        let name = name.or_else(own).ok_or_else(nameless)?;
        self.ctx.upload(&[NamedFile { path: path.clone(), name: name.clone() }]).await?;
        Ok(name)
    }

    /// Adds a line to its log.
    fn note(&self, text: &str) -> Result<(), TaskError> {
        let writing = || format!("writing {}", self.log.display());
        let mut log = File::options().append(true).open(&self.log).doing(writing)?;
        log.write_all(format!("{text}\n").as_bytes()).doing(writing)
    }

    /// What it says next; None when it has closed its standard output.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, TaskError> {
        let mut line = Vec::new();
        let reading = || format!("reading what the plugin for {} says", self.method);
        (&mut self.lines).take(LONGEST).read_until(b'\n', &mut line).await.doing(reading)?;
        if line.len() as u64 == LONGEST {
            return Err(self.wrong(&line, "it is longer than 4 MiB; upload what is large as a file"));
        }
        Ok(Some(line).filter(|line| !line.is_empty()))
    }

    fn understood(&self, line: &[u8]) -> Result<Said, TaskError> {
        serde_json::from_slice(line).map_err(|error| self.wrong(line, &error.to_string()))
    }

    fn wrong(&self, line: &[u8], problem: &str) -> TaskError {
        const SHOWN: usize = 200;
        let shown: String = String::from_utf8_lossy(line).trim_end().chars().take(SHOWN).collect();
        TaskError::Invalid(format!(
            "the plugin for {} said what cannot be understood ({problem}): {shown}\nIts standard output is for lines of JSON; \
             all else belongs on its standard error.",
            self.method
        ))
    }

    fn send(&self, what: &impl serde::Serialize) -> Result<(), TaskError> {
        let mut line =
            serde_json::to_vec(what).map_err(std::io::Error::from).doing(|| "answering a plugin".to_owned())?;
        line.push(b'\n');
        // One that listens no more says so by its end.
        let _ = self.answers.send(line);
        Ok(())
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// A file in a folder, and not one that a link or `..` leads to elsewhere.
fn inside(dir: &Path, file: &str) -> Result<PathBuf, TaskError> {
    let found = dir.canonicalize().and_then(|dir| Ok((dir.join(file).canonicalize()?, dir)));
    match found {
        Ok((path, dir)) if path.starts_with(&dir) && path.is_file() => Ok(path),
        _ => Err(TaskError::Invalid(format!("upload: there is no file {file} in the folder that the plugin works in"))),
    }
}
