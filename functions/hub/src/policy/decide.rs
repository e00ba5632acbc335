//! Walking the rules: the first that matches decides.

use std::{future::Future, pin::Pin, sync::Arc};

use toji_protocol::{
    method::policy::{AskedRule, AskedTest},
    value::{Map, Value},
};

use super::{
    Decision,
    facts::Facts,
    parse::{Rule, RuleSet, Then},
    store::{self, Policies},
    tests::Test,
};
use crate::{Error, Result, call::Cx};

/// What a policy has to say.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// There is no such policy.
    Missing,
    /// None of its rules matches.
    Silent,
    /// A rule decides.
    Decided(Decision),
}

/// Asking policies about one set of data.
pub(super) struct Question<'a> {
    pub(super) facts: Facts<'a>,
    policies: Arc<Policies>,
    /// The policies under way, outermost first: one that asks itself never ends.
    running: Vec<String>,
    /// Every rule that was looked at, if somebody wants to know.
    trace: Option<Vec<AskedRule>>,
}

type Walk<'w> = Pin<Box<dyn Future<Output = Result<Option<Decision>>> + Send + 'w>>;

impl<'a> Question<'a> {
    pub(super) async fn new(cx: &'a mut Cx, data: Map) -> Result<Self> {
        let policies = store::load(cx).await?;
        Ok(Self { facts: Facts::new(cx, data), policies, running: Vec::new(), trace: None })
    }

    /// About a task that is about to be made.
    pub(super) async fn of_task(cx: &'a mut Cx, data: Map, method: &'a str, request: &'a [Value]) -> Result<Self> {
        let policies = store::load(cx).await?;
        let facts = Facts::of_task(cx, data, method, request);
        Ok(Self { facts, policies, running: Vec::new(), trace: None })
    }

    /// The same, keeping a note of every rule that is looked at.
    pub(super) fn traced(self) -> Self {
        Self { trace: Some(Vec::new()), ..self }
    }

    /// Asks a policy.
    pub(super) async fn ask(&mut self, policy: &str) -> Result<Outcome> {
        let Some(found) = self.policies.by_name.get(policy) else { return Ok(Outcome::Missing) };
        let (set, origin) = (found.set(policy)?, found.origin.name());
        let outcome = self.ask_rules(policy, &set).await?;
        if let Outcome::Decided(Decision { text, rule, line, .. }) = &outcome {
            tracing::debug!(policy, origin, action = text, rule, line, "a policy decided");
        }
        Ok(outcome)
    }

    /// Asks rules as if they were the policy of that name.
    pub(super) async fn ask_rules(&mut self, policy: &str, set: &RuleSet) -> Result<Outcome> {
        self.running.push(policy.to_owned());
        let decision = self.walk(&set.rules, Vec::new()).await;
        self.running.pop();
        Ok(decision?.map_or(Outcome::Silent, Outcome::Decided))
    }

    /// `path`: the rules around these.
    fn walk<'w>(&'w mut self, rules: &'w [Rule], path: Vec<&'w str>) -> Walk<'w> {
        Box::pin(async move {
            for rule in rules {
                if !self.matches(rule).await? {
                    continue;
                }
                let mut path = path.clone();
                path.push(&rule.text);
                match &rule.then {
                    Then::Act(action) => return Ok(Some(Decision::new(action, path.join(" "), rule.line))),
                    Then::Nested(rules) => match self.walk(rules, path).await? {
                        // a nested set that decides nothing leaves it to the next rule
                        None => {}
                        decided => return Ok(decided),
                    },
                }
            }
            Ok(None)
        })
    }

    async fn matches(&mut self, rule: &Rule) -> Result<bool> {
        let mut asked = Vec::new();
        let mut all = true;
        for test in &rule.tests {
            all = self.holds(test).await?;
            asked.push(all);
            if !all {
                break;
            }
        }
        let matched = all != rule.negated;
        if let Some(trace) = &mut self.trace {
            let tests = rule.test_texts().zip(asked);
            trace.push(AskedRule {
                policy: self.running.last().cloned().unwrap_or_default(),
                line: rule.line,
                rule: rule.text.clone(),
                tests: tests.map(|(test, holds)| AskedTest { test: test.to_owned(), holds }).collect(),
                matched,
            });
        }
        Ok(matched)
    }

    async fn holds(&mut self, test: &Test) -> Result<bool> {
        let Test::Policy(name) = test else { return test.holds(&mut self.facts).await };
        if self.running.contains(name) {
            return Err(Error::invalid(format!("encountered policy loop at policy {name}")));
        }
        match self.ask(name).await? {
            Outcome::Missing => Err(no_such_policy(name)),
            Outcome::Silent => Ok(false),
            // the whole of it: `allow` with a reason is no yes
            Outcome::Decided(decision) => {
                Ok(["yes", "true", "allow"].iter().any(|yes| decision.text.eq_ignore_ascii_case(yes)))
            }
        }
    }

    /// What was looked at: rules, data, and what was found out from them.
    pub(super) fn seen(self) -> (Vec<AskedRule>, Map, Map) {
        let (data, found) = self.facts.seen();
        (self.trace.unwrap_or_default(), data, found)
    }
}

pub(super) fn no_such_policy(policy: &str) -> Error {
    Error::missing(format!("no such policy: {policy}"))
}
