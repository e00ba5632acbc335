//! `restartVerify`: whether a builder has restarted.

use super::{restart::PinnedHost, task_method};
use crate::id::TaskId;

task_method! {
    /// Ends well when the host's builder was started anew since a `restart` task ended. Answers that in words.
    RestartVerifyTask = "restartVerify", weight 0.1, coordinated false => String {
        /// The `restart` task.
        task_id "task_id": TaskId = required,
        /// The host.
        host "host": PinnedHost = required,
    }
}
