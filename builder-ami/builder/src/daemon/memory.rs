//! Whether a task failed because there was no memory left: the kernel counts the programs that it has killed for that.

use crate::failure::TaskError;

/// What programs and their logs say when they, or one that they had started, were killed.
const SIGNS: [&str; 6] = ["killed", "signal 9", "status 137", "out of memory", "cannot allocate memory", "memoryerror"];

/// How many programs the kernel has killed on this machine, since it was started, because there was no memory left.
pub(super) fn killed() -> u64 {
    parse(&std::fs::read_to_string("/proc/vmstat").unwrap_or_default())
}

fn parse(vmstat: &str) -> u64 {
    let number = vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
    number.unwrap_or(0)
}

/// The same failure, named for what it was if the kernel has killed programs meanwhile and it looks like that. Other tasks of this
/// builder may have had the programs that were killed.
pub(super) fn named(error: TaskError, killed: u64) -> TaskError {
    let TaskError::Build(said) = &error else { return error };
    let text = said.to_lowercase();
    if killed == 0 || !SIGNS.iter().any(|sign| text.contains(sign)) {
        return error;
    }
    let programs = programs(killed);
    TaskError::OutOfMemory(format!("out of memory: the builder's kernel killed {programs} while this task ran\n{said}"))
}

/// The same failure, where programs of the task itself were killed because it had as much memory as it may have.
pub(super) fn over_limit(error: TaskError, killed: u64, limit: Option<u64>) -> TaskError {
    let TaskError::Build(said) = &error else { return error };
    let (programs, most) = (programs(killed), limit.unwrap_or_default() / (1024 * 1024));
    TaskError::OutOfMemory(format!(
        "out of memory: this task used all of the {most} MiB that a task may have on this builder (limits.memory), and the kernel \
         killed {programs} of it\n{said}"
    ))
}

fn programs(number: u64) -> String {
    if number == 1 { "a program".to_owned() } else { format!("{number} programs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_killed_is_out_of_memory() {
        assert_eq!(parse("pgfault 7\noom_kill 3\noom_kill_x 9\n"), 3);
        assert_eq!(parse(""), 0);
        let build = |said: &str| TaskError::Build(said.to_owned());
        let said = "error building package, rpmbuild exited with status 1\ncc1plus: fatal error: Killed signal terminated program";
        let error = named(build(said), 2);
        assert!(matches!(error, TaskError::OutOfMemory(_)));
        let text = error.to_string();
        assert!(
            text.starts_with("out of memory: the builder's kernel killed 2 programs") && text.ends_with(said),
            "{text}"
        );
        assert!(matches!(named(build(said), 0), TaskError::Build(_)), "something else has killed it");
        assert!(matches!(named(build("error: Bad exit status (%check)"), 2), TaskError::Build(_)), "another task's");
        let text = over_limit(build(said), 1, Some(64 << 20)).to_string();
        assert!(
            text.contains("all of the 64 MiB") && text.contains("killed a program of it") && text.ends_with(said),
            "{text}"
        );
        let timed_out = TaskError::TimedOut("rpmbuild was killed after 5 s".to_owned());
        assert!(matches!(named(timed_out, 2), TaskError::TimedOut(_)));
    }
}
