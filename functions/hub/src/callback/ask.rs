//! Asking hooks, and what they have answered to the request at hand.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use toji_protocol::time::Time;

use super::{Happening, Point, When, remote::Sent, settings::Hook, signature::signed};
use crate::{
    Error, Hub, Result,
    call::{Caller, Cx},
    error::FaultCode,
};

/// Hooks asked at once.
const AT_ONCE: usize = 8;

/// What a hook is to be asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The hook's name.
    hook: String,
    point: String,
    /// What it is sent.
    body: String,
    /// The same when the call is run again.
    key: String,
    now: DateTime<Utc>,
}

/// What hooks have said to the request at hand: asked the same again, they are not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Option<Arc<Mutex<Given>>>);

/// By the hook's name and the question's key.
type Given = HashMap<(String, String), Answer>;

#[derive(Clone, Debug)]
enum Answer {
    Yes,
    No(String),
    /// It cannot be asked.
    None(String),
}

impl Answers {
    /// Room for answers.
    pub(crate) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether there is room for answers.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// What was answered; None when it was not asked yet.
    pub(super) fn get(&self, question: &Question) -> Option<Result<()>> {
        let answers = self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let Question { hook, point, key, .. } = question;
        match answers.get(&(hook.clone(), key.clone()))? {
            Answer::Yes => Some(Ok(())),
            Answer::No(reason) => Some(Err(Error::Vetoed(format!("{point}: the hook {hook} refuses: {reason}")))),
            Answer::None(problem) => {
                let message = format!("{point}: the hook {hook} must be asked and does not answer: {problem}");
                Some(Err(Error::Remote(FaultCode::Callback, message)))
            }
        }
    }

    fn put(&self, question: Question, answer: Answer) {
        if let Some(answers) = &self.0 {
            answers.lock().unwrap_or_else(PoisonError::into_inner).insert((question.hook, question.key), answer);
        }
    }
}

/// What must be asked before something happens.
pub(super) fn questions(cx: &Cx, happening: &Happening) -> Result<Vec<Question>> {
    let point = Point { when: When::Pre, callback: happening.callback };
    let hooks = cx.hub.config.callbacks.hooks_of(point.callback);
    let question = |hook: &Hook| {
        let mut body = json!({
            "callback": point.to_string(),
            "hook": hook.name,
            "address": happening.address,
            "key": happening.key,
            "time": Time(cx.now),
            "user": caller(&cx.caller),
            "request_id": cx.hub.request_id(),
            "props": happening.props,
            "body": happening.body,
        });
        let sent = body.to_string();
        if let Some((argument, members)) = happening.fresh {
            if let Some(named) = body["body"].get_mut(argument).and_then(Value::as_object_mut) {
                members.iter().for_each(|member| drop(named.shift_remove(*member)));
            }
            // both are made of the arguments
            (body["key"], body["props"]) = (Value::Null, Value::Null);
        }
        let (hook, point, key) = (hook.name.clone(), point.to_string(), body.to_string());
        Question { hook, point, body: sent, key, now: cx.now }
    };
    Ok(hooks.map(question).collect())
}

fn caller(caller: &Caller) -> Value {
    match caller {
        Caller::User(user) => json!({ "id": user.id, "name": user.name }),
        Caller::Nobody => Value::Null,
    }
}

/// Asks hooks, and keeps their answers. Not within a transaction.
pub(crate) fn ask(hub: &Hub, questions: Vec<Question>) -> BoxFuture<'_, ()> {
    let asked = questions.into_iter().map(|question| ask_one(hub, question).boxed());
    let asked: Vec<BoxFuture<'_, ()>> = asked.collect();
    stream::iter(asked).buffer_unordered(AT_ONCE).collect::<()>().boxed()
}

/// Hooks were asked again and again, and there is still something that they were not asked.
pub(crate) fn unsettled(questions: &[Question]) -> Error {
    let question = questions.first();
    tracing::error!(?question, "what a hook is asked changes each time that the call is run");
    let point = question.map(|question| question.point.as_str()).unwrap_or_default();
    let message = format!("{point}: what happens here changes each time that a hook is asked about it; try again");
    Error::Remote(FaultCode::Callback, message)
}

async fn ask_one(hub: &Hub, question: Question) {
    let Some(hook) = hub.config.callbacks.hook(&question.hook) else { return };
    let answer = match (answer(hub, hook, &question).await, hook.ignore_error) {
        (Answer::None(problem), true) => {
            tracing::warn!(
                hook = hook.name,
                point = question.point,
                problem,
                "a hook does not answer; its word is not needed"
            );
            Answer::Yes
        }
        (answer, _) => answer,
    };
    hub.answers().put(question, answer);
}

/// What a hook may say; nothing is yes.
#[derive(Deserialize)]
struct Said {
    #[serde(default = "yes")]
    allow: bool,
    reason: Option<String>,
}

fn yes() -> bool {
    true
}

async fn answer(hub: &Hub, hook: &Hook, question: &Question) -> Answer {
    let body = question.body.clone();
    let id = format!("ask_{:032x}", rand::random::<u128>());
    let headers = signed(&hook.secrets, &id, &body, question.now);
    let sent = Sent { topic: question.point.clone(), body, headers };
    match hub.config.remote.call(&hook.endpoint, sent, hook.limit).await {
        Err(problem) => Answer::None(problem.to_string()),
        Ok(said) if said.trim_ascii().is_empty() || said.trim_ascii() == b"null" => Answer::Yes,
        Ok(said) => match serde_json::from_slice::<Said>(&said) {
            Ok(Said { allow: true, .. }) => Answer::Yes,
            Ok(Said { reason, .. }) => Answer::No(reason.unwrap_or_else(|| "it gives no reason".to_owned())),
            Err(error) => Answer::None(format!("it answers no JSON as it should: {error}")),
        },
    }
}
