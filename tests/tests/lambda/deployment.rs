//! toji on Lambda, as Terraform would deploy it: a bucket, queues, functions and what calls them.

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::join_all;
use serde_json::json;
use toji_hub::{Hub, config::Config, env::SameForAll};
use toji_protocol::{
    queue::{QueueAccess, Queues},
    queue_name::QueueName,
};
use toji_store::{Store, StoreAccess};
use toji_tests::{Database, program};

use crate::{front_door::FrontDoor, functions::Functions};

const REGION: &str = "us-east-1";

/// What a function may take. A queue hides a message for at least as long, or Lambda refuses the mapping.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The functions: their names, and their programs.
const FUNCTIONS: [(&str, &str); 6] = [
    ("api", "toji-api"),
    ("coordinator", "toji-coordinator"),
    ("repo", "toji-repo"),
    ("outbox", "toji-pass-outbox"),
    ("rescue", "toji-pass-rescue"),
    ("repos", "toji-pass-repos"),
];

/// What a schedule calls.
const PASSES: [&str; 3] = ["outbox", "rescue", "repos"];

/// toji on Lambda.
pub(crate) struct Deployment {
    /// The front door's URL.
    pub(crate) url: String,
    /// The functions.
    pub(crate) functions: Functions,
    /// What the functions are made of, in this process: for what Terraform or an operator would do.
    pub(crate) hub: Hub,
    sqs: aws_sdk_sqs::Client,
    s3: aws_sdk_s3::Client,
    prefix: String,
    _front_door: Option<FrontDoor>,
}

impl Deployment {
    /// Deploys it over a database whose schema is up to date.
    pub(crate) async fn start(endpoint: &str, prefix: &str, database: &Database, minidistro: &str) -> Self {
        let keys = Credentials::from_keys("test", "test", None);
        let (endpoint_url, region) = (Some(endpoint.to_owned()), REGION.to_owned());
        let bucket = prefix.to_owned();
        let access = StoreAccess {
            endpoint: endpoint_url.clone(),
            region: region.clone(),
            credentials: Some(keys.clone()),
            bucket: bucket.clone(),
        };
        let store = Store::connect(&access).await;
        store.ensure_bucket().await.expect("a bucket can be made");
        let access =
            QueueAccess { endpoint: endpoint_url.clone(), region: region.clone(), credentials: Some(keys.clone()) };
        let sqs = access.client().await;
        let queues = Queues::new(sqs.clone(), &format!("{prefix}-"));
        let (listener, url) = FrontDoor::bind().await;
        let config = Config { topurl: format!("{url}/kojifiles"), ..Config::default() };
        let same = SameForAll { endpoint: endpoint_url, region, keys: Some(keys.clone()) };
        let hub = Hub::new(database.pool.clone(), store, queues, Box::new(same), config);
        let s3 = s3_client(endpoint, keys).await;
        let functions = Functions::new(endpoint, s3.clone(), &bucket, prefix);
        let mut deployment = Self { url, functions, hub, sqs, s3, prefix: prefix.to_owned(), _front_door: None };
        deployment.make_functions(&bucket, &database.url).await;
        for queue in [QueueName::Coordinator, QueueName::Repo] {
            let arn = deployment.make_queue(&queue).await;
            deployment.functions.feed(&queue.to_string(), &arn).await;
        }
        let host = deployment.functions.url_host("api").await;
        let door = FrontDoor::open(listener, endpoint, &host, deployment.hub.clone(), minidistro);
        deployment._front_door = Some(door);
        deployment
    }

    async fn make_functions(&self, bucket: &str, database: &str) {
        let begun = Instant::now();
        let (topurl, queues) = (format!("{}/kojifiles", self.url), format!("{}-", self.prefix));
        let env = [
            ("DATABASE_URL", database),
            ("TOJI_BUCKET", bucket),
            ("TOJI_TOPURL", &topurl),
            ("TOJI_QUEUE_PREFIX", &queues),
            // LocalStack checks presigned URLs, and does not know the keys that it gives its own functions
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SESSION_TOKEN", ""),
        ];
        let made = FUNCTIONS.iter().map(async |(name, file)| {
            let file = program(file);
            let size = std::fs::metadata(&file).expect("a program").len();
            let packed = self.functions.pack(name, &file).await;
            println!("{name}: {} MB, as a package {} MB", size >> 20, packed >> 20);
            self.functions.create(name, name, TIMEOUT, &env).await;
        });
        join_all(made).await;
        // one that has lost its database
        let mut lost = env;
        lost[0].1 = "postgres://toji@127.0.0.1:1/nowhere";
        self.functions.create("lost", "coordinator", TIMEOUT, &lost).await;
        println!("functions made in {:.1?}", begun.elapsed());
    }

    /// Makes a queue that feeds a function, and answers its ARN.
    async fn make_queue(&self, queue: &QueueName) -> String {
        let name = format!("{}-{queue}", self.prefix);
        let hidden = TIMEOUT.as_secs().to_string();
        let make = self.sqs.create_queue().queue_name(name).attributes(QueueAttributeName::VisibilityTimeout, hidden);
        let url = make.send().await.expect("a queue can be made").queue_url.expect("a URL");
        let ask = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
        let attributes = ask.send().await.expect("a queue's attributes").attributes.expect("attributes");
        attributes[&QueueAttributeName::QueueArn].clone()
    }

    /// Calls the passes again and again, as a schedule would. It never ends.
    pub(crate) async fn run_passes(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(2));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for pass in PASSES {
                let done = self.functions.invoke(pass, &json!({ "source": "aws.events" })).await;
                done.unwrap_or_else(|error| panic!("the pass {pass} failed: {error}"));
            }
        }
    }

    /// Takes it all away.
    pub(crate) async fn destroy(&self) {
        let begun = Instant::now();
        self.functions.delete().await;
        let queues = self.sqs.list_queues().queue_name_prefix(format!("{}-", self.prefix)).send().await;
        for url in queues.expect("queues can be listed").queue_urls.unwrap_or_default() {
            self.sqs.delete_queue().queue_url(url).send().await.expect("a queue can be deleted");
        }
        let objects = self.hub.store.list("").await.expect("objects can be listed");
        for object in objects {
            self.s3.delete_object().bucket(&self.prefix).key(object.key).send().await.expect("it can be deleted");
        }
        self.s3.delete_bucket().bucket(&self.prefix).send().await.expect("the bucket can be deleted");
        println!("taken away in {:.1?}", begun.elapsed());
    }
}

/// For what toji itself never does: packages, and taking everything away.
pub(crate) async fn s3_client(endpoint: &str, keys: Credentials) -> aws_sdk_s3::Client {
    use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version_latest()
        .region(aws_sdk_s3::config::Region::new(REGION))
        .http_client(http)
        .endpoint_url(endpoint)
        .credentials_provider(keys)
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}
