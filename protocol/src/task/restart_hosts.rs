//! `restartHosts`: restarts builders when they have finished what they run. A parent: it only coordinates.

use super::task_method;
use crate::value::Map;

task_method! {
    /// Restarts builders. Answers nothing.
    RestartHostsTask = "restartHosts", weight 0.1, coordinated true => () {
        /// Which: `channel`, `arches`; and how long to wait: `timeout`, in seconds.
        options "options": Option<Map> = nil,
    }
}
