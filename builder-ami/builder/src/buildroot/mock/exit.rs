//! What mock's exit status says: only which log tells why.

/// The log to be named in a message.
pub(super) fn log(status: i32) -> &'static str {
    match status {
        10 => "build.log",
        1 => "build.log or root.log",
        _ => "root.log",
    }
}

/// The logs to look into, in order.
pub(super) fn logs(status: i32) -> &'static [&'static str] {
    match status {
        10 | 1 => &["build.log", "root.log"],
        _ => &["root.log"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (status, told) in
            [(1, "build.log or root.log"), (10, "build.log"), (11, "root.log"), (30, "root.log"), (143, "root.log")]
        {
            assert_eq!(log(status), told);
        }
        assert_eq!(logs(1), ["build.log", "root.log"]);
        assert_eq!(logs(30), ["root.log"]);
    }
}
