//! Many connections that send what was signed for them.

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Connections at once; each sends its next request when the last one was answered.
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

    /// Sends all of them, or as many as time allows; every one must be answered with this status.
    pub(crate) fn send(
        &self,
        all: &[Signed],
        to: SocketAddr,
        status: u16,
        most: Duration,
    ) -> anyhow::Result<Run> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        let latencies = thread::scope(|scope| {
            let line = || {
                let next = || all.get(next.fetch_add(1, Ordering::Relaxed));
                self.send_one_by_one(next, to, status, began + most)
            };
            let lines: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(line)).collect();
            let ended =
                lines.into_iter().map(|line| line.join().unwrap_or_else(|_| bail!("a line panicked")));
            ended.collect::<anyhow::Result<Vec<_>>>()
        })?;
        let latencies = latencies.concat();
        Ok(Run { sent: latencies.len(), took: began.elapsed(), latencies })
    }

    fn send_one_by_one<'a>(
        &self,
        next: impl Fn() -> Option<&'a Signed>,
        to: SocketAddr,
        status: u16,
        until: Instant,
    ) -> anyhow::Result<Vec<Duration>> {
        let wanted = format!("HTTP/1.1 {status} ");
        let mut line = TcpStream::connect(to)?;
        line.set_nodelay(true)?;
        line.set_read_timeout(Some(PATIENCE))?;
        let mut latencies = Vec::new();
        while Instant::now() < until
            && let Some(signed) = next()
        {
            let request = self.request(signed, to);
            let began = Instant::now();
            line.write_all(request.as_bytes())?;
            let answer = read_answer(&mut line)?;
            latencies.push(began.elapsed());
            ensure!(answer.starts_with(&wanted), "a request was answered with {answer}");
        }
        Ok(latencies)
    }
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
