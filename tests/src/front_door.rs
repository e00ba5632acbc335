//! What stands between a client and the server, and does not do well by streams.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What becomes of a request for live logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// The server does not know them.
    Missing,
    /// Somebody may not have them.
    Forbidden,
    /// The connection breaks after so many bytes of the answer.
    Cut(u64),
}

/// A front door that lets all through but live logs. Closed when dropped.
pub struct FrontDoor {
    /// Its URL.
    pub url: String,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl FrontDoor {
    /// Opens one before a server.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open(server: &str, streams: Streams) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = server.trim_start_matches("http://").to_owned();
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, count) = (server.clone(), Arc::clone(&count));
                // who breaks a connection is not told more
                tokio::spawn(async move { drop(pass(client, &server, streams, &count).await) });
            }
        });
        Self { url, asked, task }
    }

    /// How often live logs were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, server: &str, streams: Streams, asked: &AtomicUsize) -> std::io::Result<()> {
    // a client has connections of their own for streams, so the first request tells
    let mut head = vec![0; 4096];
    let read = client.read(&mut head).await?;
    head.truncate(read);
    let mut server = TcpStream::connect(server).await?;
    server.write_all(&head).await?;
    if !head.starts_with(b"GET /api/tasks/") {
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let refused = match streams {
        Streams::Cut(most) => {
            tokio::io::copy(&mut server.take(most), &mut client).await?;
            return Ok(());
        }
        Streams::Missing => "404 Not Found",
        Streams::Forbidden => "403 Forbidden",
    };
    let answer = format!("HTTP/1.1 {refused}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await
}
