//! Who may do what, beyond permissions: policies, in Koji's language.
//!
//! # The language
//!
//! A policy is a list of rules, one a line, asked from top to bottom. The first that matches decides.
//!
//! ```text
//! # comments go to the end of the line
//! has_perm admin :: allow
//! tag *-candidate && operation tag move :: allow
//! tag *-released :: {
//!     user_in_group release-team :: allow
//!     hastag *-candidate !! deny tag it as a candidate first
//! }
//! all :: deny ask release engineering
//! ```
//!
//! - `TEST [&& TEST …] :: ACTION` matches when all tests hold; with `!!` for `::` when one does not. There is no OR: write two rules.
//! - `ACTION` is a word, in any case, and what comes after it: for `deny`, the reason that the user reads.
//! - `{` instead of an action opens further rules, and a `}` alone on a line closes them. When none of them decides, the rule after
//!   the `}` is next.
//! - Nothing is quoted. The last `::` of a line splits it; only in a line without one does the last `!!`.
//! - Patterns are a shell's (`*`, `?`, `[a-z]`, `[!a-z]`); capitals matter.
//!
//! | test | holds when |
//! |---|---|
//! | `true`, `all` · `false`, `none` | always · never |
//! | `has FIELD` · `bool FIELD` | the data have the field · it is not empty, zero or false |
//! | `match FIELD PATTERN…` | the field's text fits one of the patterns |
//! | `match_any FIELD PATTERN…` · `match_all …` | of a list, an item fits · all items fit |
//! | `compare FIELD OP NUMBER` | with `<` `>` `<=` `>=` `=` `!=` |
//! | `operation`, `method`, `target`, `vm_name` `PATTERN…` | that field fits |
//! | `is_child_task`, `skip_tag` | the task has a parent · the build is not to be tagged |
//! | `package`, `version`, `release`, `volume`, `source` `PATTERN…` | the package's or the build's fits |
//! | `is_new_package` | nobody has made the package yet |
//! | `tag`, `fromtag` `PATTERN…` | the tag that it goes to, that it comes from |
//! | `hastag PATTERN…` | the build is in such a tag now |
//! | `buildtag`, `buildtag_inherits_from` `PATTERN…` | a tag that it is built in, an ancestor of one |
//! | `buildtype PATTERN…` · `imported` | of that type · a part of it was built in no buildroot |
//! | `cg_match_any`, `cg_match_all` `PATTERN…` | one of its content generators, all of them |
//! | `is_draft`, `is_build_owner` | the build is a draft · who acts owns it, in person or by a group |
//! | `user`, `user_in_group`, `has_perm` `PATTERN…` | who acts; `admin` is one permission among others here |
//! | `is_sidetag` · `is_sidetag_owner [tag\|fromtag\|both]` | of the tag · who acts owns it, or is an admin |
//! | `policy NAME` | the policy of that name says `allow`, `yes` or `true` |
//!
//! # Where they come from
//!
//! `policy.set` stores one in the database, with its history; else the file that the deployment names (`TOJI_POLICY`, in the form of
//! Koji's `hub.conf`: see `file`) has it; else it is Koji's default (`defaults`). `policy.explain` tells which rule decides, and why.
//!
//! - `parse`: from text to a tree; `tests`: the tests; `facts`: what they look at; `decide`: walking the rules
//! - `store`: the policies in force; `admin`: setting and explaining them; `hooks`: where the hub asks them

mod admin;
mod decide;
mod defaults;
mod facts;
mod file;
mod hooks;
mod parse;
mod source;
mod sql;
mod store;
mod tests;

pub(crate) use admin::methods;
use decide::{Outcome, Question};
pub use file::PolicyFile;
pub(crate) use hooks::{BuildAsked, allow_build, place};
pub use hooks::{data_of_task, volume};
pub use parse::{ParseError, RuleSet};
pub use source::Source;
pub(crate) use store::{Cache, Policies};
use toji_protocol::value::Map;

use crate::{Error, Result, call::Cx};

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The action's first word, in lower case: `allow`, `deny`, `use` …
    pub action: String,
    /// The words after it.
    pub rest: String,
    /// The whole action, as it is written: a volume's name has its own case.
    pub text: String,
    /// The rule that decided, as it is written, after those around it.
    pub rule: String,
    /// Its line, from 1: in the file, or in the stored text.
    pub line: usize,
}

impl Decision {
    fn new(text: &str, rule: String, line: usize) -> Self {
        let (action, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        Self { action: action.to_lowercase(), rest: rest.trim_start().to_owned(), text: text.to_owned(), rule, line }
    }
}

/// What a policy says about `data`, whose keys are Koji's (`user_id`, `tag`, `build`, `operation` …). None: no rule matches, or there is
/// no such policy.
///
/// # Errors
/// When a test cannot be asked of the data, or the database is away.
pub async fn decide(cx: &mut Cx, policy: &str, data: &Map) -> Result<Option<Decision>> {
    match Question::new(cx, data.clone()).await?.ask(policy).await? {
        Outcome::Decided(decision) => Ok(Some(decision)),
        Outcome::Silent | Outcome::Missing => Ok(None),
    }
}

/// The answer of a policy that allows or denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it may be.
    pub(crate) allowed: bool,
    /// Why; may be empty.
    pub(crate) reason: String,
    /// The rule that decided; empty when none did.
    pub(crate) rule: String,
}

/// Asks a policy that allows or denies. A policy that says nothing of the data says `default`; what is neither `allow` nor `deny`
/// denies. With `force`, an admin may do what it denies.
///
/// # Errors
/// When a test cannot be asked of the data, or the database is away.
pub(crate) async fn check(cx: &mut Cx, policy: &str, data: Map, default: &str, force: bool) -> Result<Verdict> {
    let missing_is_ok = cx.hub.config.missing_policy_ok;
    let mut question = Question::new(cx, data).await?;
    let (action, reason, rule) = match question.ask(policy).await? {
        Outcome::Missing if missing_is_ok => ("allow".to_owned(), "missing policy".to_owned(), String::new()),
        Outcome::Missing => ("deny".to_owned(), "missing policy".to_owned(), String::new()),
        Outcome::Silent => (default.to_lowercase(), "not covered by policy".to_owned(), String::new()),
        Outcome::Decided(decision) => (decision.action, decision.rest, decision.rule),
    };
    if action == "allow" {
        return Ok(Verdict { allowed: true, reason, rule });
    }
    let reason = if action == "deny" {
        reason
    } else {
        tracing::error!(policy, action, rule, "a policy that allows or denies says something else");
        "error in policy".to_owned()
    };
    if force && question.facts.permissions().await?.iter().any(|perm| perm == "admin") {
        let user = question.facts.user().await?.map(|user| user.name);
        tracing::warn!(policy, user, reason, rule, "a policy was overridden by force");
        return Ok(Verdict { allowed: true, reason: "overridden by force".to_owned(), rule });
    }
    tracing::info!(policy, reason, rule, "a policy denied");
    Ok(Verdict { allowed: false, reason, rule })
}

/// Asks a policy that allows or denies. With `force`, an admin may do what it denies; that is logged.
///
/// # Errors
/// `policy violation (NAME): reason` when it denies, and when none of its rules matches. A policy that is not there allows, unless the
/// deployment says otherwise ([`missing_policy_ok`](crate::config::Config::missing_policy_ok)).
pub async fn assert(cx: &mut Cx, policy: &str, data: Map, force: bool) -> Result<()> {
    let verdict = check(cx, policy, data, "deny", force).await?;
    verdict.demand(cx, policy)
}

impl Verdict {
    /// # Errors
    /// When it denies.
    fn demand(self, cx: &Cx, policy: &str) -> Result<()> {
        if self.allowed {
            return Ok(());
        }
        let mut message = format!("policy violation ({policy})");
        if !self.reason.is_empty() {
            message = format!("{message}: {}", self.reason);
        }
        if cx.hub.config.verbose_policy {
            message = format!("{message} [rule: {}]", self.rule);
        }
        Err(Error::denied(message))
    }
}
