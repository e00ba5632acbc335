//! Letters on their way: into a folder, and through a real mail server where `TOJI_TEST_KOJI` names an environment that has one.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use toji_hub::{config::MailConfig, notification::Mail};
use toji_mail::Postman;

fn mail(to: &[&str]) -> Mail {
    Mail {
        to: to.iter().map(|address| (*address).to_owned()).collect(),
        subject: "Package: hello-1.0-1 Tag: f42 Status: complete Built by: bob".to_owned(),
        headers: vec![("X-Koji-Tag", "f42".to_owned())],
        text: "Package: hello-1.0-1\n.\nthat dot ended nothing\n".to_owned(),
        id: "build-1-complete-5".to_owned(),
    }
}

#[tokio::test]
async fn into_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    Postman::folder(dir.path()).deliver(&mail(&["bob@example.com"]), &MailConfig::default()).await.unwrap();
    let files: Vec<PathBuf> = dir.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].extension().unwrap(), "eml");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("To: bob@example.com\r\n") && text.contains("that dot ended nothing"), "{text}");
    let gone = Postman::folder(&dir.path().join("none"));
    assert!(gone.deliver(&mail(&["bob@example.com"]), &MailConfig::default()).await.is_err(), "it is tried again");
}

/// A mail server that refuses `nobody@…` for good, has no time for `later@…`, and prints what it takes.
const SERVER: &str = "
import asyncio
from aiosmtpd.smtp import SMTP
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('nobody@'): return '550 no such mailbox'
        if address.startswith('later@'): return '451 come back later'
        envelope.rcpt_tos.append(address)
        return '250 OK'
    async def handle_DATA(self, server, session, envelope):
        print(repr((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode())), flush=True)
        return '250 OK'
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler()), '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
";

struct Server {
    program: Child,
    said: BufReader<std::process::ChildStdout>,
    url: String,
}

impl Server {
    fn start(koji: &str) -> Self {
        let python = PathBuf::from(koji).with_file_name("python");
        let mut program = Command::new(python).args(["-c", SERVER]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        let url = format!("smtp://127.0.0.1:{}", port.trim());
        Self { program, said, url }
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

#[tokio::test]
async fn through_a_mail_server() {
    let Ok(koji) = std::env::var("TOJI_TEST_KOJI") else {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    };
    let mut server = Server::start(&koji);
    let postman = Postman::smtp(&server.url).unwrap();
    let config = MailConfig { domain: Some("example.com".to_owned()), ..MailConfig::default() };
    postman.deliver(&mail(&["bob@example.com", "eve@example.com"]), &config).await.unwrap();
    let taken = server.next();
    assert!(taken.starts_with("('toji@example.com', ['bob@example.com', 'eve@example.com'], "), "{taken}");
    assert!(taken.contains("X-Koji-Tag: f42\\r\\n") && taken.contains("that dot ended nothing"), "{taken}");

    // one who is unknown keeps nobody else from the letter
    postman.deliver(&mail(&["bob@example.com", "nobody@example.com"]), &config).await.unwrap();
    assert!(server.next().starts_with("('toji@example.com', ['bob@example.com'], "));
    postman.deliver(&mail(&["nobody@example.com"]), &config).await.unwrap();
    assert!(postman.deliver(&mail(&["later@example.com"]), &config).await.is_err(), "it is tried again");
    drop(server);
    assert!(postman.deliver(&mail(&["bob@example.com"]), &config).await.is_err(), "it is tried again");
    assert!(Postman::smtp("carrier://pigeon").is_err());
}
