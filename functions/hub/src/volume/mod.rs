//! Volumes: each stands for a storage class of S3. Keys are the same on every volume, so a move rewrites objects in place.

mod change;
mod policy;

pub(crate) use change::set as change_to;
pub(crate) use policy::{choose, of_build};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, Ref, VolumeId},
    method::volume::{
        AddVolume, ApplyVolumePolicy, ChangeBuildVolume, GetVolume, ListVolumes, RemoveVolume, SetStorageClass, Volume,
    },
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    name,
};

/// What S3 may keep files in that anybody may ask for at any time.
const STORAGE_CLASSES: [&str; 5] = ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];

/// The volume that there always is.
pub(crate) const DEFAULT: VolumeId = VolumeId(0);

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<ListVolumes>()
        .add::<GetVolume>()
        .add::<AddVolume>()
        .add::<SetStorageClass>()
        .add::<RemoveVolume>()
        .add::<ChangeBuildVolume>()
        .add::<ApplyVolumePolicy>();
}

pub(crate) async fn find(conn: &mut PgConnection, volume: &Ref<VolumeId>) -> Result<Option<Volume>> {
    let row = sqlx::query!(
        "SELECT id, name FROM volume WHERE id = $1 OR name = $2",
        volume.id().map(|id| id.0),
        volume.name()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Volume { id: VolumeId(row.id), name: row.name }))
}

async fn require(conn: &mut PgConnection, volume: &Ref<VolumeId>) -> Result<Volume> {
    let found = find(conn, volume).await?;
    found.ok_or_else(|| Error::missing(format!("No such entry in table volume: {volume}")))
}

/// The storage class of a volume; None = the one that S3 gives by itself.
pub(crate) async fn storage_class(conn: &mut PgConnection, volume: VolumeId) -> Result<Option<String>> {
    let class = sqlx::query_scalar!("SELECT storage_class FROM volume WHERE id = $1", volume.0);
    Ok(class.fetch_optional(conn).await?.filter(|class| class != STORAGE_CLASSES[0]))
}

/// The storage class of the volume that a build is on.
pub(crate) async fn storage_class_of(conn: &mut PgConnection, build: BuildId) -> Result<Option<String>> {
    let class = sqlx::query_scalar!(
        "SELECT storage_class FROM volume JOIN build ON volume.id = volume_id WHERE build.id = $1",
        build.0
    );
    Ok(class.fetch_optional(conn).await?.filter(|class| class != STORAGE_CLASSES[0]))
}

impl Handle for ListVolumes {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Volume>> {
        let rows = sqlx::query!("SELECT id, name FROM volume ORDER BY id").fetch_all(cx.db().await?).await?;
        Ok(rows.into_iter().map(|row| Volume { id: VolumeId(row.id), name: row.name }).collect())
    }
}

impl Handle for GetVolume {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Volume>> {
        match find(cx.db().await?, &self.volume).await? {
            None if self.strict => Err(Error::missing(format!("No such volume: {}", self.volume))),
            found => Ok(found),
        }
    }
}

impl Handle for AddVolume {
    async fn handle(self, cx: &mut Cx) -> Result<Volume> {
        name::check("volume", &self.name)?;
        let conn = cx.db().await?;
        let added = sqlx::query_scalar!(
            "INSERT INTO volume (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id",
            self.name
        )
        .fetch_optional(&mut *conn)
        .await?;
        match added {
            Some(id) => Ok(Volume { id: VolumeId(id), name: self.name }),
            None if self.strict => Err(Error::invalid(format!("volume {} already exists", self.name))),
            None => require(conn, &self.name.as_str().into()).await,
        }
    }
}

impl Handle for SetStorageClass {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let class = self.storage_class.as_str();
        if !STORAGE_CLASSES.contains(&class) {
            let known = STORAGE_CLASSES.join(", ");
            return Err(Error::parameter(format!("storage_class '{}' is none of {known}", class.escape_debug())));
        }
        let conn = cx.db().await?;
        let volume = require(conn, &self.volume).await?;
        if volume.id == DEFAULT {
            return Err(Error::invalid("volume DEFAULT is STANDARD: move builds to another one"));
        }
        sqlx::query!("UPDATE volume SET storage_class = $2 WHERE id = $1", volume.id.0, class).execute(conn).await?;
        Ok(())
    }
}

impl Handle for RemoveVolume {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let volume = require(conn, &self.volume).await?;
        if volume.id == DEFAULT {
            return Err(Error::invalid("volume DEFAULT is where builds are unless somebody moves them: it stays"));
        }
        // once a build was there, its history says so for ever
        let removed = sqlx::query!(
            "DELETE FROM volume WHERE id = $1 AND NOT EXISTS (SELECT FROM build WHERE volume_id = $1)
                 AND NOT EXISTS (SELECT FROM build_config WHERE volume_id = $1)",
            volume.id.0
        )
        .execute(conn)
        .await?;
        if removed.rows_affected() == 0 {
            return Err(Error::invalid(format!("volume {} has build references", volume.name)));
        }
        Ok(())
    }
}
