//! A database for one system.

use std::str::FromStr;

use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};

/// A database that is dropped in the end.
pub struct Database {
    /// Where it is.
    pub url: String,
    /// For looking inside.
    pub pool: PgPool,
    server: String,
    name: String,
}

impl Database {
    /// Makes one on the server that `url` names, whose user may do so.
    ///
    /// # Panics
    /// When the server does not let it be made.
    pub async fn create(url: &str) -> Self {
        let name = format!("toji_e2e_{}_{:08x}", std::process::id(), rand::random::<u32>());
        run(url, &format!("CREATE DATABASE {name}")).await.expect("a database can be made");
        let own = renamed(url, &name);
        let options = PgConnectOptions::from_str(&own).expect("a URL of Postgres");
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
        Self { url: own, pool, server: url.to_owned(), name }
    }

    /// One number, by a query that finds one.
    ///
    /// # Panics
    /// When it finds none.
    pub async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{query}: {error}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // Drop cannot wait inside the test's own runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(&server, &format!("DROP DATABASE {name} WITH (FORCE)"))).map_err(std::io::Error::other)
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("the database {} is left: {error}", self.name);
        }
    }
}

async fn run(url: &str, statement: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
    connection.close().await
}

/// The URL of another database on the same server.
fn renamed(url: &str, name: &str) -> String {
    let (place, options) = url.split_once('?').map_or((url, None), |(place, options)| (place, Some(options)));
    let (server, _) = place.rsplit_once('/').expect("the URL names a database");
    match options {
        Some(options) => format!("{server}/{name}?{options}"),
        None => format!("{server}/{name}"),
    }
}
