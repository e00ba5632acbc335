//! Where the hub asks policies that do more than allow or deny, or asks several at once.

use toji_protocol::{
    id::{Ref, TagId, TaskId, UserId, VolumeId},
    task::build::BuildOpts,
    value::Map,
};

use super::{Decision, Source, assert, decide::Outcome, decide::Question, facts::data_of_request};
use crate::{
    Error, Result,
    call::Cx,
    channel,
    task::{self, NewTask},
    volume,
};

/// A build that somebody wants.
pub(crate) struct BuildAsked<'a> {
    /// For whom.
    pub(crate) owner: UserId,
    /// What it is made from, as it was given.
    pub(crate) source: &'a str,
    /// The task, when it runs.
    pub(crate) task: Option<TaskId>,
    /// Where its buildroot comes from.
    pub(crate) build_tag: TagId,
    /// The target's name; None when only a repo was named.
    pub(crate) target: Option<&'a str>,
    /// Where it goes; None = nowhere.
    pub(crate) dest: Option<TagId>,
    /// Its options.
    pub(crate) opts: &'a BuildOpts,
}

/// Asks `build_from_srpm`, `build_from_repo_id` and `build_rpm`: the first two only where they apply.
///
/// # Errors
/// When one of them denies.
pub(crate) async fn allow_build(cx: &mut Cx, asked: &BuildAsked<'_>) -> Result<()> {
    let opts = asked.opts;
    let is_scm = matches!(Source::parse(asked.source)?, Source::Scm(_));
    let mut data = Map::new();
    data.insert("user_id", asked.owner.0);
    data.insert("source", asked.source);
    if let Some(task) = asked.task {
        data.insert("task_id", task.0);
    }
    data.insert("build_tag", asked.build_tag.0);
    data.insert("skip_tag", asked.dest.is_none());
    data.insert("scratch", opts.scratch);
    data.insert("draft", opts.draft);
    data.insert("from_scm", is_scm);
    data.insert("repo_id", opts.repo_id.map(|repo| repo.0));
    if let Some(target) = asked.target {
        data.insert("target", target);
    }
    if let Some(dest) = asked.dest {
        data.insert("tag", dest.0);
    }
    if !is_scm && !opts.scratch.unwrap_or(false) {
        assert(cx, "build_from_srpm", data.clone(), false).await?;
    }
    if opts.repo_id.is_some() {
        assert(cx, "build_from_repo_id", data.clone(), false).await?;
    }
    assert(cx, "build_rpm", data, false).await
}

/// Where a new task goes: its channel, None = its parent's, and its priority.
///
/// # Errors
/// When the policies `channel` or `priority` say what cannot be done.
pub(crate) async fn place(cx: &mut Cx, new: &NewTask) -> Result<(Option<String>, i32)> {
    let mut data = Map::new();
    data.insert("method", new.method.as_str());
    data.insert("arch", new.arch.as_str());
    data.insert("parent", new.parent.map(|parent| parent.0));
    data.insert("label", new.label.as_deref());
    data.insert("owner", new.owner.0);
    data.insert("user_id", new.owner.0);
    if let Some(channel) = &new.channel {
        data.insert("req_channel", channel.as_str());
    }
    let mut question = Question::of_task(cx, data, &new.method, &new.request).await?;
    let (channel, priority) = (question.ask("channel").await?, question.ask("priority").await?);
    let channel = channel_of(new, channel)?;
    if let Some(asked) = &new.channel
        && channel.as_ref() != Some(asked)
    {
        // what was asked for must be there, even where the policy chooses another
        channel::require(cx.db().await?, &asked.as_str().into()).await?;
    }
    Ok((channel, priority_of(new.priority, priority)?))
}

fn channel_of(new: &NewTask, outcome: Outcome) -> Result<Option<String>> {
    let Outcome::Decided(Decision { action, rest, rule, .. }) = outcome else {
        tracing::warn!(method = new.method, "the policy channel says nothing: the task goes to the channel default");
        return Ok(Some("default".to_owned()));
    };
    match (action.as_str(), rest.split_whitespace().next()) {
        ("use", Some(channel)) => Ok(Some(channel.to_owned())),
        ("parent", _) if new.parent.is_some() => Ok(None),
        ("req", _) if new.channel.is_some() => Ok(new.channel.clone()),
        _ => {
            tracing::error!(rule, "the policy channel says what cannot be done");
            Err(Error::invalid("invalid channel policy"))
        }
    }
}

fn priority_of(priority: i32, outcome: Outcome) -> Result<i32> {
    let Outcome::Decided(Decision { action, rest, rule, .. }) = outcome else { return Ok(priority) };
    // Rust reads `+1` as well
    let number = rest.split_whitespace().next().and_then(|word| word.parse::<i32>().ok());
    let changed = match (action.as_str(), number) {
        ("stay", _) => Some(priority),
        ("set", Some(number)) => Some(number),
        ("adjust", Some(number)) => priority.checked_add(number),
        _ => None,
    };
    changed.ok_or_else(|| {
        tracing::error!(rule, "the policy priority says what cannot be done");
        Error::invalid("invalid priority policy")
    })
}

/// What policies are told of a task that is there: `source`, `target`, `tag`, `build_tag` and `scratch`, as far as its arguments say.
///
/// # Errors
/// When there is no such task.
pub async fn data_of_task(cx: &mut Cx, task: TaskId) -> Result<Map> {
    let row = task::require(cx, task).await?;
    data_of_request(cx, &row.method, &task::decode_request(&row.request)?).await
}

/// The volume that the policy `volume` chooses for a build. None: it chooses none, or one that is not there, which is logged; with
/// `strict` that is an error.
///
/// # Errors
/// With `strict`, as said; and when the database is away.
pub async fn volume(cx: &mut Cx, data: Map, strict: bool) -> Result<Option<(VolumeId, String)>> {
    let asked = match Question::new(cx, data).await?.ask("volume").await {
        Err(error) if !strict && error.is_rule() => {
            tracing::error!(%error, "the policy volume cannot be asked");
            return Ok(None);
        }
        asked => asked?,
    };
    let Outcome::Decided(Decision { text, .. }) = asked else {
        if strict {
            return Err(Error::missing("the policy volume says nothing of this build"));
        }
        tracing::warn!("the policy volume says nothing of this build");
        return Ok(None);
    };
    let found = volume::find(cx.db().await?, &Ref::Name(text.clone())).await?;
    if found.is_none() {
        if strict {
            return Err(Error::missing(format!("the policy volume says {text}, and there is no such volume")));
        }
        tracing::error!(volume = text, "the policy volume says a volume that is not there");
    }
    Ok(found.map(|volume| (volume.id, volume.name)))
}

#[cfg(test)]
mod tests {
    use toji_protocol::value::Value;

    use super::*;

    fn outcome(text: &str) -> Outcome {
        Outcome::Decided(Decision::new(text, String::new(), 1))
    }

    fn task(parent: Option<i64>, channel: Option<&str>) -> NewTask {
        NewTask {
            parent: parent.map(TaskId),
            channel: channel.map(str::to_owned),
            ..NewTask::top("x", Vec::<Value>::new(), UserId(1))
        }
    }

    #[test]
    fn channels() {
        let place = |text: &str, new: &NewTask| channel_of(new, outcome(text)).ok();
        let (top, child) = (task(None, Some("image")), task(Some(1), None));
        assert_eq!(place("use big", &top), Some(Some("big".to_owned())));
        assert_eq!(place("req", &top), Some(Some("image".to_owned())));
        assert_eq!(place("parent", &child), Some(None));
        for (text, new) in [("parent", &top), ("req", &child), ("use", &top), ("allow", &top)] {
            assert_eq!(place(text, new), None, "{text}");
        }
        assert_eq!(channel_of(&child, Outcome::Silent).unwrap(), Some("default".to_owned()));
    }

    #[test]
    fn priorities() {
        let change = |text: &str| priority_of(20, outcome(text)).ok();
        assert_eq!(change("stay"), Some(20));
        assert_eq!(change("set 5"), Some(5));
        assert_eq!((change("adjust +3"), change("adjust -3")), (Some(23), Some(17)));
        for bad in ["set", "set x", "adjust", "adjust 9999999999", "adjust 2147483647", "use default"] {
            assert_eq!(change(bad), None, "{bad}");
        }
        assert_eq!(priority_of(20, Outcome::Silent).unwrap(), 20);
    }
}
