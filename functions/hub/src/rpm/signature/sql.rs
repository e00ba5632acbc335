//! Statements about signatures and checksums.

use sqlx::PgConnection;
use toji_protocol::{
    id::RpmId,
    method::rpm::{ChecksumType, RpmSig},
};

use crate::{Error, Result};

pub(super) async fn list(conn: &mut PgConnection, rpm: Option<RpmId>, sigkey: Option<&str>) -> Result<Vec<RpmSig>> {
    let rows = sqlx::query!(
        "SELECT rpm_id, sigkey, sighash FROM rpmsigs WHERE ($1::bigint IS NULL OR rpm_id = $1) AND ($2::text IS NULL OR sigkey = $2)
         ORDER BY rpm_id, sigkey",
        rpm.map(|id| id.0),
        sigkey
    )
    .fetch_all(conn)
    .await?;
    let row = |(rpm, sighash, sigkey)| RpmSig { rpm_id: RpmId(rpm), sighash, sigkey };
    Ok(rows.into_iter().map(|sig| row((sig.rpm_id, sig.sighash, sig.sigkey))).collect())
}

/// Notes a signature. False: there is one with that key.
pub(super) async fn add(conn: &mut PgConnection, rpm: RpmId, sigkey: &str, sighash: &str) -> Result<bool> {
    let added = sqlx::query!(
        "INSERT INTO rpmsigs (rpm_id, sigkey, sighash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        rpm.0,
        sigkey,
        sighash
    )
    .execute(conn)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Forgets signatures, and the checksums of the files with them.
pub(super) async fn delete(conn: &mut PgConnection, rpm: RpmId, sigkeys: &[String]) -> Result<()> {
    sqlx::query!("DELETE FROM rpmsigs WHERE rpm_id = $1 AND sigkey = ANY($2)", rpm.0, sigkeys).execute(conn).await?;
    Ok(())
}

/// Gives a signature another key. What is known of the files with the old one is forgotten. False: the one is gone, or the other there.
pub(super) async fn rename(conn: &mut PgConnection, rpm: RpmId, old: &str, new: &str) -> Result<bool> {
    let renamed = sqlx::query!(
        "WITH free AS (SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM rpmsigs WHERE rpm_id = $1 AND sigkey = $3)),
              gone AS (DELETE FROM rpmsigs USING free WHERE rpm_id = $1 AND sigkey = $2 RETURNING sighash)
         INSERT INTO rpmsigs (rpm_id, sigkey, sighash) SELECT $1, $3, sighash FROM gone",
        rpm.0,
        old,
        new
    )
    .execute(conn)
    .await?;
    Ok(renamed.rows_affected() == 1)
}

/// What is known of a file with each key: (key, kind, checksum).
pub(super) async fn checksums(
    conn: &mut PgConnection,
    rpm: RpmId,
    kinds: &[ChecksumType],
) -> Result<Vec<(String, ChecksumType, String)>> {
    let kinds: Vec<i16> = kinds.iter().map(|kind| kind.number()).collect();
    let rows = sqlx::query!(
        "SELECT sigkey, checksum_type, checksum FROM rpm_checksum WHERE rpm_id = $1 AND checksum_type = ANY($2)",
        rpm.0,
        &kinds
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = ChecksumType::from_number(row.checksum_type.into());
            let kind =
                kind.ok_or_else(|| Error::internal(anyhow::anyhow!("no checksum type {}", row.checksum_type)))?;
            Ok((row.sigkey, kind, row.checksum))
        })
        .collect()
}

/// Notes checksums of a file with one key. A signature that went meanwhile keeps none.
pub(super) async fn note(
    conn: &mut PgConnection,
    rpm: RpmId,
    sigkey: &str,
    checksums: &[(ChecksumType, String)],
) -> Result<()> {
    let (kinds, sums): (Vec<i16>, Vec<String>) =
        checksums.iter().map(|(kind, sum)| (kind.number(), sum.clone())).unzip();
    sqlx::query!(
        "INSERT INTO rpm_checksum (rpm_id, sigkey, checksum_type, checksum)
         SELECT rpm_id, sigkey, kind, sum FROM rpmsigs, unnest($3::smallint[], $4::text[]) AS t (kind, sum)
         WHERE rpm_id = $1 AND sigkey = $2 FOR KEY SHARE OF rpmsigs
         ON CONFLICT DO NOTHING",
        rpm.0,
        sigkey,
        &kinds,
        &sums
    )
    .execute(conn)
    .await?;
    Ok(())
}
