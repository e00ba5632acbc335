//! Packages, and each tag's list of them.

use super::{Listing, QueryOpts, method};
use crate::id::{EventId, PackageId, Ref, TagId, UserId};

/// A package name.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Package {
    /// Its id.
    pub id: PackageId,
    /// Its name.
    pub name: String,
}

/// A package in a tag's list.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ListedPackage {
    /// It may not be built or tagged here, and is hidden from what inherits.
    pub blocked: bool,
    /// Architectures to build it for beside the tag's.
    pub extra_arches: Option<String>,
    /// Who looks after it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<UserId>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_name: Option<String>,
    /// The package.
    pub package_id: PackageId,
    /// Its name.
    pub package_name: String,
    /// The tag whose list it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_id: Option<TagId>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_name: Option<String>,
}

/// A package in a list of all there are.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct NamedPackage {
    /// Its id.
    pub package_id: PackageId,
    /// Its name.
    pub package_name: String,
}

/// A row of `listPackages`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum PackageRow {
    /// An entry of a tag's list: with `tagID`, `userID` or `pkgID`.
    Listed(ListedPackage),
    /// A package, in no tag's name.
    Named(NamedPackage),
}

impl PackageRow {
    /// The package's name.
    pub fn name(&self) -> &str {
        match self {
            PackageRow::Listed(entry) => &entry.package_name,
            PackageRow::Named(package) => &package.package_name,
        }
    }
}

method! {
    /// A package.
    GetPackage = "getPackage", Anonymous, Write => Option<Package> {
        /// Which.
        info "info": Ref<PackageId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
        /// Make it when there is none; needs `admin` or `tag`.
        create "create": bool = no,
    }

    /// A package's id.
    GetPackageId = "getPackageID", Anonymous, Read => Option<PackageId> {
        /// Its name.
        name "name": Ref<PackageId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Packages: of a tag, or all.
    ListPackages = "listPackages", Anonymous, Read => Listing<PackageRow> {
        /// Of this tag; nil = every package there is.
        tag_id "tagID": Option<Ref<TagId>> = nil,
        /// Only this owner's.
        user_id "userID": Option<Ref<UserId>> = nil,
        /// Only this one.
        pkg_id "pkgID": Option<Ref<PackageId>> = nil,
        /// Only names that begin so, in upper or lower case.
        prefix "prefix": Option<String> = nil,
        /// With those of ancestors.
        inherited "inherited": bool = no,
        /// Show what a nearer tag hides, too.
        with_dups "with_dups": bool = no,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// Tell owners.
        with_owners "with_owners": bool = yes,
        /// With blocked ones.
        with_blocked "with_blocked": bool = yes,
    }

    /// Every package there is, in whatever tags.
    ListPackagesSimple = "listPackagesSimple", Anonymous, Read => Listing<NamedPackage> {
        /// Only names that begin so, in upper or lower case.
        prefix "prefix": Option<String> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// Whether a package is in the list that counts for a tag, and not blocked.
    CheckTagPackage = "checkTagPackage", Anonymous, Read => bool {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The package.
        pkg "pkg": Ref<PackageId> = required,
    }

    /// A package's entry as it counts for a tag.
    GetPackageConfig = "getPackageConfig", Anonymous, Read => Option<ListedPackage> {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The package.
        pkg "pkg": Ref<PackageId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
    }

    /// Adds a package to a tag's list, or changes its entry.
    PackageListAdd = "packageListAdd", LoggedIn, Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The package; made when named and not there.
        pkginfo "pkginfo": Ref<PackageId> = required,
        /// Who looks after it; a new entry needs one.
        owner "owner": Option<Ref<UserId>> = nil,
        /// Whether it is blocked; nil = as it was.
        block "block": Option<bool> = nil,
        /// Architectures beside the tag's.
        extra_arches "extra_arches": Option<String> = nil,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
        /// Only change an entry that is there.
        update "update": bool = no,
    }

    /// Removes a tag's own entry; what it hid counts again. It is no fault when there is none.
    PackageListRemove = "packageListRemove", LoggedIn, Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The package.
        pkginfo "pkginfo": Ref<PackageId> = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }

    /// Blocks a package in a tag.
    PackageListBlock = "packageListBlock", LoggedIn, Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The package.
        pkginfo "pkginfo": Ref<PackageId> = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }

    /// Takes a block back.
    PackageListUnblock = "packageListUnblock", LoggedIn, Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The package.
        pkginfo "pkginfo": Ref<PackageId> = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }

    /// Sets who looks after a package in a tag.
    PackageListSetOwner = "packageListSetOwner", LoggedIn, Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The package.
        pkginfo "pkginfo": Ref<PackageId> = required,
        /// Who.
        owner "owner": Ref<UserId> = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }

    /// Sets a package's extra architectures in a tag.
    PackageListSetArches = "packageListSetArches", LoggedIn, Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The package.
        pkginfo "pkginfo": Ref<PackageId> = required,
        /// With blanks between.
        arches "arches": Option<String> = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }
}
