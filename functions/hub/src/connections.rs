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

/// One that has idled longer may be from before a restart of Postgres, or a sleep of our own.
const FRESH: Duration = Duration::from_secs(1);

/// How Postgres plans what is run on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plans {
    /// For the values of each run: what lists with optional filters need, and the database's own setting.
    Each,
    /// Once: for statements whose plan does not depend on values. Planning them takes longer than running them.
    Once,
}

/// Connections that have just been used.
pub(crate) struct Connections {
    pool: PgPool,
    kept: Mutex<Vec<(Connection, Instant)>>,
}

/// A connection.
pub(crate) struct Connection {
    inner: PoolConnection<Postgres>,
    plans: Plans,
}

impl Connection {
    /// The connection itself.
    pub(crate) fn get(&mut self) -> &mut PoolConnection<Postgres> {
        &mut self.inner
    }

    async fn plan(&mut self, plans: Plans) -> sqlx::Result<()> {
        let sql = match plans {
            Plans::Each => "RESET plan_cache_mode",
            Plans::Once => "SET plan_cache_mode = force_generic_plan",
        };
        sqlx::raw_sql(sql).execute(&mut *self.inner).await?;
        self.plans = plans;
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // whoever gets it from the pool expects the database's own setting
        if self.plans == Plans::Once {
            self.inner.close_on_drop();
        }
    }
}

impl Connections {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Mutex::default() }
    }

    /// # Errors
    /// When the database is away.
    pub(crate) async fn take(&self, plans: Plans) -> Result<Connection> {
        // any that is kept, before one of the pool's: who holds one must not keep the last one back from himself
        if let Some((mut connection, since)) = self.pick(plans) {
            let is_fresh = connection.plans == plans && since.elapsed() < FRESH;
            if is_fresh || connection.plan(plans).await.is_ok() {
                return Ok(connection);
            }
        }
        let mut connection = Connection { inner: self.pool.acquire().await?, plans: Plans::Each };
        if plans != connection.plans {
            connection.plan(plans).await?;
        }
        Ok(connection)
    }

    fn pick(&self, plans: Plans) -> Option<(Connection, Instant)> {
        let mut kept = self.kept();
        match kept.iter().rposition(|(connection, _)| connection.plans == plans) {
            Some(place) => Some(kept.swap_remove(place)),
            None => kept.pop(),
        }
    }

    /// Takes back a connection that has nothing under way. Half of them at the most: the others are for whoever uses the pool.
    pub(crate) fn give_back(&self, connection: Connection) {
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

    fn kept(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
