//! What a dist repo is to be: Koji's options.

use std::collections::BTreeSet;

use toji_protocol::{
    arch::canonical,
    method::is_truthy,
    value::{Map, Value, from_value},
};

use crate::{Error, Result};

/// Options that ask for what is not made here, and what to do instead.
const LEFT_OUT: [(&str, &str); 4] = [
    ("delta", "delta RPMs are not made here; leave out --delta-rpms"),
    ("multilib", "multilib repos are not made here yet; leave out --multilib"),
    ("zck", "zchunk metadata is not made here; leave out --zck"),
    ("zck_dict_dir", "zchunk metadata is not made here; leave out --zck-dict-dir"),
];

/// What a dist repo is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opts {
    /// Base architectures, and `src`.
    pub(super) arches: Vec<String>,
    /// With builds that the tag inherits.
    pub(super) inherit: bool,
    /// Only so many of each package's newest builds; None = all.
    pub(super) latest: Option<u32>,
    /// RPMs that have none of the keys are shown as they were built.
    pub(super) allow_missing: bool,
    /// RPMs that have none of the keys are left out.
    pub(super) skip_missing: bool,
    /// Signed copies that are not there are written.
    pub(super) write_signed: bool,
    /// Debug RPMs have a repo of their own, `debug` below the architecture's.
    pub(super) split_debuginfo: bool,
    /// An uploaded comps.xml: its path below `work/`.
    pub(super) comps: Option<String>,
}

impl Opts {
    /// Reads them.
    ///
    /// # Errors
    /// When one has the wrong form, or asks for what is not made here.
    pub(super) fn parse(opts: &Map) -> Result<Self> {
        let given = |name: &str| opts.get(name).filter(|value| !value.is_nil());
        for (name, problem) in LEFT_OUT {
            if given(name).is_some_and(is_truthy) {
                return Err(Error::parameter(problem));
            }
        }
        let arches: Vec<String> = match given("arch") {
            Some(arches) => from_value(arches.clone())?,
            None => Vec::new(),
        };
        let arches: BTreeSet<String> =
            arches.iter().map(|arch| canonical(arch).to_owned()).filter(|arch| arch != "noarch").collect();
        if arches.is_empty() {
            return Err(Error::parameter("name the architectures: arch"));
        }
        let is = |name: &str, default: bool| given(name).map_or(default, is_truthy);
        Ok(Self {
            arches: arches.into_iter().collect(),
            inherit: is("inherit", true),
            latest: latest(given("latest"))?,
            allow_missing: is("allow_missing_signatures", false),
            skip_missing: is("skip_missing_signatures", false),
            write_signed: is("write_signed_rpms", false),
            split_debuginfo: is("split_debuginfo", false),
            comps: given("comps").map(|comps| from_value(comps.clone())).transpose()?,
        })
    }
}

/// True is one, a number so many; what says no means all.
fn latest(given: Option<&Value>) -> Result<Option<u32>> {
    match given {
        None | Some(Value::Bool(true)) => Ok(Some(1)),
        Some(Value::Bool(false) | Value::Int(0)) => Ok(None),
        Some(Value::Int(count)) if u32::try_from(*count).is_ok() => Ok(u32::try_from(*count).ok()),
        Some(_) => Err(Error::parameter("latest must be true, false, or a number of builds")),
    }
}

/// The keys in the order in which they are preferred, in lower case; the empty one is an RPM as it was built.
///
/// # Errors
/// When one is no text.
pub(super) fn keys(keys: &[Value]) -> Result<Vec<String>> {
    let key = |key: &Value| match key {
        // XML-RPC's clients send digits as they please
        Value::Int(number) => Ok(number.to_string()),
        Value::String(key) => Ok(key.to_lowercase()),
        other => Err(Error::parameter(format!("a key must be a text such as 1234abcd, not {}", other.kind()))),
    };
    keys.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(opts: serde_json::Value) -> Result<Opts> {
        Opts::parse(&serde_json::from_value(opts).unwrap())
    }

    #[test]
    fn as_the_stock_client_sends_them() {
        let opts =
            parse(json!({"arch": ["i686", "x86_64", "noarch", "src"], "comps": null, "delta": [], "event": null,
            "volume": null, "inherit": false, "latest": true, "multilib": false, "split_debuginfo": true,
            "skip_missing_signatures": false, "allow_missing_signatures": true, "zck": false, "zck_dict_dir": null,
            "createrepo_skip_stat": true, "write_signed_rpms": null}));
        let opts = opts.unwrap();
        assert_eq!(opts.arches, ["i386", "src", "x86_64"]);
        assert_eq!(opts.latest, Some(1));
        assert!(!opts.inherit && opts.allow_missing && opts.split_debuginfo && !opts.write_signed);
        assert_eq!(opts.comps, None);
    }

    #[test]
    fn what_is_not_made_is_said() {
        for bad in [json!({"delta": [5]}), json!({"multilib": "cli/x"}), json!({"zck": true})] {
            let mut opts = json!({"arch": ["x86_64"]});
            opts.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
            assert!(parse(opts).unwrap_err().to_string().contains("leave out --"), "{bad}");
        }
        assert_eq!(parse(json!({"arch": ["noarch"]})).unwrap_err().to_string(), "name the architectures: arch");
        assert_eq!(
            (latest(Some(&Value::Int(3))).unwrap(), latest(Some(&Value::Bool(false))).unwrap()),
            (Some(3), None)
        );
        assert!(latest(Some(&Value::Int(-1))).is_err());
        assert!(keys(&[Value::Bool(true)]).is_err());
        assert_eq!(keys(&["AB12".into(), Value::Int(12345678), "".into()]).unwrap(), ["ab12", "12345678", ""]);
    }
}
