//! What mock's exit status says: what kind of failure it was, and which log tells why.

/// rpmbuild ran for too long.
pub(super) const TIMED_OUT: i32 = 11;

/// The log to be named in a message: Koji's choice, but for the one that speaks of rpmbuild's time.
pub(super) fn log(status: i32) -> &'static str {
    match status {
        10 | TIMED_OUT => "build.log",
        1 => "build.log or root.log",
        _ => "root.log",
    }
}

/// The logs to look into, in order.
pub(super) fn logs(status: i32) -> &'static [&'static str] {
    match status {
        10 | TIMED_OUT | 1 => &["build.log", "root.log"],
        _ => &["root.log"],
    }
}

/// What it means, where that says more than the log.
pub(super) fn meaning(status: i32) -> Option<&'static str> {
    Some(match status {
        3 => "mock has no such configuration",
        TIMED_OUT => "rpmbuild was stopped at its time limit",
        30 => "the package manager failed",
        60 => "the buildroot is locked by another mock",
        65 => "mock could not set SELinux up",
        70 => "the folder for results cannot be used",
        137 => "it was killed",
        143 => "it was asked to stop",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (status, told) in [
            (1, "build.log or root.log"),
            (3, "root.log"),
            (10, "build.log"),
            (11, "build.log"),
            (20, "root.log"),
            (30, "root.log"),
            (60, "root.log"),
            (143, "root.log"),
        ] {
            assert_eq!(log(status), told, "{status}");
            assert!(told.starts_with(logs(status)[0]), "{status}");
        }
        assert_eq!((meaning(10), meaning(30)), (None, Some("the package manager failed")));
    }
}
