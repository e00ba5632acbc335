//! `restart`: one builder restarts when it has finished what it runs.

use super::task_method;
use crate::id::HostId;

/// A host, as a task for it alone names it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PinnedHost {
    /// Its id.
    pub id: HostId,
    /// Its name.
    pub name: String,
}

task_method! {
    /// Has a builder restart. Answers the name of the life that it is to end, which changes with each start.
    RestartTask = "restart", weight 0.1, coordinated false => String {
        /// The host.
        host "host": PinnedHost = required,
    }
}
