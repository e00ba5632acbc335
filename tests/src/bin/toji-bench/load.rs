//! So many connections that ask one after another, for a while.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::{
    http::{Connection, find},
    xml::{self, Session},
};

/// What is asked.
#[derive(Clone)]
pub(crate) struct Call {
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// Documents, asked in turn.
    pub(crate) documents: Vec<String>,
    /// What each reply must contain so many times: an empty list is quick, too.
    pub(crate) proof: (&'static str, usize),
    /// What the request says of compression.
    pub(crate) encoding: &'static str,
    /// Whether it needs a session: each connection has its own, and counts its calls.
    pub(crate) logged_in: bool,
}

/// What came of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// How many were answered.
    pub(crate) requests: usize,
    /// How many a second.
    pub(crate) rate: f64,
    /// Half were quicker, in seconds.
    pub(crate) p50: f64,
    /// 99 in 100 were quicker, in seconds.
    pub(crate) p99: f64,
}

/// Call numbers only grow, over all runs.
static CALLNUM: AtomicU64 = AtomicU64::new(1);

/// Checks one reply to each document.
pub(crate) async fn check(address: &str, call: &Call, sessions: &[Session]) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    for document in call.documents.iter().take(3) {
        let session = call.logged_in.then(|| (&sessions[0], CALLNUM.fetch_add(1, Ordering::Relaxed)));
        // a compressed reply cannot be looked into here
        let reply = connection.ask(&xml::request(address, session, "identity", document)).await?;
        let (word, times) = call.proof;
        let found = memchr::memmem::find_iter(reply, word).count();
        let start = String::from_utf8_lossy(&reply[..reply.len().min(2000)]).into_owned();
        ensure!(found == times, "{}: {found} times {word} instead of {times} in {start}", call.name);
        ensure!(find(reply, b"faultCode").is_none(), "{}: a fault: {start}", call.name);
    }
    Ok(())
}

/// One run.
pub(crate) async fn run(
    address: &str,
    call: &Call,
    sessions: &[Session],
    connections: usize,
    length: Duration,
) -> Result<Run> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let mut asking = JoinSet::new();
    for (number, connection) in open.into_iter().enumerate() {
        let session = if call.logged_in { Some(sessions[number].clone()) } else { None };
        let requests = if session.is_some() {
            Vec::new()
        } else {
            call.documents.iter().map(|text| xml::request(address, None, call.encoding, text)).collect()
        };
        let (call, address) = (call.clone(), address.to_owned());
        asking.spawn(async move {
            let one = One { connection, address, call, session, requests, next: number * 37 };
            one.ask_until(begun + length).await
        });
    }
    let mut times = Vec::new();
    while let Some(asked) = asking.join_next().await {
        times.extend(asked??);
    }
    let lasted = begun.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (quantile(&times, 0.5)?, quantile(&times, 0.99)?);
    Ok(Run { requests: times.len(), rate: times.len() as f64 / lasted, p50, p99 })
}

/// One connection.
struct One {
    connection: Connection,
    address: String,
    call: Call,
    session: Option<Session>,
    requests: Vec<Vec<u8>>,
    next: usize,
}

impl One {
    async fn ask_until(mut self, end: Instant) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        while Instant::now() < end {
            self.next += 1;
            let made;
            let request = match &self.session {
                None => &self.requests[self.next % self.requests.len()],
                Some(session) => {
                    let document = &self.call.documents[self.next % self.call.documents.len()];
                    let callnum = CALLNUM.fetch_add(1, Ordering::Relaxed);
                    made = xml::request(&self.address, Some((session, callnum)), self.call.encoding, document);
                    &made
                }
            };
            let asked = Instant::now();
            xml::no_fault(self.connection.ask(request).await?)?;
            times.push(asked.elapsed().as_secs_f64());
        }
        Ok(times)
    }
}

/// The value that a share of these, which are sorted, does not exceed.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Result<f64> {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().context("nothing was measured")
}
