//! Notifications: who is told by mail of builds and of what happens to them, and who is not.

use super::method;
use crate::{
    id::{NotificationBlockId, NotificationId, PackageId, Ref, TagId, UserId},
    value::Value,
};

/// A user's wish to be told.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Notification {
    /// Where mail goes.
    pub email: String,
    /// Its id.
    pub id: NotificationId,
    /// Of which package; nil = of any.
    pub package_id: Option<PackageId>,
    /// Only of builds that went well.
    pub success_only: bool,
    /// In which tag; nil = in any.
    pub tag_id: Option<TagId>,
    /// Whose it is.
    pub user_id: UserId,
}

/// A user's wish not to be told, which goes before all others.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct NotificationBlock {
    /// Its id.
    pub id: NotificationBlockId,
    /// Of which package; nil = of any.
    pub package_id: Option<PackageId>,
    /// In which tag; nil = in any.
    pub tag_id: Option<TagId>,
    /// Whose it is.
    pub user_id: UserId,
}

method! {
    /// A user's notifications.
    GetBuildNotifications = "getBuildNotifications", Anonymous, Read => Vec<Notification> {
        /// Whose; nil = the caller's.
        user_id "userID": Option<Ref<UserId>> = nil,
    }

    /// A notification.
    GetBuildNotification = "getBuildNotification", Anonymous, Read => Option<Notification> {
        /// Its id.
        id "id": NotificationId = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// A user's blocks.
    GetBuildNotificationBlocks = "getBuildNotificationBlocks", Anonymous, Read => Vec<NotificationBlock> {
        /// Whose; nil = the caller's.
        user_id "userID": Option<Ref<UserId>> = nil,
    }

    /// A block.
    GetBuildNotificationBlock = "getBuildNotificationBlock", Anonymous, Read => Option<NotificationBlock> {
        /// Its id.
        id "id": NotificationBlockId = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Tells a user of builds from now on. Another than the caller takes `admin`.
    CreateNotification = "createNotification", LoggedIn, Write => () {
        /// Who.
        user_id "user_id": Ref<UserId> = required,
        /// Of which package; nil = of any.
        package_id "package_id": Option<Ref<PackageId>> = required,
        /// In which tag; nil = in any.
        tag_id "tag_id": Option<Ref<TagId>> = required,
        /// Only of builds that went well.
        success_only "success_only": Value = required,
    }

    /// Changes a notification, the caller's own or, for an admin, anybody's.
    UpdateNotification = "updateNotification", LoggedIn, Write => () {
        /// Its id.
        id "id": NotificationId = required,
        /// Of which package; nil = of any.
        package_id "package_id": Option<Ref<PackageId>> = required,
        /// In which tag; nil = in any.
        tag_id "tag_id": Option<Ref<TagId>> = required,
        /// Only of builds that went well.
        success_only "success_only": Value = required,
    }

    /// Deletes a notification, the caller's own or, for an admin, anybody's.
    DeleteNotification = "deleteNotification", LoggedIn, Write => () {
        /// Its id.
        id "id": NotificationId = required,
    }

    /// Keeps mail from a user from now on. Another than the caller takes `admin`.
    CreateNotificationBlock = "createNotificationBlock", LoggedIn, Write => () {
        /// Who.
        user_id "user_id": Ref<UserId> = required,
        /// Of which package; nil = of any.
        package_id "package_id": Option<Ref<PackageId>> = nil,
        /// In which tag; nil = in any.
        tag_id "tag_id": Option<Ref<TagId>> = nil,
    }

    /// Deletes a block, the caller's own or, for an admin, anybody's.
    DeleteNotificationBlock = "deleteNotificationBlock", LoggedIn, Write => () {
        /// Its id.
        id "id": NotificationBlockId = required,
    }
}
