//! Setting policies, looking at them, and asking them by hand.

use std::sync::Arc;

use toji_protocol::{
    id::EventId,
    method::policy::{
        EvalPolicy, ExplainPolicy, Explanation, HostAssertPolicy, HostCheckPolicy, HostEvalPolicy, ListPolicies,
        ListedPolicy, PolicyHistory, PolicyVersion, SetPolicy,
    },
    value::Map,
};

use super::{
    check,
    decide::{Outcome, Question, no_such_policy},
    parse::RuleSet,
    sql, store,
};
use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    name,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<EvalPolicy>()
        .add::<HostEvalPolicy>()
        .add::<HostCheckPolicy>()
        .add::<HostAssertPolicy>()
        .add::<SetPolicy>()
        .add::<ListPolicies>()
        .add::<PolicyHistory>()
        .add::<ExplainPolicy>();
}

async fn eval(cx: &mut Cx, policy: &str, data: Map) -> Result<Option<String>> {
    match Question::new(cx, data).await?.ask(policy).await? {
        Outcome::Missing => Err(no_such_policy(policy)),
        Outcome::Silent => Ok(None),
        Outcome::Decided(decision) => Ok(Some(decision.text)),
    }
}

impl Handle for EvalPolicy {
    async fn handle(self, cx: &mut Cx) -> Result<Option<String>> {
        eval(cx, &self.name, self.data).await
    }
}

impl Handle for HostEvalPolicy {
    async fn handle(self, cx: &mut Cx) -> Result<Option<String>> {
        eval(cx, &self.name, self.data).await
    }
}

impl Handle for HostCheckPolicy {
    async fn handle(self, cx: &mut Cx) -> Result<(bool, String)> {
        let verdict = check(cx, &self.name, self.data, &self.default, false).await?;
        let answer = (verdict.allowed, verdict.reason.clone());
        if self.strict {
            verdict.demand(cx, &self.name)?;
        }
        Ok(answer)
    }
}

impl Handle for HostAssertPolicy {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        check(cx, &self.name, self.data, &self.default, false).await?.demand(cx, &self.name)
    }
}

fn parse(rules: &str) -> Result<RuleSet> {
    RuleSet::parse(rules).map_err(|error| Error::parameter(error.to_string()))
}

impl Handle for SetPolicy {
    async fn handle(self, cx: &mut Cx) -> Result<EventId> {
        let by = cx.caller.user()?.id;
        name::check("policy", &self.name)?;
        if let Some(rules) = &self.rules {
            parse(rules)?;
        }
        // the event's lock keeps two who set policies apart; no row of a policy is locked by anybody else
        let event = cx.event().await?;
        let conn = cx.db().await?;
        let was_set = sql::revoke(conn, &self.name, event, by).await?;
        match &self.rules {
            Some(rules) => sql::insert(conn, &self.name, rules, event, by).await?,
            None if was_set => {}
            None => return Err(Error::missing(format!("no policy {} is stored: nothing to take back", self.name))),
        }
        cx.policies = None;
        Ok(event)
    }
}

impl Handle for ListPolicies {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<ListedPolicy>> {
        let policies = store::load(cx).await?;
        let listed = policies.by_name.iter().map(|(name, policy)| ListedPolicy {
            name: name.clone(),
            origin: policy.origin.name().to_owned(),
            rules: policy.rules.clone(),
        });
        Ok(listed.collect())
    }
}

impl Handle for PolicyHistory {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<PolicyVersion>> {
        sql::history(cx.db().await?, self.name.as_deref()).await
    }
}

impl Handle for ExplainPolicy {
    async fn handle(self, cx: &mut Cx) -> Result<Explanation> {
        let name = self.name;
        let given = self.rules.as_deref().map(parse).transpose()?.map(Arc::new);
        let policies = store::load(cx).await?;
        let (origin, set) = match (given, policies.by_name.get(&name)) {
            (Some(given), _) => ("given", given),
            (None, Some(policy)) => (policy.origin.name(), policy.set(&name)?),
            (None, None) => return Err(no_such_policy(&name)),
        };
        let mut question = Question::new(cx, self.data).await?.traced();
        let decision = match question.ask_rules(&name, &set).await? {
            Outcome::Decided(decision) => Some(decision),
            Outcome::Silent | Outcome::Missing => None,
        };
        let (asked, data, found) = question.seen();
        Ok(Explanation {
            name,
            origin: origin.to_owned(),
            action: decision.as_ref().map(|decision| decision.text.clone()),
            rule: decision.as_ref().map(|decision| decision.rule.clone()),
            line: decision.map(|decision| decision.line),
            asked,
            data,
            found,
        })
    }
}
