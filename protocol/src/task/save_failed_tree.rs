//! `saveFailedTree`: keeps the files of a build that has failed.

use super::task_method;
use crate::id::BuildrootId;

task_method! {
    /// Packs what a failed task has left in its buildroot, on the host that ran it.
    SaveFailedTreeTask = "saveFailedTree", weight 3.0, coordinated false => () {
        /// The buildroot.
        buildroot_id "buildrootID": BuildrootId = required,
        /// The whole chroot, not only the folder that the build ran in.
        full "full": bool = no,
    }
}
