//! `verdict healthcheck`: whether a server is well, for containers.

mod own;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use tokio_rustls::rustls::{ClientConnection, StreamOwned};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use verdict::{
    api::Address,
    config::{self, Flags},
};

use super::{
    client::{ServerArgs, describe},
    complain, exit,
};

/// The most that is read of an answer.
const MOST: u64 = 64 << 10;

/// Whether the server on this machine is well: exits with 0 if it is, with 1 if not
///
/// It reads the configuration as `serve` does, from the file and the variables, and asks the HTTP door, over TLS if the door
/// speaks it. What was said to `serve` by flags must be said here again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict healthcheck                               are questions welcome at 127.0.0.1:8181, or where VERDICT_HTTP_ADDRESS says
  verdict healthcheck --live                        does the process answer, whatever its policies
  verdict healthcheck --config /etc/verdict/verdict.yaml
  verdict healthcheck --http unix:/run/verdict/http.sock
  verdict healthcheck --config /etc/verdict/verdict.yaml --cert probe.crt --key probe.key
  verdict healthcheck --server localhost:9191 --ca ca.crt        gRPC health, over TLS

Exit codes: 0 it is well, 1 it is not, 64 wrong usage.")]
pub(super) struct Args {
    /// Read settings from this YAML or TOML file [env: `VERDICT_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the HTTP door here [default: `http.address` of the configuration]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Ask whether the process answers (/health/live), not whether questions are welcome
    #[arg(long, conflicts_with = "server")]
    live: bool,
    /// Ask `grpc.health.v1` of this server instead
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["config", "http"])]
    server: Option<String>,
    /// With --server: speak TLS, and trust the authorities of this file, in PEM
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// Show this certificate, in PEM, where TLS is spoken
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "http")]
    cert: Option<PathBuf>,
    /// The key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The most seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    timeout: f64,
}

pub(super) fn run(args: Args) -> ExitCode {
    let timeout = Duration::try_from_secs_f64(args.timeout)
        .ok()
        .filter(|timeout| !timeout.is_zero())
        .ok_or_else(|| anyhow!("--timeout {}: not a number of seconds above 0", args.timeout));
    // Whatever it is that keeps it from being asked, nobody knows it to be well.
    match timeout.and_then(|timeout| well(args, timeout)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(exit::NO)
        }
    }
}

fn well(args: Args, timeout: Duration) -> anyhow::Result<()> {
    let Args { config, http, live, server, ca, cert, key, timeout: seconds } = args;
    if let Some(server) = server {
        return grpc(&ServerArgs { server, ca, cert, key, tls: false, timeout: seconds, bearer_file: None }, timeout);
    }
    let (address, tls) = match http {
        Some(address) => (address.parse()?, None),
        None => configured(config, cert.as_deref().zip(key.as_deref()))?,
    };
    let path = if live { "/health/live" } else { "/health/ready" };
    let answer = match &address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&own(*address), timeout);
            let stream = stream.with_context(|| format!("nothing answers on `{address}`"))?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            ask(stream, tls, path)
        }
        Address::Unix(socket) => {
            let stream = UnixStream::connect(socket).with_context(|| format!("nothing answers on `{address}`"))?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            ask(stream, tls, path)
        }
    };
    let answer = answer.with_context(|| format!("no answer from `{address}`"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(status) => bail!("`{address}` answers {status} to {path}: {}", body.trim()),
        None => bail!("what `{address}` answers is not HTTP"),
    }
}

/// Where the HTTP door of this configuration is, and how it is spoken to if it speaks TLS.
fn configured(
    file: Option<PathBuf>,
    shown: Option<(&Path, &Path)>,
) -> anyhow::Result<(Address, Option<ClientConnection>)> {
    let config = config::load(&Flags { file, values: Vec::new() }, std::env::vars_os());
    let config = config.map_err(|faults| anyhow!("the configuration has faults\n{faults}"))?;
    let tls = &config.http.tls;
    if !tls.is_on() {
        return Ok((config.http.address, None));
    }
    if tls.knows_clients() && !tls.client_optional && shown.is_none() {
        bail!(
            "the HTTP door wants a certificate of each client: show one with --cert and --key, or set \
             `http.tls_client_optional`"
        );
    }
    Ok((config.http.address, Some(own::connection(shown)?)))
}

/// Where this machine reaches what listens at all of its addresses.
fn own(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(stream: impl Read + Write, tls: Option<ClientConnection>, path: &str) -> std::io::Result<String> {
    match tls {
        None => get(stream, path),
        Some(tls) => get(StreamOwned::new(tls, stream), path),
    }
}

fn get(mut stream: impl Read + Write, path: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn grpc(server: &ServerArgs, timeout: Duration) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = async {
        let mut client = HealthClient::new(server.connect().await?);
        let answer = client.check(HealthCheckRequest::default()).await.map_err(|status| anyhow!(describe(&status)))?;
        match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            status => bail!("`{}` is {}", server.server, status.as_str_name()),
        }
    };
    runtime.block_on(async {
        tokio::time::timeout(timeout, asked).await.map_err(|_| anyhow!("no answer from `{}`", server.server))?
    })
}
