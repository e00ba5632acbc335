//! Our servers killed in the middle of work, and started again. Only theirs: LocalStack forgets.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use toji_local::credentials;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::target::{KEY, SECRET, bytes, code, s3_client, sqs_client, start};

/// Names the directory to the process that is to be killed.
const CHILD: &str = "TOJI_CONFORMANCE_CHILD";

/// Not a case: the process that [`Servers`] starts.
#[tokio::test]
async fn serve_until_killed() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let keys = credentials::Credentials::new(KEY, SECRET);
    let (s3, sqs) = start(Path::new(&dir), &keys, std::future::pending()).await;
    println!("\nlistening {s3} {sqs}");
    std::future::pending::<()>().await;
}

/// Both servers in a process of their own, and clients for them.
struct Servers {
    process: Child,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
}

impl Servers {
    async fn start(dir: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "restart::serve_until_killed", "--nocapture"])
            .env(CHILD, dir)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (s3, sqs) = loop {
            let line = lines.next_line().await.unwrap().expect("the servers start");
            if let Some(addresses) = line.strip_prefix("listening ") {
                let (s3, sqs) = addresses.split_once(' ').unwrap();
                break (format!("http://{s3}"), format!("http://{sqs}"));
            }
        };
        let keys = Credentials::from_keys(KEY, SECRET, None);
        Self { process, s3: s3_client(&s3, keys.clone()), sqs: sqs_client(&sqs, keys) }
    }

    /// `kill -9`, and a new start over the same directory.
    async fn restart(mut self, dir: &Path) -> Self {
        self.process.kill().await.unwrap();
        Self::start(dir).await
    }

    async fn put(&self, key: &str, content: &[u8]) {
        let put = self.s3.put_object().bucket("kept").key(key).metadata("a", "b");
        put.body(content.to_vec().into()).send().await.unwrap();
    }

    async fn content(&self, key: &str) -> Vec<u8> {
        let got = self.s3.get_object().bucket("kept").key(key).send().await.unwrap();
        assert_eq!(got.metadata().unwrap()["a"], "b");
        got.body.collect().await.unwrap().to_vec()
    }
}

/// The files that hold bodies.
fn files(dir: &Path) -> usize {
    let folders = std::fs::read_dir(dir.join("s3/blobs")).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn objects_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Servers::start(dir.path()).await;
    servers.s3.create_bucket().bucket("kept").send().await.unwrap();
    let large = bytes(3_000_000);
    servers.put("replaced", b"old").await;
    servers.put("replaced", b"new").await;
    servers.put("large", &large).await;
    servers.put("deleted", b"x").await;
    servers.s3.delete_object().bucket("kept").key("deleted").send().await.unwrap();

    // A body that never ends is on its way when the process dies.
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let endless = reqwest::Body::wrap_stream(futures::stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    }));
    let put = servers.s3.put_object().bucket("kept").key("torn");
    let signed = aws_sdk_s3::presigning::PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let signed = put.presigned(signed).await.unwrap();
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let torn = reqwest::Client::new().put(signed.uri()).body(endless).send();
    let torn = tokio::spawn(torn);
    let before = files(dir.path());
    for _ in 0..40 {
        sender.send(Ok(vec![0; 100_000])).await.unwrap();
    }
    while files(dir.path()) == before {
        tokio::task::yield_now().await;
    }

    let servers = servers.restart(dir.path()).await;
    assert!(torn.await.unwrap().is_err());
    assert_eq!(servers.content("replaced").await, b"new");
    assert!(servers.content("large").await == large);
    for key in ["deleted", "torn"] {
        assert_eq!(code!(servers.s3.head_object().bucket("kept").key(key).send().await), "NotFound");
    }
    assert_eq!(files(dir.path()), 2, "what was torn or replaced is swept");
    servers.put("after", b"x").await;
    let servers = servers.restart(dir.path()).await;
    let listed = servers.s3.list_objects_v2().bucket("kept").send().await.unwrap();
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["after", "large", "replaced"]);
}

#[tokio::test]
async fn an_upload_goes_on_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut servers = Servers::start(dir.path()).await;
    servers.s3.create_bucket().bucket("kept").send().await.unwrap();
    let create = servers.s3.create_multipart_upload().bucket("kept").key("k").metadata("a", "b");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32);
    let id = create.send().await.unwrap().upload_id.unwrap();
    let content = bytes((5 << 20) + 10);
    let mut parts = Vec::new();
    for (number, part) in (1..).zip(content.chunks(5 << 20)) {
        let upload = servers.s3.upload_part().bucket("kept").key("k").upload_id(&id);
        let upload = upload
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .part_number(number)
            .body(ByteStream::from(part.to_vec()));
        let uploaded = upload.send().await.unwrap();
        let part = CompletedPart::builder().part_number(number).e_tag(uploaded.e_tag().unwrap());
        let part = part.set_checksum_crc32(uploaded.checksum_crc32().map(str::to_owned));
        parts.push(part.build());
        servers = servers.restart(dir.path()).await;
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = servers.s3.complete_multipart_upload().bucket("kept").key("k").upload_id(&id);
    complete.multipart_upload(parts).send().await.unwrap();
    let servers = servers.restart(dir.path()).await;
    assert!(servers.content("k").await == content);
}

#[tokio::test]
async fn messages_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Servers::start(dir.path()).await;
    let url = servers.sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    let send = |servers: &Servers, body: &str| servers.sqs.send_message().queue_url(&url).message_body(body).send();
    for body in ["deleted", "held", "short", "ready"] {
        send(&servers, body).await.unwrap();
    }
    let mut handles = Vec::new();
    for timeout in [600, 600, 1] {
        let receive = servers.sqs.receive_message().queue_url(&url).visibility_timeout(timeout);
        let message = receive.send().await.unwrap().messages.unwrap().remove(0);
        handles.push(message.receipt_handle.unwrap());
    }
    servers.sqs.delete_message().queue_url(&url).receipt_handle(&handles[0]).send().await.unwrap();

    let servers = servers.restart(dir.path()).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let receive = servers.sqs.receive_message().queue_url(&url).wait_time_seconds(10);
        let received = receive.max_number_of_messages(10).send().await.unwrap();
        seen.extend(received.messages.unwrap_or_default().into_iter().filter_map(|message| message.body));
    }
    seen.sort();
    assert_eq!(seen, ["ready", "short"], "what is held stays hidden, what was deleted is gone");
    // Its receiver outlived the server, and can give it back.
    let change = servers.sqs.change_message_visibility().queue_url(&url).receipt_handle(&handles[1]);
    change.visibility_timeout(0).send().await.unwrap();
    let receive = servers
        .sqs
        .receive_message()
        .queue_url(&url)
        .message_system_attribute_names(aws_sdk_sqs::types::MessageSystemAttributeName::ApproximateReceiveCount);
    let message = receive.send().await.unwrap().messages.unwrap().remove(0);
    assert_eq!(message.body(), Some("held"));
    let count = message.attributes().unwrap().values().next().unwrap();
    assert_eq!(count, "2");
}

#[tokio::test]
async fn a_directory_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let _servers = Servers::start(dir.path()).await;
    let keys = credentials::Credentials::default();
    let second = toji_local::s3::Server::open(&dir.path().join("s3"), keys.clone());
    assert_eq!(second.err().unwrap().kind(), std::io::ErrorKind::WouldBlock);
    let second = toji_local::sqs::Server::open(&dir.path().join("sqs"), keys, "http://x");
    assert_eq!(second.err().unwrap().kind(), std::io::ErrorKind::WouldBlock);
}
