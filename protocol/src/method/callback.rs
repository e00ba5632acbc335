//! Callbacks: what other programs were told of, who is told, and what builders report.

use super::{Named, method};
use crate::{id::TaskId, time::Time};

/// Something that was told.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct LoggedCallback {
    /// Its id: the higher, the later.
    pub id: i64,
    /// Koji's name of the callback point, such as `postTag`.
    pub callback: String,
    /// The message's address, such as `build.tag`.
    pub address: String,
    /// What shares it is told in its order; nil = in any.
    pub key: Option<String>,
    /// When it happened.
    pub time: Time,
    /// Who was to be told.
    pub receivers: Vec<String>,
    /// What receivers filter by.
    pub props: Named,
    /// The arguments of Koji's callback.
    pub body: Named,
}

/// Who is told, as the deployment's settings name it. Its secret is told nobody.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ReceiverInfo {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub endpoint: String,
    /// Messages that wait for it.
    pub waiting: i64,
    /// The oldest of them.
    pub oldest_id: Option<i64>,
    /// When the next is told.
    pub next_time: Option<Time>,
    /// Why the oldest that failed did.
    pub problem: Option<String>,
}

method! {
    /// What other programs were told of, oldest first, as long as it is kept.
    ListCallbackLog = "callback.log", Permission("admin"), Read => Vec<LoggedCallback> {
        /// The first id that is listed.
        from_id "from_id": i64 = int 0,
        /// At the most so many; 1000 is the most.
        limit "limit": i64 = int 100,
        /// Only of one build, task or tag: `build:5`.
        key "key": Option<String> = nil,
    }

    /// Who is told, and what waits to be told.
    ListReceivers = "callback.receivers", Permission("admin"), Read => Vec<ReceiverInfo> {}

    /// Tells a receiver again what it wants of all that was told from an id on. Answers how many messages that makes.
    ReplayCallbacks = "callback.replay", Permission("admin"), Write => i64 {
        /// The receiver's name.
        receiver "receiver": String = required,
        /// The first id.
        from_id "from_id": i64 = required,
        /// The last id; nil = up to now.
        to_id "to_id": Option<i64> = nil,
    }

    /// A builder has come to one of Koji's callback points: `preSCMCheckout`, which a hook may refuse, `postSCMCheckout`, `postCreateRepo` or
    /// `postCreateDistRepo`.
    ReportCallback = "host.callback", Host, Write => () {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// The point's name.
        callback "callback": String = required,
        /// The arguments of Koji's callback, by name: `scminfo`, `build_tag`, `scratch`, `srcdir`; `tag`, `arch`, `repo_id` …
        data "data": Named = required,
    }
}
