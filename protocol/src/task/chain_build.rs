//! `chainbuild`: builds in levels. A parent: it only coordinates.

use super::{build::BuildOpts, task_method};

task_method! {
    /// Builds packages, level by level. Answers nothing.
    ChainBuildTask = "chainbuild", weight 0.1, coordinated true => () {
        /// The levels: SCM URLs to build, and names of builds to wait for.
        srcs "srcs": Vec<Vec<String>> = required,
        /// The target.
        target "target": String = required,
        /// The options of each build.
        opts "opts": Option<BuildOpts> = nil,
    }
}
