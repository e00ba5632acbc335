//! Who may touch a build's files in S3: one import or call at a time.
//!
//! Files are copied and deleted outside transactions, so a row of `pending_import` stands for it meanwhile. A row that nobody has
//! taken away is a crash's, and the sweep pass looks after it (`crate::sweep`).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{id::BuildId, nvr::Nvr, object_key};

use super::IMPORT_RUNS;
use crate::{Error, Hub, Result};

/// The right to touch a build's files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    build: BuildId,
    since: DateTime<Utc>,
}

/// Takes the right to touch a build's files. With `claims`, nobody begins a build with that release meanwhile.
///
/// # Errors
/// A conflict while somebody else has it.
pub(crate) async fn lease(
    conn: &mut PgConnection,
    build: BuildId,
    claims: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Lease> {
    let taken = sqlx::query!(
        "INSERT INTO pending_import (build_id, start_time, claims) VALUES ($1, $2, $3)
         ON CONFLICT (build_id) DO UPDATE SET task_id = NULL, start_time = $2, claims = $3
             WHERE pending_import.start_time < $4 AND pending_import.claims IS NULL",
        build.0,
        now,
        claims,
        now - IMPORT_RUNS
    )
    .execute(conn)
    .await?;
    if taken.rows_affected() == 0 {
        return Err(Error::conflict(format!(
            "another import or move of build {build}'s files may still be running; try again in some minutes"
        )));
    }
    Ok(Lease { build, since: now })
}

impl Lease {
    /// Gives it back, in the transaction that the files were touched for.
    pub(crate) async fn release(self, conn: &mut PgConnection) -> Result<()> {
        sqlx::query!("DELETE FROM pending_import WHERE build_id = $1 AND start_time = $2", self.build.0, self.since)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Gives it back when what was meant to be done could not be. What goes wrong here, the sweep pass mends.
    pub(crate) async fn give_up(self, hub: &Hub) {
        let released = async { self.release(&mut *hub.pool.acquire().await?).await };
        if let Err(error) = released.await {
            tracing::warn!(build = self.build.0, %error, "cannot give the right to a build's files back");
        }
    }

    /// Deletes a folder of the build's whose rows are gone already, and gives the right back. If S3 is away, the sweep pass does it.
    pub(crate) async fn empty(self, hub: &Hub, nvr: &Nvr) {
        let emptied = async {
            hub.store.delete_prefix(&format!("{}/", object_key::build_dir(nvr))).await?;
            self.release(&mut *hub.pool.acquire().await?).await
        };
        if let Err(error) = emptied.await {
            tracing::warn!(%nvr, %error, "a folder is left to the sweep pass");
        }
    }
}

/// Takes back a build that was begun for an import which has failed, and its files. If something is away, the sweep pass does it.
pub(crate) async fn forget(hub: &Hub, build: BuildId, nvr: &Nvr, lease: Lease) {
    let forgotten = async {
        hub.store.delete_prefix(&format!("{}/", object_key::build_dir(nvr))).await?;
        let mut tx = hub.pool.begin().await?;
        lease.release(&mut tx).await?;
        forget_rows(&mut tx, build).await?;
        Ok::<(), Error>(tx.commit().await?)
    };
    if let Err(error) = forgotten.await {
        tracing::warn!(%nvr, %error, "an import that has failed is left to the sweep pass");
    }
}

/// Takes back a build that is BUILDING and has nothing yet.
pub(super) async fn forget_rows(conn: &mut PgConnection, build: BuildId) -> Result<()> {
    sqlx::query!("DELETE FROM build_config WHERE build_id = $1", build.0).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM build_types WHERE build_id = $1", build.0).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM build WHERE id = $1 AND state = 0", build.0).execute(conn).await?;
    Ok(())
}
