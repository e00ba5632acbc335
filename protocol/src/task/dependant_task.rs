//! `dependantTask`: waits for tasks that are not its children, then makes some of its own.

use super::task_method;
use crate::value::Value;

task_method! {
    /// Waits for tasks, then makes others and waits for those. It fails when one of them fails.
    DependantTask = "dependantTask", weight 0.2, coordinated true => () {
        /// The tasks to wait for, by id; what is no task is left out.
        wait_list "wait_list": Vec<Value> = required,
        /// The tasks to make: each a list of method, arguments and perhaps a struct of options, such as `priority`.
        task_list "task_list": Vec<Value> = required,
    }
}
