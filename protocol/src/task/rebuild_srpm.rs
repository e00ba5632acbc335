//! `rebuildSRPM`: makes an uploaded source RPM anew in the build tag's own buildroot.

use super::{build_arch::RootOpts, task_method};
use crate::{
    id::{BuildrootId, TagId},
    value::Value,
};

/// A source RPM that was made. Paths are below `work/`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SrpmMade {
    /// The source RPM.
    pub srpm: String,
    /// The logs.
    pub logs: Vec<String>,
    /// The buildroot it was made in.
    pub brootid: BuildrootId,
    /// `source`: where it came from, with the resolved commit; `url`: as it was asked for.
    #[serde(default)]
    pub source: Option<Value>,
}

task_method! {
    /// Makes an uploaded source RPM anew.
    RebuildSrpmTask = "rebuildSRPM", weight 1.0, coordinated false => SrpmMade {
        /// The path below `work/`.
        srpm "srpm": String = required,
        /// The build tag.
        build_tag "build_tag": TagId = required,
        /// The options.
        opts "opts": RootOpts = required,
    }
}
