//! What a method has at hand while it runs.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, postgres::PgTransactionManager};
use sqlx_core::transaction::TransactionManager;
use toji_protocol::{id::EventId, queue, queue_name::QueueName};

use super::Caller;
use crate::{
    Hub, Result, callback,
    callback::{Happening, Question},
    connections::{Connection, Plans},
    event, outbox,
    outbox::Post,
    policy::Policies,
};

/// What a method has at hand while it runs: the hub, the caller, the time, and the database.
pub struct Cx {
    /// The hub.
    pub hub: Hub,
    /// Who calls.
    pub caller: Caller,
    /// When the call arrived.
    pub now: DateTime<Utc>,
    /// The policies in force, once something has asked for them.
    pub(crate) policies: Option<Arc<Policies>>,
    plans: Plans,
    db: Db,
    event: Option<EventId>,
    posts: Vec<Post>,
    /// What hooks have to be asked before the commit.
    pub(crate) questions: Vec<Question>,
    /// What is told of after the commit.
    pub(crate) happened: Vec<Happening>,
}

/// What has been noted before a savepoint.
#[derive(Clone, Copy)]
pub(crate) struct Savepoint {
    posts: usize,
    questions: usize,
    happened: usize,
}

enum Db {
    Idle,
    Open(Connection),
    Writing(Connection),
}

impl Cx {
    /// A context without a connection; one is taken when it is needed.
    pub fn new(hub: Hub, now: DateTime<Utc>) -> Self {
        Self {
            hub,
            caller: Caller::Nobody,
            now,
            policies: None,
            plans: Plans::Each,
            db: Db::Idle,
            event: None,
            posts: Vec::new(),
            questions: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// The same, for a method whose statements need to be planned only once.
    pub(super) fn planned_once(self) -> Self {
        let mut cx = self;
        cx.plans = Plans::Once;
        cx
    }

    /// The same, with a transaction begun and the hub itself as the caller: for passes and the coordinator.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn internal(hub: &Hub, now: DateTime<Utc>) -> Result<Self> {
        let mut cx = Self::new(hub.clone(), now);
        cx.begin().await?;
        Ok(cx)
    }

    /// The same caller at the same time, with a transaction begun: for a method that speaks to S3 between two of them.
    ///
    /// # Errors
    /// When the database is away. Within a transaction, such as a multicall's that writes: the two might wait for each other.
    pub async fn transaction(&mut self) -> Result<Self> {
        if self.is_writing() {
            let message =
                "this call makes transactions of its own: it cannot be part of a multicall that writes; call it alone";
            return Err(crate::Error::invalid(message));
        }
        self.release();
        let mut cx = Self::internal(&self.hub, self.now).await?;
        cx.caller = self.caller.clone();
        Ok(cx)
    }

    /// The same, of which no hook is asked: for what must be done after something else has failed.
    pub(crate) fn unasked(mut self) -> Self {
        self.hub = self.hub.unasking();
        self
    }

    /// Whether a transaction was begun, such as a multicall's that writes.
    pub fn is_writing(&self) -> bool {
        matches!(self.db, Db::Writing(_))
    }

    /// Begins the transaction.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn begin(&mut self) -> Result<()> {
        if !matches!(self.db, Db::Writing(_)) {
            self.release();
            if self.hub.config.sleeps {
                self.hub.activity.reach(&self.hub.store, self.now).await;
            }
            let mut conn = self.hub.connections.take(self.plans).await?;
            PgTransactionManager::begin(conn.get(), None).await?;
            self.db = Db::Writing(conn);
        }
        Ok(())
    }

    /// The connection; inside the transaction if one was begun.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn db(&mut self) -> Result<&mut PgConnection> {
        if matches!(self.db, Db::Idle) {
            self.db = Db::Open(self.hub.connections.take(self.plans).await?);
        }
        match &mut self.db {
            Db::Open(conn) | Db::Writing(conn) => Ok(conn.get()),
            Db::Idle => Err(crate::Error::internal(anyhow::anyhow!("no connection was taken"))),
        }
    }

    /// Gives the connection back before something slow, such as S3. Only outside a transaction.
    pub fn release(&mut self) {
        match std::mem::replace(&mut self.db, Db::Idle) {
            Db::Open(conn) => self.hub.connections.give_back(conn),
            other => self.db = other,
        }
    }

    /// The event of everything that this call changes. Taking it locks out other writers until the commit: take it last, after
    /// all checks and row locks.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn event(&mut self) -> Result<EventId> {
        if let Some(event) = self.event {
            return Ok(event);
        }
        let event = event::create(self.db().await?).await?;
        self.event = Some(event);
        Ok(event)
    }

    /// Events of their own for so many changes of one call whose order counts; later than all before. As with [`Self::event`], take
    /// them last.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn events(&mut self, count: usize) -> Result<Vec<EventId>> {
        event::create_several(self.db().await?, count).await
    }

    /// Sends a message after the commit.
    pub fn post<T: Serialize>(&mut self, queue: QueueName, message: &T) {
        self.posts.push(Post { queue, body: queue::body(message) });
    }

    /// Commits, and sends the messages. Without a transaction, only gives the connection back.
    ///
    /// # Errors
    /// When the commit fails, or hooks have to be asked first: nothing is changed and nothing is sent.
    pub async fn commit(&mut self) -> Result<()> {
        if self.is_writing()
            && let Err(error) = callback::settle(self).await
        {
            self.undo_all().await;
            return Err(error);
        }
        let mut seen = HashSet::new();
        self.posts.retain(|post| seen.insert(post.clone()));
        let posts = std::mem::take(&mut self.posts);
        self.event = None;
        if let Db::Writing(conn) = &mut self.db {
            let ids = outbox::record(conn.get(), &posts).await?;
            PgTransactionManager::commit(conn.get()).await?;
            // given back before something slow: SQS
            if let Db::Writing(conn) = std::mem::replace(&mut self.db, Db::Idle) {
                self.hub.connections.give_back(conn);
            }
            outbox::deliver(&self.hub, posts, ids).await;
        }
        self.release();
        Ok(())
    }

    /// Undoes what was not committed, and gives the connection back: after an error that is no fault of the database's.
    pub(super) async fn undo_all(&mut self) {
        self.posts.clear();
        self.questions.clear();
        self.happened.clear();
        self.event = None;
        if let Db::Writing(conn) = &mut self.db {
            if let Err(error) = PgTransactionManager::rollback(conn.get()).await {
                // dropped with this, it is closed, which undoes as well
                return tracing::warn!(%error, "cannot roll back");
            }
            if let Db::Writing(conn) = std::mem::replace(&mut self.db, Db::Idle) {
                self.hub.connections.give_back(conn);
            }
        }
        self.release();
    }

    /// How much has been noted up to now.
    pub(crate) fn noted(&self) -> Savepoint {
        let (posts, questions, happened) = (self.posts.len(), self.questions.len(), self.happened.len());
        Savepoint { posts, questions, happened }
    }

    /// Forgets what has been noted since, for it does not happen.
    pub(crate) fn forget(&mut self, noted: Savepoint) {
        self.posts.truncate(noted.posts);
        self.questions.truncate(noted.questions);
        self.happened.truncate(noted.happened);
    }

    /// Opens a savepoint: what follows can be undone alone, and has an event of its own. Answers what to undo it with.
    pub(super) async fn savepoint(&mut self) -> Result<Savepoint> {
        self.event = None;
        if matches!(self.db, Db::Writing(_)) {
            sqlx::query("SAVEPOINT inner_call").execute(self.db().await?).await?;
        }
        Ok(self.noted())
    }

    /// Undoes what has happened since the savepoint, messages included.
    pub(super) async fn undo(&mut self, savepoint: Savepoint) -> Result<()> {
        self.forget(savepoint);
        // they may have been set since
        self.policies = None;
        if matches!(self.db, Db::Writing(_)) {
            sqlx::query("ROLLBACK TO SAVEPOINT inner_call").execute(self.db().await?).await?;
        }
        Ok(())
    }

    /// Keeps what has happened since the savepoint.
    pub(super) async fn keep(&mut self) -> Result<()> {
        if matches!(self.db, Db::Writing(_)) {
            sqlx::query("RELEASE SAVEPOINT inner_call").execute(self.db().await?).await?;
        }
        Ok(())
    }
}

/// What was not committed is undone.
impl Drop for Cx {
    fn drop(&mut self) {
        if let Db::Writing(conn) = &mut self.db {
            // only noted here; the pool, to which the connection goes back, sends it
            PgTransactionManager::start_rollback(conn.get());
        }
    }
}
