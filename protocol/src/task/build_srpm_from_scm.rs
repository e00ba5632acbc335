//! `buildSRPMFromSCM`: checks sources out and makes a source RPM of them.

use super::{build_arch::RootOpts, rebuild_srpm::SrpmMade, task_method};
use crate::id::TagId;

task_method! {
    /// Makes a source RPM from a checkout.
    BuildSrpmFromScmTask = "buildSRPMFromSCM", weight 1.0, coordinated false => SrpmMade {
        /// The SCM URL.
        url "url": String = required,
        /// The build tag.
        build_tag "build_tag": TagId = required,
        /// The options.
        opts "opts": RootOpts = required,
    }
}
