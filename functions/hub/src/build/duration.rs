//! How long builds take, for the weight of the next one.

use chrono::{DateTime, Months, Utc};
use sqlx::PgConnection;
use toji_protocol::id::PackageId;

use super::sql;
use crate::Result;

/// Seconds that complete builds of a package took on average, those of the last `months` if given; None when there are none.
pub async fn average_seconds(
    conn: &mut PgConnection,
    package: PackageId,
    months: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Option<f64>> {
    let since = months.and_then(|months| now.checked_sub_months(Months::new(u32::try_from(months).ok()?)));
    sql::average_seconds(conn, package, since).await
}

/// The weight of a buildArch task of a package whose builds take so long: 1.5 at least, 19.5 at the most.
pub fn arch_weight(average_seconds: Option<f64>) -> f64 {
    const LEAST: f64 = 1.5;
    const MOST_MORE: f64 = 18.0;
    const SECONDS_A_UNIT: f64 = 4800.0;
    LEAST + (average_seconds.unwrap_or(0.0) / SECONDS_A_UNIT).min(MOST_MORE)
}

#[cfg(test)]
mod tests {
    use super::arch_weight;

    #[test]
    fn weights() {
        assert_eq!(arch_weight(None), 1.5);
        assert_eq!(arch_weight(Some(4800.0)), 2.5);
        assert_eq!(arch_weight(Some(1e9)), 19.5);
    }
}
