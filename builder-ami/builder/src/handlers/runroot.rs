//! `runroot`: a command in a chroot that is filled from a tag's repo.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use toji_protocol::{
    id::{RepoId, TagId},
    method::repo::Repo,
    task::{TaskMethod, runroot::RunRootTask, wait_repo::WaitRepoTask},
    value::{Map, Value, from_value},
};

use super::{TaskHandler, answer};
use crate::{
    buildroot::{Bind, Group, Session, Wish},
    config::{MountSettings, RunrootSettings, is_plain},
    context::TaskContext,
    failure::{Doing, TaskError, with_last_words},
    subtask::Subtask,
};

/// A command weighs no less.
const LIGHTEST: f64 = 0.5;

pub(super) struct RunRoot;

#[async_trait]
impl TaskHandler for RunRoot {
    fn method(&self) -> &str {
        RunRootTask::METHOD
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let task = RunRootTask::from_request(ctx.task.request.clone())?;
        if task.new_chroot == Some(false) {
            let why = "mock's older kind of chroot isolates nothing, and is not used here; leave new_chroot out";
            return Err(TaskError::Invalid(why.to_owned()));
        }
        let argv = argv(&task.command)?;
        let binds = binds(&ctx.machine.config.runroot, task.mounts.as_deref().unwrap_or_default())?;
        if let Some(weight) = task.weight {
            ctx.hub.set_weight(weight.max(LIGHTEST)).await?;
        }
        let missing = || TaskError::Invalid(format!("the hub knows no tag {}", task.root));
        let tag = ctx.hub.tag(task.root.clone()).await?.ok_or_else(missing)?.id;
        let repo = match task.repo_id {
            Some(repo) => repo,
            None => current_repo(ctx, tag).await?,
        };
        let wish = Wish { tag, repo, arch: task.arch.clone(), group: Group::Build, network: true, binds };
        let session = Session::open(ctx, &wish).await?;
        let outcome = run(ctx, &session, &task, &argv).await;
        if task.keep {
            session.keep(ctx);
        }
        session.finish(ctx, outcome).await?;
        answer(&"the command exited with status 0")
    }
}

/// The tag's repo, or the one that the hub makes for us.
async fn current_repo(ctx: &TaskContext, tag: TagId) -> Result<RepoId, TaskError> {
    if let Some(repo) = ctx.hub.current_repo(tag).await? {
        return Ok(repo.id);
    }
    let wait = WaitRepoTask { tag: toji_protocol::id::Ref::Id(tag), newer_than: None, nvrs: None, min_event: None };
    let wait = Subtask {
        method: WaitRepoTask::METHOD.to_owned(),
        arguments: wait.to_request()?,
        label: "waitrepo".to_owned(),
        opts: Map::new(),
    };
    let repo: Repo = from_value(ctx.result_of(wait).await?).map_err(|error| TaskError::Request(error.into()))?;
    Ok(repo.id)
}

async fn run(
    ctx: &TaskContext,
    session: &Session,
    task: &RunRootTask,
    argv: &[String],
) -> Result<Vec<PathBuf>, TaskError> {
    session.fill().await?;
    let packages = task.packages.as_deref().unwrap_or_default();
    if !packages.is_empty() {
        session.install(packages).await?;
    }
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let status = session.run_as_root(&argv, !task.skip_setarch).await?;
    let mut files = Vec::new();
    for path in task.upload_logs.as_deref().unwrap_or_default() {
        files.push(fetch(ctx, &session.root(), path)?);
    }
    if status == 0 {
        return Ok(files);
    }
    session.upload_early(&files).await?;
    let message = format!("the command exited with status {status}; see runroot.log for more information");
    let logs = [ctx.dir.join("logs/runroot.log"), session.root().join("builddir/runroot.log")];
    let log = logs.iter().find(|log| log.is_file()).cloned().unwrap_or_default();
    // It may have ended by itself of what it took too much of.
    Err(session.named(TaskError::Build(with_last_words(message, &log))))
}

/// A text is a line for the shell, a list the program and its arguments.
fn argv(command: &Value) -> Result<Vec<String>, TaskError> {
    let wrong = || TaskError::Invalid("the command of runroot must be a text, or a list of texts".to_owned());
    let argv = match command {
        Value::String(line) => ["/bin/sh", "-c", line].map(str::to_owned).to_vec(),
        Value::Array(words) => {
            let words = words.iter().map(|word| word.as_str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>().ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    if argv.is_empty() || argv.iter().any(|word| word.contains('\0')) { Err(wrong()) } else { Ok(argv) }
}

/// The folders that are always shown, and those that were asked for, as far as the builder's settings have them.
fn binds(settings: &RunrootSettings, asked: &[String]) -> Result<Vec<Bind>, TaskError> {
    let mut binds: Vec<Bind> = Vec::new();
    for mount in settings.mounts.iter().filter(|mount| mount.always) {
        binds.push(Bind { source: mount.source().to_owned(), path: mount.path.clone(), is_writable: mount.writable });
    }
    for path in asked {
        let bind = bind(settings, Path::new(path))?;
        if !binds.contains(&bind) {
            binds.push(bind);
        }
    }
    Ok(binds)
}

/// A folder at or below one of the settings; the one that says most about it counts.
fn bind(settings: &RunrootSettings, path: &Path) -> Result<Bind, TaskError> {
    let refuse = |why: &str| TaskError::Invalid(format!("{} {why}", path.display()));
    if !is_plain(path) {
        return Err(refuse("is no plain absolute path, so it is not mounted"));
    }
    let fits = |mount: &&MountSettings| path.starts_with(&mount.path);
    let closest = settings.mounts.iter().filter(fits).max_by_key(|mount| mount.path.components().count());
    let mount = closest.ok_or_else(|| refuse("is not among the folders that this builder shows to chroots"))?;
    let below = path.strip_prefix(&mount.path).unwrap_or(Path::new(""));
    let there = mount.source().join(below).canonicalize().ok().zip(mount.source().canonicalize().ok());
    match there {
        Some((source, top)) if source.starts_with(&top) => {
            Ok(Bind { source, path: path.to_owned(), is_writable: mount.writable })
        }
        Some(_) => Err(refuse("leads elsewhere by a link, so it is not mounted")),
        None => Err(refuse("is not there on this builder")),
    }
}

/// Copies a file out of the chroot, for upload. The command has ended, but what it left may be links to anywhere.
fn fetch(ctx: &TaskContext, root: &Path, path: &str) -> Result<PathBuf, TaskError> {
    let missing = || TaskError::Build(format!("the command left no file {path}"));
    let top = root.canonicalize().map_err(|_| missing())?;
    let file = top.join(path.trim_start_matches('/')).canonicalize().map_err(|_| missing())?;
    if !file.starts_with(&top) || !file.is_file() {
        return Err(missing());
    }
    let dir = ctx.dir.join("fetched");
    let to = dir.join(file.file_name().unwrap_or_default());
    let copying = || format!("fetching {path}");
    std::fs::create_dir_all(&dir).doing(copying)?;
    if to.exists() {
        return Err(TaskError::Build(format!("two of the files to upload are called {}", to.display())));
    }
    std::fs::copy(&file, &to).doing(copying)?;
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(dir: &Path) -> RunrootSettings {
        let text = format!(
            "[[mounts]]\npath = '/mnt/koji'\nsource = '{dir}'\nalways = true\n\
             [[mounts]]\npath = '/mnt/koji/scratch'\nsource = '{dir}/scratch'\nwritable = true\n",
            dir = dir.display()
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn only_folders_of_the_settings_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("scratch/a")).unwrap();
        std::fs::create_dir_all(real.join("sub")).unwrap();
        std::os::unix::fs::symlink("/etc", real.join("sub/out")).unwrap();
        let settings = settings(&real);
        let shown = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|path| (*path).to_owned()).collect();
            let binds = binds(&settings, &asked).map_err(|error| error.to_string())?;
            let told = |bind: &Bind| {
                let from = bind.source.strip_prefix(&real).unwrap().display().to_string();
                format!("{from}>{}{}", bind.path.display(), if bind.is_writable { " rw" } else { "" })
            };
            Ok::<_, String>(binds.iter().map(told).collect::<Vec<_>>())
        };
        assert_eq!(shown(&[]).unwrap(), [">/mnt/koji"]);
        assert_eq!(shown(&["/mnt/koji/sub"]).unwrap(), [">/mnt/koji", "sub>/mnt/koji/sub"]);
        assert_eq!(shown(&["/mnt/koji/scratch/a"]).unwrap()[1], "scratch/a>/mnt/koji/scratch/a rw");
        for (path, told) in [
            ("/etc", "not among the folders"),
            ("/mnt/kojix", "not among the folders"),
            ("/mnt/koji/../../etc", "no plain absolute path"),
            ("mnt/koji", "no plain absolute path"),
            ("/", "no plain absolute path"),
            ("/mnt/koji/sub/out", "leads elsewhere"),
            ("/mnt/koji/none", "is not there"),
        ] {
            let error = shown(&[path]).unwrap_err();
            assert!(error.contains(told), "{path}: {error}");
        }
    }

    #[test]
    fn commands() {
        let words = |words: &[&str]| Value::Array(words.iter().map(|word| Value::from(*word)).collect());
        assert_eq!(argv(&"ls | wc".into()).unwrap(), ["/bin/sh", "-c", "ls | wc"]);
        assert_eq!(argv(&words(&["ls", "a b"])).unwrap(), ["ls", "a b"]);
        for bad in [Value::Array(vec![]), Value::Int(5), Value::Array(vec![5.into()]), words(&["a\0b"])] {
            assert!(argv(&bad).is_err(), "{bad:?}");
        }
    }
}
