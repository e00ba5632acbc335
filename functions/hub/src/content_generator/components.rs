//! What buildroots and archives are said to be made of, found among what is known.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::{digest::Sum, metadata::Component};
use crate::{Error, Result};

/// What was found of a list of components. What is not known comes from elsewhere, and is left out, as in Koji.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) rpms: Vec<i64>,
    pub(super) archives: Vec<i64>,
}

/// Looks for the components of several lists, in three statements.
///
/// # Errors
/// When one may not be used, or an archive that is named by id is not what is said of it.
pub(super) async fn find(conn: &mut PgConnection, lists: &[&[Component]]) -> Result<Vec<Found>> {
    let all = || lists.iter().flat_map(|list| list.iter());
    let rpms = find_rpms(conn, all()).await?;
    let files = find_files(conn, all()).await?;
    check_koji_files(conn, all()).await?;
    let mut found = Vec::with_capacity(lists.len());
    for list in lists {
        let mut of_list = Found::default();
        for component in *list {
            match component {
                Component::Rpm { name, version, release, arch, .. } => {
                    of_list.rpms.extend(rpms.get(&[name, version, release, arch].map(String::clone)));
                }
                Component::File { filename, filesize, checksum, .. } => {
                    of_list.archives.extend(files.get(&(filename.clone(), *filesize, checksum.clone())));
                }
                Component::Kojifile { archive_id, .. } => of_list.archives.push(*archive_id),
            }
        }
        of_list.rpms.sort_unstable();
        of_list.rpms.dedup();
        of_list.archives.sort_unstable();
        of_list.archives.dedup();
        found.push(of_list);
    }
    Ok(found)
}

async fn find_rpms<'a>(
    conn: &mut PgConnection,
    components: impl Iterator<Item = &'a Component>,
) -> Result<HashMap<[String; 4], i64>> {
    let mut columns: [Vec<String>; 4] = Default::default();
    for component in components {
        let Component::Rpm { name, version, release, arch, location, id } = component else { continue };
        if location.is_some() {
            return Err(Error::invalid("External rpms not allowed"));
        }
        if id.is_some() {
            return Err(Error::invalid("Unexpected 'id' field in component"));
        }
        for (column, part) in columns.iter_mut().zip([name, version, release, arch]) {
            column.push(part.clone());
        }
    }
    let rows = sqlx::query!(
        r#"SELECT asked.name AS "name!", asked.version AS "version!", asked.release AS "release!", asked.arch AS "arch!",
               found.id, found.draft
           FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                   AS given (name, version, release, arch)) AS asked
               CROSS JOIN LATERAL (
                   SELECT id, draft FROM rpminfo WHERE rpminfo.name = asked.name AND rpminfo.version = asked.version
                       AND rpminfo.release = asked.release AND rpminfo.arch = asked.arch
                   ORDER BY external_repo_id <> 0, draft IS TRUE, id DESC LIMIT 1) AS found"#,
        &columns[0],
        &columns[1],
        &columns[2],
        &columns[3]
    )
    .fetch_all(conn)
    .await?;
    let mut found = HashMap::new();
    for row in rows {
        if row.draft == Some(true) {
            let nvra = format!("{}-{}-{}.{}", row.name, row.version, row.release, row.arch);
            return Err(Error::invalid(format!("{nvra} is of a draft build, which nothing else may be made of")));
        }
        found.insert([row.name, row.version, row.release, row.arch], row.id);
    }
    Ok(found)
}

async fn find_files<'a>(
    conn: &mut PgConnection,
    components: impl Iterator<Item = &'a Component>,
) -> Result<HashMap<(String, i64, String), i64>> {
    let (mut names, mut sizes, mut sums, mut kinds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for component in components {
        let Component::File { filename, filesize, checksum, checksum_type } = component else { continue };
        names.push(filename.clone());
        sizes.push(*filesize);
        sums.push(checksum.clone());
        kinds.push(Sum::parse(checksum_type)?.number());
    }
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (filename, archiveinfo.size, checksum) archiveinfo.id, filename, archiveinfo.size, checksum
           FROM archiveinfo JOIN unnest($1::text[], $2::bigint[], $3::text[], $4::smallint[]) AS asked (name, size, sum, kind)
               ON filename = asked.name AND archiveinfo.size = asked.size AND checksum = asked.sum AND checksum_type = asked.kind
           ORDER BY filename, archiveinfo.size, checksum, archiveinfo.id"#,
        &names,
        &sizes,
        &sums,
        &kinds
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.filename, row.size, row.checksum), row.id)).collect())
}

async fn check_koji_files<'a>(conn: &mut PgConnection, components: impl Iterator<Item = &'a Component>) -> Result<()> {
    let asked: Vec<&Component> = components.filter(|one| matches!(one, Component::Kojifile { .. })).collect();
    let ids: Vec<i64> = asked
        .iter()
        .filter_map(|one| if let Component::Kojifile { archive_id, .. } = one { Some(*archive_id) } else { None })
        .collect();
    let rows = sqlx::query!(
        "SELECT archiveinfo.id, filename, size, checksum, checksum_type, package.name, version, release
         FROM archiveinfo JOIN build ON build.id = build_id JOIN package ON package.id = pkg_id
         WHERE archiveinfo.id = ANY($1)",
        &ids
    )
    .fetch_all(conn)
    .await?;
    for component in asked {
        let Component::Kojifile { archive_id, nvr, filename, filesize, checksum, checksum_type } = component else {
            continue;
        };
        let row = rows.iter().find(|row| row.id == *archive_id);
        let row = row.ok_or_else(|| Error::missing(format!("No such archive: {archive_id}")))?;
        let kind = checksum_type.as_deref().map(Sum::parse).transpose()?;
        let wrong = [
            ("nvr", *nvr != format!("{}-{}-{}", row.name, row.version, row.release)),
            ("filename", *filename != row.filename),
            ("filesize", filesize.is_some_and(|size| size != row.size)),
            ("checksum", checksum.as_ref().is_some_and(|sum| *sum != row.checksum)),
            ("checksum_type", kind.is_some_and(|kind| kind.number() != row.checksum_type)),
        ];
        if let Some((field, _)) = wrong.into_iter().find(|(_, is_wrong)| *is_wrong) {
            return Err(Error::invalid(format!("Component field {field} does not match for archive_id={archive_id}")));
        }
    }
    Ok(())
}
