//! `countersign healthcheck`: asks a server on this machine whether it is ready. For containers without `curl`.

use super::{Outcome, Trouble, say};
use crate::config;
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use url::Url;

/// For each step: connecting, asking, reading.
const PATIENCE: Duration = Duration::from_secs(3);
/// The answer's first line is all that counts.
const ENOUGH: u64 = 1024;
const READY: &str = "/readyz";
/// Where a server listens whose configuration says nothing else.
const USUAL: &str = "http://127.0.0.1:8080/readyz";

#[derive(Args)]
pub(super) struct HealthcheckArgs {
    /// Ask here, by plain HTTP; without any of these options, port 8080 of this machine
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Ask where the server of this configuration listens, unless there is a --url
    #[arg(long = "config", value_name = "FILE", env = "COUNTERSIGN_CONFIG", hide_env_values = true)]
    file: Option<PathBuf>,
}

/// Asks without the HTTP client: that one would go through a configured proxy.
pub(super) fn run(args: &HealthcheckArgs) -> Outcome {
    let url = address(args)?;
    let status = ask(&url).with_context(|| url.to_string())?;
    if status == 200 {
        say("ready")?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(anyhow!("{url}: not ready, it answers {status}").into())
}

fn address(args: &HealthcheckArgs) -> Result<Url, Trouble> {
    let url = match (&args.url, &args.file) {
        (Some(url), _) => url.clone(),
        (None, Some(file)) => {
            let listen = config::load_listen(file).map_err(Trouble::unusable)?;
            let at = SocketAddr::new(reachable(listen.ip()), listen.port());
            Url::parse(&format!("http://{at}{READY}")).map_err(Trouble::unusable)?
        }
        (None, None) => Url::parse(USUAL).map_err(Trouble::unusable)?,
    };
    if url.scheme() == "http" && url.host().is_some() {
        Ok(url)
    } else {
        Err(Trouble::unusable(anyhow!(
            "{url}: the server itself speaks plain HTTP; write http://HOST:PORT/readyz"
        )))
    }
}

/// Whoever listens everywhere can be reached at home.
fn reachable(listens: IpAddr) -> IpAddr {
    match listens {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => listens,
    }
}

/// The status of the answer.
fn ask(url: &Url) -> anyhow::Result<u16> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let mut stream = connect(host, port)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n", url.path())?;
    let mut answer = Vec::new();
    stream.take(ENOUGH).read_to_end(&mut answer).context("no answer in time")?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    status.context("what answers there doesn't speak HTTP")
}

fn connect(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let mut last = anyhow!("{host} has no address");
    // An IPv6 address stands in brackets in a URL.
    for address in (host.trim_matches(['[', ']']), port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.into(),
        }
    }
    Err(last.context("nobody answers"))
}
