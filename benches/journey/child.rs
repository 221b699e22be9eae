//! A server as a process of its own: started, watched through `/proc`, ended with its handle.

use anyhow::{Context as _, bail, ensure};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A server that isn't ready by then never will be.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks at a server that starts.
const LOOK: Duration = Duration::from_millis(1);
/// Linux counts CPU time for user space in hundredths of a second, whatever the kernel's own tick.
const TICK: Duration = Duration::from_millis(10);

/// A running server; killed when dropped.
pub(crate) struct Child {
    process: process::Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first `200` of `/readyz`.
    pub(crate) ready_after: Duration,
}

impl Child {
    /// Starts a command that listens on this address, and waits until it is ready. Its log goes to a file.
    pub(crate) fn start(command: &mut Command, address: SocketAddr, log: &Path) -> anyhow::Result<Self> {
        // Calls to the twin must not take a detour.
        command.env("NO_PROXY", "127.0.0.1").env_remove("RUST_LOG");
        // As the unit and the image say it.
        command.env("MALLOC_ARENA_MAX", "2");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(log)?);
        let began = Instant::now();
        let process = command.spawn().context("starting a server")?;
        let mut child = Self { process, address, ready_after: Duration::ZERO };
        while !is_ready(address) {
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            if let Some(status) = child.process.try_wait()? {
                bail!("the server ended before it was ready ({status}): {}", said());
            }
            ensure!(began.elapsed() < READY_WITHIN, "the server doesn't get ready: {}", said());
            sleep(LOOK);
        }
        child.ready_after = began.elapsed();
        Ok(child)
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.proc("stat")?;
        // The command's name, in parentheses, may hold blanks; what follows are numbers.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has another shape")?;
        let ticks: u32 =
            fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u32>().ok()).sum();
        Ok(TICK * ticks)
    }

    /// From now on [`Child::memory`] tells the highest of what follows.
    pub(crate) fn forget_highest_memory(&self) -> std::io::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5")
    }

    /// Resident memory now and at its highest, in MiB.
    pub(crate) fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let status = self.proc("status")?;
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(f64::from(kib) / 1024.0)
        };
        mib("VmRSS:").zip(mib("VmHWM:")).context("/proc/PID/status doesn't tell the memory")
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id()))?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address of this machine that nobody listens on.
pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn is_ready(address: SocketAddr) -> bool {
    get(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The whole answer to a GET, head and body.
pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READY_WITHIN))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
