//! RPM's order of epoch, version and release, tilde and caret included.

use std::cmp::Ordering;

use rpm_version::Evr;

/// Orders two epoch-version-release triples as rpm does. A missing epoch is 0.
pub fn compare(left: (u32, &str, &str), right: (u32, &str, &str)) -> Ordering {
    left.0.cmp(&right.0).then_with(|| compare_versions(left.1, right.1)).then_with(|| compare_versions(left.2, right.2))
}

/// Orders two version (or two release) strings as rpm does.
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    Evr::new("", left, "").cmp(&Evr::new("", right, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_rpm_orders_them() {
        let ascending = [
            "1.0~~", "1.0~rc1", "1.0~rc2", "1.0", "1.0^", "1.0^git1", "1.0^git2", "1.0.1", "1.0.a", "1.1", "1.9",
            "1.10", "2",
        ];
        // A letter segment is older than a number, so 1.0.a comes before 1.0.1.
        let mut expected = ascending.to_vec();
        expected.swap(7, 8);
        let mut sorted = ascending.to_vec();
        sorted.sort_by(|a, b| compare_versions(a, b));
        assert_eq!(sorted, expected);
        assert_eq!(compare_versions("1.0", "1_0"), Ordering::Equal);
        assert_eq!(compare_versions("001", "1"), Ordering::Equal);
    }

    #[test]
    fn epoch_outranks_version_and_version_outranks_release() {
        assert_eq!(compare((1, "1", "1"), (0, "9", "9")), Ordering::Greater);
        assert_eq!(compare((0, "1", "9"), (0, "2", "1")), Ordering::Less);
        assert_eq!(compare((0, "1", "2"), (0, "1", "1")), Ordering::Greater);
    }
}
