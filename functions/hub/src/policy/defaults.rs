//! The policies of a deployment that has set none of its own: Koji's. Those that are not here (`tag`, `dist_repo`, `sidetag`, `scm`)
//! are missing until somebody sets them.

const ADMINS_ONLY: &str =
    "has_perm admin :: allow\nall :: deny only an admin may, unless this policy is set otherwise\n";

/// Name and rules of each.
pub(super) const DEFAULTS: [(&str, &str); 11] = [
    ("build_rpm", "all :: allow\n"),
    ("build_from_srpm", ADMINS_ONLY),
    ("build_from_repo_id", ADMINS_ONLY),
    ("build_from_scm", ADMINS_ONLY),
    (
        "package_list",
        "has_perm admin :: allow\nhas_perm tag :: allow\n\
         all :: deny it takes the permission tag, unless this policy is set otherwise\n",
    ),
    ("channel", "has req_channel :: req\nis_child_task :: parent\nall :: use default\n"),
    ("priority", "all :: stay\n"),
    ("volume", "all :: DEFAULT\n"),
    ("cg_import", "all :: allow\n"),
    (
        "vm",
        "has_perm admin win-admin :: allow\n\
         all :: deny it takes the permission win-admin, unless this policy is set otherwise\n",
    ),
    (
        "draft_promotion",
        "has_perm draft-promoter :: allow\nis_build_owner :: allow\n\
         all :: deny it takes the permission draft-promoter, or to own the build, unless this policy is set otherwise\n",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse::RuleSet;

    #[test]
    fn all_can_be_read() {
        for (name, rules) in DEFAULTS {
            assert!(RuleSet::parse(rules).is_ok_and(|set| !set.rules.is_empty()), "{name}");
        }
    }
}
