//! Many connections that send what was signed for them.

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Connections at once, where nothing else is said.
pub(crate) const CONNECTIONS: usize = 32;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent. Every number makes a request that differs from all others.
pub(crate) trait Kind: Sync {
    /// Where it goes.
    fn path(&self) -> &'static str;

    /// The body of this number, the same whenever it is asked for.
    fn body(&self, number: u64) -> String;

    /// Header lines that prove this number's body, sent at this second; each ends with CRLF.
    fn proof(&self, number: u64, at: i64, body: &str) -> anyhow::Result<String>;
}

/// Requests of one kind, none of them sent twice.
pub(crate) struct Load {
    kind: Box<dyn Kind>,
    sent: u64,
}

/// A request with its proof; the body is put together again when it is sent.
pub(crate) struct Signed {
    number: u64,
    proof: String,
}

/// How requests are sent, and what each is answered with.
#[derive(Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) status: u16,
    /// At once; each sends its next request when the last one was answered.
    pub(crate) connections: usize,
    /// Requests per second, of all connections together, each sent when its time has come and timed from then on;
    /// one after the other if there is none.
    pub(crate) pace: Option<f64>,
    /// The run's end, whatever is left.
    pub(crate) most: Duration,
}

/// How a run went.
pub(crate) struct Run {
    pub(crate) sent: usize,
    pub(crate) took: Duration,
    /// From the first byte sent to the last byte of the answer, in no order.
    pub(crate) latencies: Vec<Duration>,
}

impl Run {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.sent).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

impl Load {
    pub(crate) fn new(kind: impl Kind + 'static) -> Self {
        Self { kind: Box::new(kind), sent: 0 }
    }

    /// The next requests, signed now: they have to arrive within five minutes.
    pub(crate) fn sign(&mut self, count: usize, now: Timestamp) -> anyhow::Result<Vec<Signed>> {
        let mut signed = Vec::with_capacity(count);
        for _ in 0..count {
            let number = self.sent;
            let proof = self.kind.proof(number, now.as_second(), &self.kind.body(number))?;
            signed.push(Signed { number, proof });
            self.sent += 1;
        }
        Ok(signed)
    }

    fn request(&self, signed: &Signed, to: SocketAddr) -> String {
        let (path, body) = (self.kind.path(), self.kind.body(signed.number));
        let (proof, length) = (&signed.proof, body.len());
        format!("POST {path} HTTP/1.1\r\nhost: {to}\r\n{proof}content-length: {length}\r\n\r\n{body}")
    }

    /// Sends all of them, or as many as time allows; every one must be answered with the status.
    pub(crate) fn send(&self, all: &[Signed], to: SocketAddr, how: Sending) -> anyhow::Result<Run> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        let latencies = thread::scope(|scope| {
            let line = || {
                let next = || {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    all.get(position).map(|signed| (position, signed))
                };
                self.send_one_by_one(next, to, (began, how))
            };
            let lines: Vec<_> = (0..how.connections).map(|_| scope.spawn(line)).collect();
            let ended =
                lines.into_iter().map(|line| line.join().unwrap_or_else(|_| bail!("a line panicked")));
            ended.collect::<anyhow::Result<Vec<_>>>()
        })?;
        let latencies = latencies.concat();
        Ok(Run { sent: latencies.len(), took: began.elapsed(), latencies })
    }

    fn send_one_by_one<'a>(
        &self,
        next: impl Fn() -> Option<(usize, &'a Signed)>,
        to: SocketAddr,
        (start, how): (Instant, Sending),
    ) -> anyhow::Result<Vec<Duration>> {
        let wanted = format!("HTTP/1.1 {} ", how.status);
        let mut line = TcpStream::connect(to)?;
        line.set_nodelay(true)?;
        line.set_read_timeout(Some(PATIENCE))?;
        let mut latencies = Vec::new();
        while start.elapsed() < how.most
            && let Some((position, signed)) = next()
        {
            let request = self.request(signed, to);
            let began = match how.pace {
                None => Instant::now(),
                Some(pace) => until_due(start, position, pace)?,
            };
            line.write_all(request.as_bytes())?;
            let answer = read_answer(&mut line)?;
            latencies.push(began.elapsed());
            ensure!(answer.starts_with(&wanted), "a request was answered with {answer}");
        }
        Ok(latencies)
    }
}

/// Returns when the request of this position is due, and says when that was: who is late is timed as if they weren't.
fn until_due(start: Instant, position: usize, pace: f64) -> anyhow::Result<Instant> {
    let due = start + Duration::from_secs_f64(f64::from(u32::try_from(position)?) / pace);
    thread::sleep(due.saturating_duration_since(Instant::now()));
    Ok(due)
}

/// Head and body of one answer; the next one stands behind it.
fn read_answer(line: &mut TcpStream) -> anyhow::Result<String> {
    let mut answer = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let read = line.read(&mut piece)?;
        ensure!(read > 0, "the server hung up");
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        let text = std::str::from_utf8(&answer)?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.context("an answer without a length")?.parse()? {
            return Ok(text.to_owned());
        }
    }
}
