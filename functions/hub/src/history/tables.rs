//! The versioned tables as Koji's clients know them.

/// What a row may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Build,
    Cg,
    Channel,
    ExternalRepo,
    Group,
    Host,
    Package,
    Permission,
    Tag,
    Target,
    User,
}

impl Subject {
    /// Where its ids and names are.
    pub(super) fn table(self) -> &'static str {
        match self {
            Subject::Build => "build",
            Subject::Cg => "content_generator",
            Subject::Channel => "channels",
            Subject::ExternalRepo => "external_repo",
            Subject::Group => "groups",
            Subject::Host => "host",
            Subject::Package => "package",
            Subject::Permission => "permissions",
            Subject::Tag => "tag",
            Subject::Target => "build_target",
            Subject::User => "users",
        }
    }
}

/// A column that holds an id.
pub(super) struct Pointer {
    pub(super) column: &'static str,
    /// What it points at.
    pub(super) subject: Subject,
    /// What the name that belongs to the id is shown as.
    pub(super) shown: &'static str,
}

/// A versioned table.
pub(super) struct VersionedTable {
    pub(super) name: &'static str,
    pub(super) pointers: &'static [Pointer],
    /// Further columns. `data` and such are shown as they are.
    pub(super) columns: &'static [&'static str],
}

impl VersionedTable {
    /// Its rows are about a build, of which more is shown.
    pub(super) fn is_of_builds(&self) -> bool {
        self.columns.contains(&"build_id")
    }
}

const fn at(column: &'static str, subject: Subject, shown: &'static str) -> Pointer {
    Pointer { column, subject, shown }
}

const TAG: Pointer = at("tag_id", Subject::Tag, "tag.name");
const USER: Pointer = at("user_id", Subject::User, "user.name");
const HOST: Pointer = at("host_id", Subject::Host, "host.name");
const PERMISSION: Pointer = at("perm_id", Subject::Permission, "permission.name");
const PACKAGE: Pointer = at("package_id", Subject::Package, "package.name");
const GROUP: Pointer = at("group_id", Subject::Group, "group.name");
const EXTERNAL_REPO: Pointer = at("external_repo_id", Subject::ExternalRepo, "external_repo.name");

/// All of them.
pub(super) const TABLES: [VersionedTable; 18] = [
    VersionedTable {
        name: "build_target_config",
        pointers: &[
            at("build_target_id", Subject::Target, "build_target.name"),
            at("build_tag", Subject::Tag, "build_tag.name"),
            at("dest_tag", Subject::Tag, "dest_tag.name"),
        ],
        columns: &[],
    },
    VersionedTable {
        name: "cg_users",
        pointers: &[USER, at("cg_id", Subject::Cg, "content_generator.name")],
        columns: &[],
    },
    VersionedTable { name: "external_repo_config", pointers: &[EXTERNAL_REPO], columns: &["url"] },
    VersionedTable { name: "external_repo_data", pointers: &[EXTERNAL_REPO], columns: &["data"] },
    VersionedTable {
        name: "group_config",
        pointers: &[GROUP, TAG],
        columns: &[
            "blocked",
            "exported",
            "display_name",
            "is_default",
            "uservisible",
            "description",
            "langonly",
            "biarchonly",
        ],
    },
    VersionedTable {
        name: "group_package_listing",
        pointers: &[GROUP, TAG],
        columns: &["package", "blocked", "type", "basearchonly", "requires"],
    },
    VersionedTable {
        name: "group_req_listing",
        pointers: &[GROUP, TAG, at("req_id", Subject::Group, "req.name")],
        columns: &["blocked", "type", "is_metapkg"],
    },
    VersionedTable {
        name: "host_channels",
        pointers: &[HOST, at("channel_id", Subject::Channel, "channels.name")],
        columns: &[],
    },
    VersionedTable {
        name: "host_config",
        pointers: &[HOST],
        columns: &["arches", "capacity", "description", "comment", "enabled"],
    },
    VersionedTable {
        name: "tag_config",
        pointers: &[TAG, PERMISSION],
        columns: &["arches", "locked", "maven_support", "maven_include_all"],
    },
    VersionedTable {
        name: "tag_external_repos",
        pointers: &[TAG, EXTERNAL_REPO],
        columns: &["priority", "merge_mode", "arches"],
    },
    VersionedTable { name: "tag_extra", pointers: &[TAG], columns: &["key", "value"] },
    VersionedTable {
        name: "tag_inheritance",
        pointers: &[TAG, at("parent_id", Subject::Tag, "parent.name")],
        columns: &["priority", "maxdepth", "intransitive", "noconfig", "pkg_filter"],
    },
    VersionedTable { name: "tag_listing", pointers: &[TAG], columns: &["build_id"] },
    VersionedTable {
        name: "tag_package_owners",
        pointers: &[PACKAGE, TAG, at("owner", Subject::User, "owner.name")],
        columns: &[],
    },
    VersionedTable { name: "tag_packages", pointers: &[PACKAGE, TAG], columns: &["blocked", "extra_arches"] },
    VersionedTable {
        name: "user_groups",
        pointers: &[USER, at("group_id", Subject::User, "group.name")],
        columns: &[],
    },
    VersionedTable { name: "user_perms", pointers: &[USER, PERMISSION], columns: &[] },
];
