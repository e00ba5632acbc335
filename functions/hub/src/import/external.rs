//! `addExternalRPM`: an RPM of an external repo is noted, so that buildroots can name it.

use toji_protocol::{
    method::import::AddExternalRpm,
    value::{Map, Value},
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    external_repo,
};

/// What is to be known of an RPM.
struct Facts {
    name: String,
    version: String,
    release: String,
    arch: String,
    epoch: Option<i64>,
    payloadhash: String,
    size: i64,
    buildtime: i64,
}

impl Facts {
    fn read(info: &Map) -> Result<Self> {
        let field = |name: &str| {
            info.get(name).ok_or_else(|| Error::invalid(format!("{name} field missing: an RPM is told with all eight")))
        };
        let bad = |name: &str, value: &Value| Error::invalid(format!("Invalid value for {name}: {}", value.kind()));
        let text = |name: &str| {
            let value = field(name)?;
            value.as_str().map(str::to_owned).ok_or_else(|| bad(name, value))
        };
        let number = |name: &str| {
            let value = field(name)?;
            value.as_int().ok_or_else(|| bad(name, value))
        };
        Ok(Self {
            name: text("name")?,
            version: text("version")?,
            release: text("release")?,
            epoch: if field("epoch")?.is_nil() { None } else { Some(number("epoch")?) },
            arch: text("arch")?,
            payloadhash: text("payloadhash")?,
            size: number("size")?,
            buildtime: number("buildtime")?,
        })
    }
}

impl Handle for AddExternalRpm {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let rpm = Facts::read(&self.rpminfo)?;
        let conn = cx.db().await?;
        let repo = external_repo::require(conn, &self.external_repo, None).await?;
        let shown = format!("{}-{}-{}.{}@{}", rpm.name, rpm.version, rpm.release, rpm.arch, repo.name);
        let added = sqlx::query!(
            "INSERT INTO rpminfo (name, version, release, arch, epoch, external_repo_id, payloadhash, size, buildtime)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (name, version, release, arch, external_repo_id) WHERE draft IS NOT TRUE DO NOTHING",
            rpm.name,
            rpm.version,
            rpm.release,
            rpm.arch,
            rpm.epoch,
            repo.id.0,
            rpm.payloadhash,
            rpm.size,
            rpm.buildtime
        )
        .execute(&mut *conn)
        .await?;
        if added.rows_affected() == 1 {
            return Ok(());
        }
        if self.strict {
            return Err(Error::invalid(format!("external rpm already exists: {shown}")));
        }
        let known = sqlx::query_scalar!(
            "SELECT payloadhash FROM rpminfo WHERE name = $1 AND version = $2 AND release = $3 AND arch = $4
                 AND external_repo_id = $5",
            rpm.name,
            rpm.version,
            rpm.release,
            rpm.arch,
            repo.id.0
        )
        .fetch_one(conn)
        .await?;
        if known != rpm.payloadhash {
            let message = format!("hash changed for external rpm: {shown} ({known} -> {})", rpm.payloadhash);
            return Err(Error::invalid(message));
        }
        Ok(())
    }
}
