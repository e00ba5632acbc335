//! Connections to Postgres that are used again at once.
//!
//! The pool asks Postgres about each connection that is given back, and does it in a task of its own: a round trip as dear as most of
//! our statements, and in Lambda left undone when the answer is out. So calls that end well leave their connection here for the
//! next. All others are dropped, by which they go back to the pool; it finds out whether they still work.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{PgPool, Postgres, pool::PoolConnection};

use crate::Result;

/// One that has idled longer may be from before a restart of Postgres, or a sleep of our own: the pool asks about it.
const FRESH: Duration = Duration::from_secs(1);

/// Connections that have just been used.
pub(crate) struct Connections {
    pool: PgPool,
    kept: Mutex<Vec<Kept>>,
}

type Kept = (PoolConnection<Postgres>, Instant);

impl Connections {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Mutex::default() }
    }

    /// # Errors
    /// When the database is away.
    pub(crate) async fn take(&self) -> Result<PoolConnection<Postgres>> {
        let kept = self.kept().pop();
        match kept {
            Some((connection, since)) if since.elapsed() < FRESH => Ok(connection),
            // dropped first: it may be the last that the pool can give
            Some(old) => {
                drop(old);
                Ok(self.pool.acquire().await?)
            }
            None => Ok(self.pool.acquire().await?),
        }
    }

    /// Takes back a connection that has nothing under way. Half of them at the most: the others are for whoever uses the pool.
    pub(crate) fn give_back(&self, connection: PoolConnection<Postgres>) {
        let most = self.pool.options().get_max_connections() as usize / 2;
        let mut kept = self.kept();
        if kept.len() < most && !self.pool.is_closed() {
            kept.push((connection, Instant::now()));
        }
    }

    /// Closes all, when whoever has one now is done.
    pub(crate) async fn close(&self) {
        let closed = self.pool.close();
        self.kept().clear();
        closed.await;
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
