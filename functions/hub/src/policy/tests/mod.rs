//! The tests that rules are made of, all 39 of Koji's.

mod generic;

pub(super) use generic::fits;
use generic::{Comparison, Globs};

use super::facts::Facts;
use crate::Result;

/// One test.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// `true`, `all`, `false`, `none`.
    Constant(bool),
    /// `has`: the data have such a field, be it nil.
    Has(String),
    /// `bool`, `skip_tag`, `is_child_task`: the field is what Python takes for true.
    Bool(String),
    /// `match`, `target`, `operation`, `method`, `vm_name`.
    Match(String, Globs),
    /// `match_any`.
    MatchAny(String, Globs),
    /// `match_all`.
    MatchAll(String, Globs),
    /// `compare`.
    Compare(Comparison),
    /// What follows from the data is one text, and it fits.
    One(Text, Globs),
    /// What follows from the data are several texts, and one fits.
    AnyOf(List, Globs),
    /// The same, and all fit.
    AllOf(List, Globs),
    /// A yes or no that follows from the data.
    Is(Property),
    /// `is_sidetag_owner`, of these fields.
    SidetagOwner(&'static [&'static str]),
    /// `policy`: another policy says yes.
    Policy(String),
}

/// A text that follows from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Package,
    Version,
    Release,
    Volume,
    Tag,
    FromTag,
    User,
    Source,
}

/// Texts that follow from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    ContentGenerators,
    TagsOfBuild,
    BuildTags,
    BuildTagAncestors,
    BuildTypes,
    Groups,
    Permissions,
}

/// A yes or no that follows from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    NewPackage,
    Imported,
    BuildOwner,
    Draft,
    Sidetag,
}

/// `has`, `bool`, `match` … begin with a field.
fn field(name: &str, args: &mut Vec<String>) -> std::result::Result<String, String> {
    if args.is_empty() {
        return Err(format!("{name} takes the name of a field"));
    }
    Ok(args.remove(0))
}

impl Test {
    /// Reads `NAME [ARGUMENTS]`.
    pub(super) fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().ok_or_else(|| "a test is missing before :: or beside &&".to_owned())?;
        let mut args: Vec<String> = words.map(str::to_owned).collect();
        let own = |args| Test::Match(name.to_owned(), args);
        Ok(match name {
            "true" | "all" => Test::Constant(true),
            "false" | "none" => Test::Constant(false),
            "has" => Test::Has(field(name, &mut args)?),
            "bool" => Test::Bool(field(name, &mut args)?),
            "match" => Test::Match(field(name, &mut args)?, args),
            "match_any" => Test::MatchAny(field(name, &mut args)?, args),
            "match_all" => Test::MatchAll(field(name, &mut args)?, args),
            "compare" => Test::Compare(Comparison::parse(&args)?),
            "target" | "operation" | "method" | "vm_name" => own(args),
            "skip_tag" => Test::Bool("skip_tag".to_owned()),
            "is_child_task" => Test::Bool("parent".to_owned()),
            "package" => Test::One(Text::Package, args),
            "version" => Test::One(Text::Version, args),
            "release" => Test::One(Text::Release, args),
            "volume" => Test::One(Text::Volume, args),
            "tag" => Test::One(Text::Tag, args),
            "fromtag" => Test::One(Text::FromTag, args),
            "user" => Test::One(Text::User, args),
            "source" => Test::One(Text::Source, args),
            "cg_match_any" => Test::AnyOf(List::ContentGenerators, args),
            "cg_match_all" => Test::AllOf(List::ContentGenerators, args),
            "hastag" => Test::AnyOf(List::TagsOfBuild, args),
            "buildtag" => Test::AnyOf(List::BuildTags, args),
            "buildtag_inherits_from" => Test::AnyOf(List::BuildTagAncestors, args),
            "buildtype" => Test::AnyOf(List::BuildTypes, args),
            "user_in_group" => Test::AnyOf(List::Groups, args),
            "has_perm" => Test::AnyOf(List::Permissions, args),
            "is_new_package" => Test::Is(Property::NewPackage),
            "imported" => Test::Is(Property::Imported),
            "is_build_owner" => Test::Is(Property::BuildOwner),
            "is_draft" => Test::Is(Property::Draft),
            "is_sidetag" => Test::Is(Property::Sidetag),
            "is_sidetag_owner" => Test::SidetagOwner(sidetag_fields(&args)?),
            "policy" => match args.as_slice() {
                [policy] => Test::Policy(policy.clone()),
                _ => return Err("policy takes the name of one policy".to_owned()),
            },
            other => return Err(format!("there is no test '{other}'")),
        })
    }

    /// Whether it holds. [`Test::Policy`] is for who walks the rules.
    pub(super) async fn holds(&self, facts: &mut Facts<'_>) -> Result<bool> {
        match self {
            Test::Constant(holds) => Ok(*holds),
            Test::Has(field) => Ok(facts.field(field).await?.is_some()),
            Test::Bool(field) => Ok(facts.field(field).await?.is_some_and(|value| value.is_truthy())),
            Test::Match(field, globs) => generic::matches(field, facts.field(field).await?, globs),
            Test::MatchAny(field, globs) => generic::matches_items(field, facts.field(field).await?, globs, false),
            Test::MatchAll(field, globs) => generic::matches_items(field, facts.field(field).await?, globs, true),
            Test::Compare(comparison) => comparison.holds(facts.field(&comparison.field).await?),
            Test::One(text, globs) => Ok(facts.text(*text).await?.is_some_and(|text| fits(globs, &text))),
            Test::AnyOf(list, globs) => Ok(facts.list(*list).await?.iter().flatten().any(|text| fits(globs, text))),
            Test::AllOf(list, globs) => {
                let texts = facts.list(*list).await?;
                let fits = |text: &Option<String>| text.as_ref().is_some_and(|text| fits(globs, text));
                Ok(!texts.is_empty() && texts.iter().all(fits))
            }
            Test::Is(property) => facts.property(*property).await,
            Test::SidetagOwner(fields) => facts.owns_sidetags(fields).await,
            Test::Policy(_) => Ok(false),
        }
    }
}

fn sidetag_fields(args: &[String]) -> std::result::Result<&'static [&'static str], String> {
    match args {
        [] => Ok(&["tag"]),
        [one] if one == "tag" => Ok(&["tag"]),
        [one] if one == "fromtag" => Ok(&["fromtag"]),
        [one] if one == "both" => Ok(&["tag", "fromtag"]),
        _ => Err("is_sidetag_owner takes one of tag, fromtag and both".to_owned()),
    }
}
