//! The commands: one file each, named as the command.

use crate::session::Session;

mod add_channel;
mod add_external_repo;
mod add_group;
mod add_group_pkg;
mod add_host;
mod add_host_to_channel;
mod add_pkg;
mod add_tag;
mod add_tag_inheritance;
mod add_target;
mod add_user;
mod block_group_pkg;
mod block_pkg;
mod build;
mod buildinfo;
mod call;
mod cancel;
mod completions;
mod create_token;
mod disable_host;
mod disable_user;
mod download_build;
mod download_logs;
mod download_task;
mod drain_host;
mod edit_host;
mod edit_tag;
mod edit_target;
mod enable_host;
mod enable_user;
mod free_task;
mod grant_permission;
mod hello;
mod hostinfo;
mod latest_build;
mod list_api;
mod list_buildroot;
mod list_builds;
mod list_channels;
mod list_external_repos;
mod list_groups;
mod list_hosts;
mod list_permissions;
mod list_pkgs;
mod list_tag_inheritance;
mod list_tagged;
mod list_tags;
mod list_targets;
mod list_tasks;
mod list_tokens;
mod mock_config;
mod regen_repo;
mod remove_external_repo;
mod remove_host_from_channel;
mod remove_pkg;
mod remove_tag;
mod remove_tag_inheritance;
mod remove_target;
mod repoinfo;
mod request_repo;
mod resubmit;
mod revoke_permission;
mod revoke_token;
mod rpminfo;
mod set_task_priority;
mod sign_build;
mod signing_key;
mod tag_build;
mod taginfo;
mod taskinfo;
mod unblock_pkg;
mod untag_build;
mod version;
mod wait_repo;
mod watch_logs;
mod watch_task;

/// Puts the commands into groups, in the order of the help.
macro_rules! commands {
    ($($heading:literal { $($module:ident $name:ident),* $(,)? })*) => {
        #[derive(clap::Subcommand)]
        pub(crate) enum Command {
            $($($name($module::$name),)*)*
        }

        impl Command {
            /// Runs it.
            pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
                match self {
                    $($(Command::$name(command) => command.run(session).await,)*)*
                }
            }
        }

        /// Each group's heading and its commands' modules.
        pub(crate) const GROUPS: &[(&str, &[&str])] = &[$(($heading, &[$(stringify!($module)),*])),*];
    };
}

commands! {
    "Build" {
        build Build, cancel Cancel, resubmit Resubmit,
    }
    "Tag builds" {
        tag_build TagBuild, untag_build UntagBuild, sign_build SignBuild, signing_key SigningKey,
    }
    "Watch and wait" {
        watch_task WatchTask, watch_logs WatchLogs, wait_repo WaitRepo, request_repo RequestRepo, regen_repo RegenRepo,
    }
    "Download" {
        download_build DownloadBuild, download_logs DownloadLogs, download_task DownloadTask,
    }
    "Look at builds and tasks" {
        buildinfo Buildinfo, rpminfo Rpminfo, taskinfo Taskinfo, list_builds ListBuilds, list_tasks ListTasks,
        list_tagged ListTagged, latest_build LatestBuild, list_buildroot ListBuildroot, repoinfo Repoinfo,
        mock_config MockConfig,
    }
    "Tags and targets" {
        add_tag AddTag, edit_tag EditTag, remove_tag RemoveTag, list_tags ListTags, taginfo Taginfo,
        add_tag_inheritance AddTagInheritance, remove_tag_inheritance RemoveTagInheritance,
        list_tag_inheritance ListTagInheritance,
        add_target AddTarget, edit_target EditTarget, remove_target RemoveTarget, list_targets ListTargets,
    }
    "Packages and groups" {
        add_pkg AddPkg, block_pkg BlockPkg, unblock_pkg UnblockPkg, remove_pkg RemovePkg, list_pkgs ListPkgs,
        add_group AddGroup, add_group_pkg AddGroupPkg, block_group_pkg BlockGroupPkg, list_groups ListGroups,
    }
    "External repos" {
        add_external_repo AddExternalRepo, remove_external_repo RemoveExternalRepo, list_external_repos ListExternalRepos,
    }
    "Hosts and channels" {
        add_host AddHost, edit_host EditHost, enable_host EnableHost, disable_host DisableHost, drain_host DrainHost,
        list_hosts ListHosts, hostinfo Hostinfo, add_channel AddChannel, list_channels ListChannels,
        add_host_to_channel AddHostToChannel, remove_host_from_channel RemoveHostFromChannel,
        free_task FreeTask, set_task_priority SetTaskPriority,
    }
    "Users" {
        add_user AddUser, enable_user EnableUser, disable_user DisableUser, grant_permission GrantPermission,
        revoke_permission RevokePermission, list_permissions ListPermissions,
        create_token CreateToken, list_tokens ListTokens, revoke_token RevokeToken,
    }
    "The hub and this program" {
        hello Hello, version Version, call Call, list_api ListApi, completions Completions,
    }
}
