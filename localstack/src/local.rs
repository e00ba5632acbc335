//! The whole of toji, put together in one process.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::Router;
use chrono::{TimeDelta, Utc};
use sqlx::{
    Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use toji_hub::{Hub, callback, config::Config, external_repo, pass::Pass, policy::PolicyFile, tag::Quirks};
use toji_keyring::Keyring;
use toji_mail::Postman;
use toji_protocol::queue_name::QueueName;
use toji_remote::Outside;
use toji_repo::HttpFetch;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};
use tower_http::services::ServeDir;

use crate::{
    cloud::Cloud,
    listen,
    stop::stopped,
    work::{consume, repeat},
};

/// Connections to Postgres.
const CONNECTIONS: u32 = 20;

/// A connection that was used within this is taken to be alive.
const FRESH: Duration = Duration::from_millis(500);

/// How long Postgres may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What runs in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Parts {
    /// Everything.
    #[default]
    All,
    /// S3, SQS and the API.
    Front,
    /// What takes messages, and the passes, over the data of a front that runs.
    Work,
}

/// How the whole is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What runs in this process.
    pub parts: Parts,
    /// Where the API is served; port 0 = any. For [`Parts::Work`], where the front serves it.
    pub listen: SocketAddr,
    /// Postgres. Its schema is brought up to date.
    pub database_url: String,
    /// Where S3 and SQS keep what they hold.
    pub data: PathBuf,
    /// The first admin's name.
    pub admin: String,
    /// The first admin's API token.
    pub admin_token: String,
    /// S3 and SQS of an emulator, instead of our own.
    pub aws_endpoint: Option<String>,
    /// A folder of RPM repositories that is served at `/minidistro/`.
    pub demo_repo: Option<PathBuf>,
    /// The mail server (`smtp://…`); None = letters become files in the folder `mail` below the data.
    pub smtp_url: Option<String>,
    /// How long a silent builder keeps its task; None = the hub's own idea.
    pub lease: Option<TimeDelta>,
    /// The deployment's own policies.
    pub policies: PolicyFile,
    /// Hooks, webhooks and methods that others answer.
    pub hooks: callback::Settings,
    /// How tags inherit.
    pub quirks: Quirks,
    /// The signing keys that can be reached.
    pub keyring: Keyring,
    /// Whose they are; None = the hub's own idea.
    pub signing_user_id: Option<String>,
    /// A builder in this process.
    pub builder: Option<toji_builder::Config>,
}

/// Everything, running.
pub struct Local {
    /// The server's URL, without a slash at the end.
    pub server_url: String,
    /// The hub, for who looks inside.
    pub hub: Hub,
    cloud: Cloud,
    stop: watch::Sender<bool>,
    parts: JoinSet<()>,
    stop_builder: watch::Sender<bool>,
    builder: JoinSet<()>,
}

impl Local {
    /// Starts everything, and returns when it answers. Dropping it ends everything at once.
    ///
    /// # Errors
    /// When Postgres does not come up, a port is taken, or another process has the data.
    pub async fn start(settings: Settings) -> Result<Self> {
        let listener = match settings.parts {
            Parts::Work => None,
            Parts::All | Parts::Front => {
                let listener = TcpListener::bind(settings.listen).await;
                Some(listener.with_context(|| format!("cannot listen on {}", settings.listen))?)
            }
        };
        let address = listener.as_ref().map_or(Ok(settings.listen), TcpListener::local_addr)?;
        let server_url = format!("http://{address}");
        let cloud = match (&settings.aws_endpoint, settings.parts) {
            (Some(endpoint), _) => Cloud::elsewhere(endpoint),
            (None, Parts::Work) => Cloud::beside(&settings.data)?,
            (None, Parts::All | Parts::Front) => Cloud::serve(&settings.data).await?,
        };
        let hub = hub(&settings, &cloud, &server_url).await?;
        let (stop, _) = watch::channel(false);
        let mut parts = JoinSet::new();
        if let Some(listener) = listener {
            toji_hub::user::bootstrap_admin(&hub, &settings.admin, &settings.admin_token, Utc::now()).await?;
            parts.spawn(serve(listener, router(&settings, &hub), stop.subscribe()));
        }
        if settings.parts != Parts::Front {
            work(&mut parts, &hub, HttpFetch::new()?, postman(&settings)?, &stop);
        }
        let (stop_builder, _) = watch::channel(false);
        let mut builder = JoinSet::new();
        if let Some(config) = settings.builder {
            builder.spawn(build(config, stop_builder.subscribe()));
        }
        tracing::info!(server_url, "toji is up");
        Ok(Self { server_url, hub, cloud, stop, parts, stop_builder, builder })
    }

    /// Ends everything: the builder first, which hands its tasks back, then what is under way, then what it stands on.
    pub async fn stop(mut self) {
        self.stop_builder.send_replace(true);
        while self.builder.join_next().await.is_some() {}
        self.stop.send_replace(true);
        while self.parts.join_next().await.is_some() {}
        self.hub.close().await;
        self.cloud.stop().await;
    }
}

fn router(settings: &Settings, hub: &Hub) -> Router {
    let router = toji_api::router_with_files(hub.clone()).merge(toji_logs::router(hub.store.clone()));
    match &settings.demo_repo {
        Some(folder) => router.nest_service("/minidistro", ServeDir::new(folder)),
        None => router,
    }
}

async fn hub(settings: &Settings, cloud: &Cloud, server_url: &str) -> Result<Hub> {
    let pool = database(&settings.database_url).await?;
    toji_hub::MIGRATIONS.run(&pool).await.context("cannot bring the database's schema up to date")?;
    let topurl = format!("{server_url}/kojifiles");
    let mut config =
        Config { topurl, mail: toji_hub::env::mail()?, quirks: settings.quirks, sleeps: true, ..Config::default() };
    config.policies = settings.policies.clone();
    let remote = Outside::new().await.context("no HTTP client")?;
    settings.hooks.check(&remote)?;
    (config.callbacks, config.remote) = (Arc::new(settings.hooks.clone()), Arc::new(remote));
    config.keyring = settings.keyring.clone();
    if let Some(user_id) = &settings.signing_user_id {
        config.signing_user_id.clone_from(user_id);
    }
    if let Some(lease) = settings.lease {
        config.lease = lease;
    }
    let (store, queues) = (cloud.store().await?, cloud.queues().await);
    for queue in [QueueName::Coordinator, QueueName::Repo, QueueName::Sign, QueueName::Mail, QueueName::Events] {
        queues.url(&queue).await?;
    }
    Ok(Hub::new(pool, store, queues, cloud.queue_credentials(), config))
}

/// Who takes letters away.
fn postman(settings: &Settings) -> Result<Postman> {
    if let Some(url) = &settings.smtp_url {
        return Postman::smtp(url).context("the mail server's URL makes no sense");
    }
    let folder = settings.data.join("mail");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(Postman::folder(&folder))
}

/// Connects to Postgres, which may still be starting.
async fn database(url: &str) -> Result<PgPool> {
    let options: PgConnectOptions = url.parse().context("the database URL makes no sense")?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(5))
        // asking before each use is a round trip for nothing under load; one that has idled may be from before a restart of Postgres
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move { if meta.idle_for < FRESH { Ok(true) } else { Ok(connection.ping().await.is_ok()) } })
        })
        .connect_lazy_with(options.application_name("toji-local"));
    let begun = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        match pool.acquire().await {
            Ok(_) => return Ok(pool),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error).context("Postgres does not answer"),
            Err(error) => tracing::warn!(%error, "waiting for Postgres"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    let service = hyper_util::service::TowerToHyperService::new(router);
    listen::serve(listener, service, stopped(stop)).await;
}

async fn build(config: toji_builder::Config, stop: watch::Receiver<bool>) {
    loop {
        match toji_builder::run(config.clone(), toji_builder::Handlers::own(), stopped(stop.clone())).await {
            Ok(toji_builder::Ended::Restart) => tracing::info!("the builder starts anew"),
            Ok(_) => return,
            Err(error) => {
                tracing::error!(error = format!("{:#}", anyhow::Error::new(error)), "the builder has ended");
                return;
            }
        }
    }
}

/// The loops that stand for Lambda's triggers.
fn work(parts: &mut JoinSet<()>, hub: &Hub, fetch: HttpFetch, postman: Postman, stop: &watch::Sender<bool>) {
    let advance = |hub: Hub, body: String| async move { toji_coordinator::handle(&hub, &body, Utc::now()).await };
    parts.spawn(consume(hub.clone(), QueueName::Coordinator, advance, stop.subscribe()));
    let watched = fetch.clone();
    let make = move |hub: Hub, body: String| {
        let fetch = fetch.clone();
        async move { toji_repo::handle(&hub, &body, Utc::now(), &fetch).await }
    };
    parts.spawn(consume(hub.clone(), QueueName::Repo, make, stop.subscribe()));

    let sign = |hub: Hub, body: String| async move { toji_sign::handle(&hub, &body, Utc::now()).await };
    parts.spawn(consume(hub.clone(), QueueName::Sign, sign, stop.subscribe()));

    let mail = move |hub: Hub, body: String| {
        let postman = postman.clone();
        async move { toji_mail::handle(&hub, &body, Utc::now(), &postman).await }
    };
    parts.spawn(consume(hub.clone(), QueueName::Mail, mail, stop.subscribe()));

    let tell = |hub: Hub, _: String| async move { toji_events::handle(&hub, Utc::now()).await };
    parts.spawn(consume(hub.clone(), QueueName::Events, tell, stop.subscribe()));

    let seconds = Duration::from_secs;
    for (pass, every) in [
        (Pass::Outbox, 2),
        (Pass::Events, 2),
        (Pass::Rescue, 2),
        (Pass::Repos, 5),
        (Pass::Sign, 2),
        (Pass::Sweep, 60),
        (Pass::Uploads, 600),
    ] {
        let run = move |hub: Hub, now| async move { pass.run(&hub, now).await };
        parts.spawn(repeat(hub.clone(), pass.name(), seconds(every), run, stop.subscribe()));
    }
    let watch = move |hub: Hub, now| {
        let fetch = watched.clone();
        async move { external_repo::watch::run_once(&hub, now, &fetch).await }
    };
    parts.spawn(repeat(hub.clone(), "external", seconds(60), watch, stop.subscribe()));
}
