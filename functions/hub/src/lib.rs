//! The hub: every rule of the build system, and every SQL statement.
//!
//! It serves no HTTP and knows no Lambda: [`Hub::call`] takes a method's name and arguments and answers a value; the passes and
//! the coordinator's steps are functions of `(hub, now)`. A domain is a folder: `mod.rs` has its rules, `sql.rs` its statements.
//!
//! Where to look:
//! - [`call`]: the table of methods, who may call them, sessions, transactions, many calls in one
//! - [`error`]: the one error type, and what to use where
//! - [`task`]: the life cycle: make, claim, lease, close, rescue, cancel; [`worker`]: what builders say
//! - [`coordinate`]: parent tasks as state machines; [`import`]: what a build leaves behind
//! - [`sign`]: signatures with the keys that tags name
//! - [`repo`]: requests, and repos made of stored fragments
//! - [`outbox`]: messages that leave after the commit
//! - [`pass`]: the scheduled passes; [`activity`]: when they let the database sleep
//! - [`callback`]: hooks that are asked before something happens, and who is told of it after; [`plugin`]: methods that others answer

pub mod activity;
pub mod archive;
pub mod build;
pub mod buildroot;
pub mod call;
pub mod callback;
pub mod channel;
mod clause;
pub mod config;
mod connections;
pub mod content;
pub mod content_generator;
pub mod coordinate;
pub mod env;
pub mod error;
pub mod event;
pub mod external_repo;
pub mod group;
pub mod health;
pub mod history;
pub mod host;
pub mod import;
pub mod listing;
pub mod name;
pub mod notification;
pub mod outbox;
pub mod package;
pub mod pass;
pub mod plugin;
pub mod policy;
pub mod repo;
pub mod rpm;
pub mod scheduler;
pub mod search;
pub mod session;
pub mod sidetag;
pub mod sign;
pub mod sweep;
pub mod system;
pub mod tag;
pub mod target;
pub mod task;
pub mod upload;
pub mod user;
pub mod volume;
pub mod worker;

use std::sync::Arc;

use activity::Activity;
use call::Table;
use callback::Answers;
use config::{Config, QueueCredentials};
use connections::Connections;
pub use error::{Error, Result};
use sqlx::PgPool;
use toji_protocol::queue::Queues;
use toji_store::Store;

/// The hub's connections and settings, and what is known of the request at hand. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    parts: Arc<Parts>,
    request_id: Option<Arc<str>>,
    answers: Answers,
}

/// What a hub is made of.
pub struct Parts {
    /// The database.
    pub pool: PgPool,
    /// The bucket.
    pub store: Store,
    /// The queues.
    pub queues: Queues,
    /// Who gives builders credentials for their queues.
    pub queue_credentials: Box<dyn QueueCredentials>,
    /// The settings.
    pub config: Config,
    activity: Activity,
    connections: Connections,
    policies: policy::Cache,
    table: Table,
}

impl std::ops::Deref for Hub {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Hub {
    /// Puts a hub together. Nothing is opened yet.
    pub fn new(
        pool: PgPool,
        store: Store,
        queues: Queues,
        queue_credentials: Box<dyn QueueCredentials>,
        config: Config,
    ) -> Self {
        let connections = Connections::new(pool.clone());
        let policies = policy::Cache::new(&config.policies);
        let table = Table::new(&config.callbacks.methods);
        let activity = Activity::default();
        let parts = Parts { pool, store, queues, queue_credentials, config, activity, connections, policies, table };
        Self { parts: Arc::new(parts), request_id: None, answers: Answers::default() }
    }

    /// The same hub for one request, whose id others are told.
    pub fn for_request(&self, id: Arc<str>) -> Self {
        Self { request_id: Some(id), ..self.clone() }
    }

    /// The id of the request at hand.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The same hub with room for what hooks answer, if there are any.
    pub(crate) fn asking(&self) -> Self {
        if self.answers.is_kept() || !self.config.callbacks.has_hooks() {
            return self.clone();
        }
        Self { answers: Answers::new(), ..self.clone() }
    }

    /// The same hub, which asks no hook.
    pub(crate) fn unasking(&self) -> Self {
        Self { answers: Answers::default(), ..self.clone() }
    }

    /// What hooks have answered to the request at hand.
    pub(crate) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Closes the connections to Postgres, when the calls that use them are done.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    /// Every method.
    pub fn table(&self) -> &Table {
        &self.table
    }
}

/// The schema: every migration, up and down.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");
