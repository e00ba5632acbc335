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
    let programs = if killed == 1 { "a program".to_owned() } else { format!("{killed} programs") };
    TaskError::OutOfMemory(format!("out of memory: the builder's kernel killed {programs} while this task ran\n{said}"))
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
        let timed_out = TaskError::TimedOut("rpmbuild was killed after 5 s".to_owned());
        assert!(matches!(named(timed_out, 2), TaskError::TimedOut(_)));
    }
}
