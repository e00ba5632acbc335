//! An HTTP/1.1 client that costs next to nothing: requests are made beforehand, replies are only measured.

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(1 << 20) })
    }

    /// Sends a whole request, and answers the body of the reply, which must have status 200. A compressed one is left as it
    /// came, chunks and all.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (head, length) = loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the hub has hung up");
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break (end + 4, content_length(&self.buffer[..end])?);
            }
        };
        let is_whole = |buffer: &[u8]| match length {
            Some(length) => buffer.len() >= head + length,
            None => buffer.ends_with(b"\r\n0\r\n\r\n"),
        };
        while !is_whole(&self.buffer) {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the hub has hung up");
        }
        ensure!(
            self.buffer.starts_with(b"HTTP/1.1 200"),
            "the hub answers: {}",
            String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(1000)])
        );
        Ok(&self.buffer[head..])
    }
}

/// None where the reply is in chunks.
fn content_length(head: &[u8]) -> Result<Option<usize>> {
    let head = std::str::from_utf8(head)?;
    let header = |wanted: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    if header("transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        return Ok(None);
    }
    let length = header("content-length").and_then(|length| length.parse().ok());
    length.map(Some).with_context(|| format!("a reply without a length: {head}"))
}

pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, part)
}
