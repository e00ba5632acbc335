//! Preconditions: `If-Match` and its relatives, for reads and for writes.

use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3Result, s3_error};

use super::index::Object;
use super::store::no_such_key;
use crate::clock::{Millis, system_time};

/// What a read may depend on.
#[derive(Debug, Default)]
pub(super) struct ReadConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

/// How a read comes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    NotModified,
    Failed,
}

impl ReadConditions {
    /// RFC 9110's order: a tag speaks before a time.
    pub(super) fn judge(&self, object: &Object) -> Verdict {
        let modified = http_time(object.modified);
        let matched = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => holds(condition, object),
            (None, Some(since)) => modified <= *since,
            (None, None) => true,
        };
        if !matched {
            return Verdict::Failed;
        }
        let known = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => holds(condition, object),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if known { Verdict::NotModified } else { Verdict::Go }
    }
}

/// What a write may depend on.
#[derive(Debug, Default)]
pub(super) struct WriteConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    /// `PreconditionFailed`, or `NoSuchKey` where a tag is to match nothing.
    pub(super) fn check(&self, current: Option<&Object>) -> S3Result<()> {
        if let Some(condition) = &self.if_none_match
            && current.is_some_and(|object| holds(condition, object))
        {
            return Err(failed());
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(no_such_key()),
            (Some(condition), Some(object)) if !holds(condition, object) => Err(failed()),
            _ => Ok(()),
        }
    }
}

pub(super) fn failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// The object's time as HTTP tells it: in seconds.
fn http_time(at: Millis) -> Timestamp {
    Timestamp::from(system_time(at - at.rem_euclid(1000)))
}

fn holds(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(ETag::Strong(tag) | ETag::Weak(tag)) => *tag == object.etag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Object {
        Object {
            etag: "aa".into(),
            modified: 5_700,
            headers: super::super::index::Headers::default(),
            checksum: None,
            blobs: Vec::new(),
            part_numbers: Vec::new(),
        }
    }

    fn tag(value: &str) -> Option<ETagCondition> {
        Some(ETagCondition::ETag(ETag::Strong(value.into())))
    }

    #[test]
    fn reads() {
        let at = |millis| Some(Timestamp::from(system_time(millis)));
        let judge = |conditions: ReadConditions| conditions.judge(&object());
        let base = ReadConditions::default;
        assert_eq!(judge(base()), Verdict::Go);
        assert_eq!(judge(ReadConditions { if_match: tag("bb"), ..base() }), Verdict::Failed);
        assert_eq!(judge(ReadConditions { if_none_match: tag("aa"), ..base() }), Verdict::NotModified);
        assert_eq!(judge(ReadConditions { if_none_match: tag("bb"), ..base() }), Verdict::Go);
        assert_eq!(judge(ReadConditions { if_modified_since: at(5_000), ..base() }), Verdict::NotModified);
        assert_eq!(judge(ReadConditions { if_modified_since: at(4_000), ..base() }), Verdict::Go);
        assert_eq!(judge(ReadConditions { if_unmodified_since: at(4_000), ..base() }), Verdict::Failed);
        let both = ReadConditions { if_match: tag("aa"), if_unmodified_since: at(4_000), ..base() };
        assert_eq!(judge(both), Verdict::Go);
    }

    #[test]
    fn writes() {
        let object = object();
        let code = |conditions: WriteConditions, current: Option<&Object>| {
            conditions.check(current).err().map(|error| error.code().as_str().to_owned())
        };
        let new = || WriteConditions { if_none_match: Some(ETagCondition::Any), ..Default::default() };
        let same = |value| WriteConditions { if_match: tag(value), ..Default::default() };
        assert_eq!(code(new(), None), None);
        assert_eq!(code(new(), Some(&object)).as_deref(), Some("PreconditionFailed"));
        assert_eq!(code(same("aa"), Some(&object)), None);
        assert_eq!(code(same("bb"), Some(&object)).as_deref(), Some("PreconditionFailed"));
        assert_eq!(code(same("aa"), None).as_deref(), Some("NoSuchKey"));
    }
}
