//! Against a small HTTP server of our own, whose answers each test writes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use super::*;
use crate::{
    id::TaskId,
    method::{
        system::{Echo, Hello},
        task::CancelTask,
        upload::UploadPlan,
    },
};

/// A request as it arrived.
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            match header.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
                None => break,
            }
        }
        let mut request = Self { line: line.trim_end().to_owned(), headers, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Answers one connection each, in order; the last for ever. An empty answer is a connection that breaks.
fn serve(answers: Vec<String>) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (seen, requests) = channel();
    std::thread::spawn(move || {
        let mut answers = answers.into_iter().peekable();
        let mut answer = String::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            answer = answers.next().unwrap_or(answer);
            if let Some(request) = Request::read(&stream)
                && seen.send(request).is_err()
            {
                return;
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, requests)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn ok(body: &str) -> String {
    answer("200 OK", "content-type: application/json\r\n", body)
}

fn impatient(server: &str) -> Client {
    let retry = Retry {
        total: Duration::from_millis(200),
        first: Duration::from_millis(1),
        longest: Duration::from_millis(20),
    };
    Client::new(server, Some("secret")).unwrap().with_retry(retry)
}

#[tokio::test]
async fn sends_named_arguments_and_the_token() {
    let (server, requests) = serve(vec![ok("[1,\"x\"]")]);
    let echo = Echo { args: vec![Value::Int(1), Value::from("x")] };
    let echoed = Client::new(&format!("{server}/"), Some("secret")).unwrap().call(&echo).await.unwrap();
    assert_eq!(echoed, [Value::Int(1), Value::from("x")]);

    let request = requests.recv().unwrap();
    assert_eq!(request.line, "POST /api/echo HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer secret"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept-encoding"), Some("gzip"));
    assert_eq!(request.json(), serde_json::json!({"args": [1, "x"]}));
    assert_eq!(request.header(IDEMPOTENCY_KEY), None, "a read needs no key");
}

#[tokio::test]
async fn a_write_keeps_its_key_when_it_is_sent_again() {
    let unavailable = answer("503 Service Unavailable", "", "");
    let torn = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".to_owned();
    let (server, requests) = serve(vec![unavailable, String::new(), torn, ok("null")]);
    let client = impatient(&server);
    let cancel = CancelTask { task_id: TaskId(7), recurse: true };
    client.call(&cancel).await.unwrap();

    let keys: Vec<_> = requests.try_iter().map(|seen| seen.header(IDEMPOTENCY_KEY).unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(keys[0].len() == 32 && keys[0].bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", keys[0]);

    client.call(&cancel).await.unwrap();
    let other = requests.recv().unwrap();
    assert_ne!(other.header(IDEMPOTENCY_KEY).unwrap(), keys[0], "another call is not the same call");
}

#[tokio::test]
async fn a_fault_is_given_out_at_once() {
    let problem = r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"tag 'f42' exists","faultCode":1003,"requestId":"r-1"}"#;
    let (server, requests) = serve(vec![answer("409 Conflict", "content-type: application/problem+json\r\n", problem)]);
    let error = impatient(&server).call(&Hello { args: vec![] }).await.unwrap_err();
    assert_eq!(error.to_string(), "tag 'f42' exists");
    assert!(error.is_conflict() && !error.is_unavailable());
    assert_eq!(error.code(), Some(1003));
    assert!(matches!(&error, ClientError::Fault { request_id: Some(id), status: 409, .. } if id == "r-1"));
    assert_eq!(requests.try_iter().count(), 1);
}

#[tokio::test]
async fn a_front_doors_page_becomes_a_short_fault() {
    let (server, _requests) = serve(vec![answer("403 Forbidden", "", "<html>\n  <b>no</b></html>")]);
    let error = impatient(&server).call(&Hello { args: vec![] }).await.unwrap_err();
    assert_eq!(error.to_string(), "403 Forbidden: <html> <b>no</b></html>");
}

#[tokio::test]
async fn patience_ends() {
    let (server, requests) = serve(vec![answer("503 Service Unavailable", "", "")]);
    let error = impatient(&server).call(&Hello { args: vec![] }).await.unwrap_err();
    assert!(error.is_unavailable());
    assert!(requests.try_iter().count() > 2);

    let never = impatient(&server).with_retry(Retry::NEVER);
    never.call(&Hello { args: vec![] }).await.unwrap_err();
    assert_eq!(requests.try_iter().count(), 1);
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let client = impatient(&server).on_retry(Arc::new(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let error = client.call(&Hello { args: vec![] }).await.unwrap_err();
    assert!(error.is_unavailable());
    assert_eq!(error.to_string(), format!("cannot reach {server}: Connection refused (os error 111)"));
    assert!(told.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_not_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    // It does not wait for a line, which a TLS greeting need not have.
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 4096]);
    });
    let error = impatient(&server).call(&Hello { args: vec![] }).await.unwrap_err();
    assert!(matches!(error, ClientError::Transport { .. }) && !error.is_unavailable(), "{error}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_said_to_be_one() {
    let (server, _requests) = serve(vec![ok("[]")]);
    let error = impatient(&server).call(&Hello { args: vec![] }).await.unwrap_err();
    assert!(error.to_string().starts_with("the answer to hello is not understood"), "{error}");
}

#[test]
fn refuses_what_is_no_address() {
    assert!(matches!(Client::new("hub.example.com", None), Err(ClientError::Address(_))));
    assert!(matches!(Client::new("http://hub", Some("a\nb")), Err(ClientError::Token)));
}

#[tokio::test]
async fn uploads_parts_each_with_its_checksum() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "abcdefgh").unwrap();
    let (server, requests) =
        serve(vec![answer("500 Internal Server Error", "", ""), answer("200 OK", "ETag: \"e\"\r\n", "")]);
    let urls = (0..3).map(|part| format!("{server}/p{part}?sig=s")).collect();
    let plan = UploadPlan { upload_id: "u".to_owned(), part_size: 3, urls };
    let sent = AtomicU64::new(0);
    let progress = |bytes| {
        sent.fetch_add(bytes, Ordering::Relaxed);
    };
    let parts = impatient(&server).upload_parts(&plan, file.path(), progress).await.unwrap();

    assert_eq!(sent.load(Ordering::Relaxed), 8);
    assert_eq!(parts.iter().map(|part| part.etag.as_str()).collect::<Vec<_>>(), ["\"e\""; 3]);
    // sha256sum of "gh"
    assert_eq!(parts[2].sha256, "fb2b7fce0940161406a6aa3e4d8b4aa6104014774ffa665743f8d9704f0eb0ec");
    let requests: Vec<_> = requests.try_iter().collect();
    assert_eq!(requests.len(), 4, "one part was sent twice");
    for request in &requests {
        assert!(request.line.starts_with("PUT /p"));
        assert_eq!(request.header("authorization"), None, "the token is not for the store");
        let digest = hex::decode(sha256(&request.body)).unwrap();
        use base64::Engine;
        let expected = base64::prelude::BASE64_STANDARD.encode(digest);
        assert_eq!(request.header("x-amz-checksum-sha256"), Some(expected.as_str()));
    }
}

fn sha256(content: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(content))
}

#[tokio::test]
async fn a_file_that_changed_size_is_not_sent() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "abcdefgh").unwrap();
    let plan = UploadPlan { upload_id: "u".to_owned(), part_size: 3, urls: vec!["http://127.0.0.1:9/".to_owned()] };
    let client = impatient("http://127.0.0.1:9");
    let error = client.upload_parts(&plan, file.path(), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("its size changed to 8 bytes"), "{error}");
    let missing = client.upload_parts(&plan, std::path::Path::new("/nowhere/x"), |_| ()).await.unwrap_err();
    assert_eq!(missing.to_string(), "cannot read /nowhere/x: No such file or directory (os error 2)");
}

#[tokio::test]
async fn digests_parts_and_the_whole() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let empty = FileDigest::of(file.path()).await.unwrap();
    assert_eq!(empty, FileDigest { size: 0, sha256: sha256(b""), parts: vec![sha256(b"")] });

    let content: Vec<u8> = (0..9 << 20).map(|at: u32| (at >> 8) as u8).collect();
    std::fs::write(file.path(), &content).unwrap();
    let digest = FileDigest::of(file.path()).await.unwrap();
    assert_eq!(digest.parts, [sha256(&content[..8 << 20]), sha256(&content[8 << 20..])]);
    assert_eq!((digest.size, digest.sha256), (9 << 20, sha256(&content)));
    std::fs::write(file.path(), &content[..8 << 20]).unwrap();
    assert_eq!(FileDigest::of(file.path()).await.unwrap().parts.len(), 1, "no empty part at the end");
}

#[tokio::test]
async fn downloads_the_rest() {
    let rest = answer("206 Partial Content", "content-range: bytes 4-7/8\r\n", "efgh");
    let (server, requests) = serve(vec![rest, answer("416 Range Not Satisfiable", "", ""), ok("abcdefgh")]);
    let client = impatient(&server);
    let mut download = client.download(&format!("{server}/f"), 4).await.unwrap().unwrap();
    assert_eq!((download.offset, download.size), (4, Some(8)));
    assert_eq!(download.chunk().await.unwrap().unwrap(), "efgh");
    assert_eq!(download.chunk().await.unwrap(), None);
    assert_eq!(requests.recv().unwrap().header("range"), Some("bytes=4-"));

    assert!(client.download(&format!("{server}/f"), 8).await.unwrap().is_none());
    let whole = client.download(&format!("{server}/f"), 4).await.unwrap().unwrap();
    assert_eq!((whole.offset, whole.size), (0, Some(8)), "a server without ranges sends all of it");
}

/// The builder runs these in tasks of their own.
#[test]
fn futures_may_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let client = impatient("http://127.0.0.1:9");
    let plan = UploadPlan { upload_id: String::new(), part_size: 1, urls: Vec::new() };
    is_send(client.call(&Hello { args: vec![] }));
    is_send(client.upload_parts(&plan, std::path::Path::new("x"), |_| ()));
    is_send(client.put("x", Bytes::new(), None));
    is_send(client.download("x", 0));
}
