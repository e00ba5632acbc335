//! The states things go through, and who moves them on. The numbers are Koji's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal $label:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(into = "i64", try_from = "i64")]
        #[schemars(with = "i64")]
        pub enum $name {
            $($(#[$vdoc])* $variant = $number),*
        }

        impl $name {
            /// Koji's name for it, in capitals.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }

            /// The state with that number.
            pub fn from_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The number that travels and is stored.
            pub fn number(self) -> i16 {
                self as i16
            }
        }

        impl From<$name> for i64 {
            fn from(state: $name) -> i64 {
                state as i64
            }
        }

        impl TryFrom<i64> for $name {
            type Error = String;
            fn try_from(number: i64) -> Result<Self, String> {
                Self::from_number(number).ok_or_else(|| format!("no {} has the number {number}", stringify!($name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    )*};
}

states! {
    /// Kinds of digests, as their names are spelled.
    ChecksumType {
        /// MD5.
        Md5 = 0 "md5",
        /// SHA-1.
        Sha1 = 1 "sha1",
        /// SHA-256.
        Sha256 = 2 "sha256",
    }

    /// Kinds of dependencies of an RPM.
    DepType {
        /// It needs.
        Require = 0 "REQUIRE",
        /// It is.
        Provide = 1 "PROVIDE",
        /// It replaces.
        Obsolete = 2 "OBSOLETE",
        /// It cannot stand beside.
        Conflict = 3 "CONFLICT",
        /// It would like, very weakly.
        Suggest = 4 "SUGGEST",
        /// It is liked by, very weakly.
        Enhance = 5 "ENHANCE",
        /// It is liked by.
        Supplement = 6 "SUPPLEMENT",
        /// It would like.
        Recommend = 7 "RECOMMEND",
    }

    /// A task's state.
    TaskState {
        /// Waits. A builder's claim, or the coordinator's first step, opens it.
        Free = 0 "FREE",
        /// Runs. Its builder closes or fails it, the coordinator does for a parent; the rescue pass frees it when its lease has run out.
        Open = 1 "OPEN",
        /// Ended well. Final.
        Closed = 2 "CLOSED",
        /// Somebody cancelled it. Final.
        Canceled = 3 "CANCELED",
        /// Meant for one host by an admin. That host's claim opens it.
        Assigned = 4 "ASSIGNED",
        /// Ended badly. Final; a resubmit makes a new task.
        Failed = 5 "FAILED",
    }

    /// A build's state.
    BuildState {
        /// Its task runs. Import completes it; the task's end fails or cancels it.
        Building = 0 "BUILDING",
        /// All its RPMs are in. An admin's delete moves it on.
        Complete = 1 "COMPLETE",
        /// Its files are gone; its name-version-release stays taken. Final.
        Deleted = 2 "DELETED",
        /// Its task failed. A new build of the same name-version-release takes the row over.
        Failed = 3 "FAILED",
        /// Its task was cancelled. As with FAILED.
        Canceled = 4 "CANCELED",
    }

    /// A repo's state; it only moves up.
    RepoState {
        /// Being made by the repo function.
        Init = 0 "INIT",
        /// Complete and served. The repos pass expires it.
        Ready = 1 "READY",
        /// No longer wanted. The repos pass deletes it when no live buildroot uses it.
        Expired = 2 "EXPIRED",
        /// Its files are gone. Final.
        Deleted = 3 "DELETED",
        /// It could not be made. The repos pass deletes it.
        Problem = 4 "PROBLEM",
    }

    /// A buildroot's state; its builder moves it on, the rescue pass expires what a lost builder left.
    BuildrootState {
        /// Made known to the hub.
        Init = 0 "INIT",
        /// Set up, nothing runs in it yet.
        Waiting = 1 "WAITING",
        /// rpmbuild runs in it.
        Building = 2 "BUILDING",
        /// Done with. Final.
        Expired = 3 "EXPIRED",
    }

    /// What kind of user somebody is.
    UserType {
        /// A person or a script.
        Normal = 0 "NORMAL",
        /// A builder.
        Host = 1 "HOST",
        /// A group, whose members have its permissions.
        Group = 2 "GROUP",
    }
}

impl TaskState {
    /// It will never change again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Canceled | Self::Failed)
    }
}
