//! The rows of a content generator's build: all of them in one commit, or none.

use serde_json::Value as Json;
use sqlx::PgConnection;
use toji_protocol::id::{BuildrootId, ContentGeneratorId, VolumeId};

use super::{
    check::{Checked, File, What},
    components::Found,
    import::{Begun, Left, extra, gone, time},
    metadata::{BuildrootFacts, Metadata},
};
use crate::{
    Error, Result,
    build::{history, kinds},
    call::Cx,
    callback::tell::{self, Imported},
    import::{Home, Incoming, rows::Rows},
};

/// Notes everything, and makes the build complete.
pub(super) async fn note(
    cx: &mut Cx,
    metadata: &Metadata,
    checked: Checked,
    begun: Begun,
    volume: Option<VolumeId>,
    told: Imported<'_>,
) -> Result<()> {
    let Begun { home, lease, left } = begun;
    let mut tx = cx.transaction().await?;
    complete(&mut tx, metadata, &checked, &home, left, volume).await?;
    tell::imported(&mut tx, home.build, told).await?;
    let conn = tx.db().await?;
    for kind in checked.typeinfo.keys() {
        kinds::add(conn, home.build, kind).await?;
    }
    let Checked { cg, roots, files, .. } = checked;
    let ids = buildroots(conn, cg, &metadata.buildroots).await?;
    contents(conn, &ids, &roots).await?;
    tools(conn, &ids, &metadata.buildroots).await?;
    let (rpms, archives): (Vec<File>, Vec<File>) =
        files.into_iter().partition(|file| matches!(file.what, What::Rpm(_)));
    let incoming: Vec<Incoming> = rpms
        .into_iter()
        .filter_map(|file| match file.what {
            What::Rpm(rpm) => Some(Incoming { buildroot: ids.get(file.root).copied(), ..*rpm }),
            _ => None,
        })
        .collect();
    if !incoming.is_empty() {
        kinds::add(conn, home.build, "rpm").await?;
        let rpms = Rows::make(incoming)?.insert(conn, &home).await?;
        tell::imported_rpms(&mut tx, home.build, &rpms).await?;
    }
    let conn = tx.db().await?;
    add_archives(conn, metadata, &home, &ids, &archives).await?;
    tell_archives(&mut tx, metadata, &home, &archives).await?;
    let conn = tx.db().await?;
    sqlx::query!("DELETE FROM build_reservations WHERE build_id = $1", home.build.0).execute(&mut *conn).await?;
    lease.release(conn).await?;
    history::note(&mut tx, &[home.build]).await?;
    tx.commit().await
}

/// Lets callbacks know of each archive.
async fn tell_archives(cx: &mut Cx, metadata: &Metadata, home: &Home, files: &[File]) -> Result<()> {
    for file in files {
        let What::Archive { btype, kind, .. } = &file.what else { continue };
        let output = &metadata.output[file.output];
        let archive = serde_json::json!({
            "filename": output.filename, "subdir": output.subdir, "size": output.filesize, "checksum": output.checksum,
            "checksum_type": output.checksum_type, "type_id": kind, "metadata_only": output.metadata_only,
            "extra": output.extra,
        });
        tell::imported(cx, home.build, Imported::Archive { archive, kind: btype }).await?;
    }
    Ok(())
}

async fn complete(
    cx: &mut Cx,
    metadata: &Metadata,
    checked: &Checked,
    home: &Home,
    left: Left,
    volume: Option<VolumeId>,
) -> Result<()> {
    // a reserved build ends now, as in Koji; another when its description says
    let end = match left {
        Left::Reserved => cx.now,
        Left::Nothing | Left::Failed => time(metadata.build.end_time)?,
    };
    let completed = sqlx::query!(
        "UPDATE build SET state = 1, completion_time = $2, extra = $3, owner = $4, source = $5, task_id = $6,
             volume_id = coalesce($7, volume_id) WHERE id = $1 AND state = 0 AND cg_id = $8",
        home.build.0,
        end,
        extra(metadata, checked),
        checked.owner.0,
        metadata.build.source,
        checked.task.map(|task| task.0),
        volume.map(|volume| volume.0),
        checked.cg.0
    )
    .execute(cx.db().await?)
    .await?;
    if completed.rows_affected() == 0 { Err(gone(home.build)) } else { Ok(()) }
}

async fn buildroots(
    conn: &mut PgConnection,
    cg: ContentGeneratorId,
    roots: &[BuildrootFacts],
) -> Result<Vec<BuildrootId>> {
    let text = |part: fn(&BuildrootFacts) -> &String| roots.iter().map(|root| part(root).clone()).collect::<Vec<_>>();
    let extras: Vec<Option<Json>> = roots.iter().map(|root| root.extra.clone()).collect();
    let ids = sqlx::query_scalar!(
        "INSERT INTO buildroot (br_type, cg_id, arch, container_type, cg_version, host_os, host_arch, extra)
         SELECT 1, $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[]) RETURNING id",
        cg.0,
        &text(|root| &root.container.arch),
        &text(|root| &root.container.kind),
        &text(|root| &root.content_generator.version),
        &text(|root| &root.host.os),
        &text(|root| &root.host.arch),
        &extras as &[Option<Json>]
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(BuildrootId).collect())
}

/// What was in the buildroots, and is known here.
async fn contents(conn: &mut PgConnection, ids: &[BuildrootId], found: &[Found]) -> Result<()> {
    let pairs = |list: fn(&Found) -> &Vec<i64>| -> (Vec<i64>, Vec<i64>) {
        let all = ids.iter().zip(found).flat_map(move |(id, found)| list(found).iter().map(|part| (id.0, *part)));
        all.unzip()
    };
    let (roots, rpms) = pairs(|found| &found.rpms);
    sqlx::query!(
        "INSERT INTO buildroot_listing (buildroot_id, rpm_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
        &roots,
        &rpms
    )
    .execute(&mut *conn)
    .await?;
    let (roots, archives) = pairs(|found| &found.archives);
    sqlx::query!(
        "INSERT INTO buildroot_archives (buildroot_id, archive_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
        &roots,
        &archives
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn tools(conn: &mut PgConnection, ids: &[BuildrootId], roots: &[BuildrootFacts]) -> Result<()> {
    let all = || ids.iter().zip(roots).flat_map(|(id, root)| root.tools.iter().map(|tool| (id.0, tool)));
    let ids: Vec<i64> = all().map(|(id, _)| id).collect();
    let names: Vec<String> = all().map(|(_, tool)| tool.name.clone()).collect();
    let versions: Vec<String> = all().map(|(_, tool)| tool.version.clone()).collect();
    sqlx::query!(
        "INSERT INTO buildroot_tools_info (buildroot_id, tool, version)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING",
        &ids,
        &names,
        &versions
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn add_archives(
    conn: &mut PgConnection,
    metadata: &Metadata,
    home: &Home,
    roots: &[BuildrootId],
    files: &[File],
) -> Result<()> {
    // one an archive and column; there are few
    let mut rows = Archives::default();
    let mut parts: Vec<&Found> = Vec::new();
    for file in files {
        let What::Archive { btype, kind, sum, parts: found } = &file.what else { continue };
        let output = &metadata.output[file.output];
        let root = roots.get(file.root).ok_or_else(|| Error::internal(anyhow::anyhow!("a buildroot was not made")))?;
        rows.kinds.push(kind.0);
        rows.btypes.push(kinds::require(conn, btype).await?.0);
        rows.roots.push(root.0);
        rows.names.push(output.filename.clone());
        rows.subdirs.push(output.subdir.clone().unwrap_or_default());
        rows.sizes.push(output.filesize);
        rows.sums.push(output.checksum.clone());
        rows.sum_kinds.push(sum.number());
        rows.only_facts.push(output.metadata_only);
        rows.extras.push(output.extra.clone().map(Json::Object));
        parts.push(found);
    }
    let ids = rows.insert(conn, home).await?;
    let pairs = |list: fn(&Found) -> &Vec<i64>| -> (Vec<i64>, Vec<i64>) {
        ids.iter().zip(&parts).flat_map(move |(id, found)| list(found).iter().map(|part| (*id, *part))).unzip()
    };
    let (archives, rpms) = pairs(|found| &found.rpms);
    sqlx::query!(
        "INSERT INTO archive_rpm_components (archive_id, rpm_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
        &archives,
        &rpms
    )
    .execute(&mut *conn)
    .await?;
    let (archives, components) = pairs(|found| &found.archives);
    sqlx::query!(
        "INSERT INTO archive_components (archive_id, component_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
        &archives,
        &components
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Archives {
    kinds: Vec<i64>,
    btypes: Vec<i64>,
    roots: Vec<i64>,
    names: Vec<String>,
    subdirs: Vec<String>,
    sizes: Vec<i64>,
    sums: Vec<String>,
    sum_kinds: Vec<i16>,
    only_facts: Vec<bool>,
    extras: Vec<Option<Json>>,
}

impl Archives {
    async fn insert(&self, conn: &mut PgConnection, home: &Home) -> Result<Vec<i64>> {
        let ids = sqlx::query_scalar!(
            "INSERT INTO archiveinfo (build_id, type_id, btype_id, buildroot_id, filename, subdir, size, checksum, checksum_type,
                 metadata_only, extra)
             SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
                 $8::text[], $9::smallint[], $10::boolean[], $11::jsonb[]) RETURNING id",
            home.build.0,
            &self.kinds,
            &self.btypes,
            &self.roots,
            &self.names,
            &self.subdirs,
            &self.sizes,
            &self.sums,
            &self.sum_kinds,
            &self.only_facts,
            &self.extras as &[Option<Json>]
        )
        .fetch_all(conn)
        .await?;
        Ok(ids)
    }
}
