//! A connection to a running server.

use std::{fmt::Write as _, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;
use verdict::{api::Address, client::Tls, policy::printable};

/// Which server to ask.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The server: `127.0.0.1:9191`, `pdp.internal:9191` or `unix:/run/verdict.sock`
    #[arg(long, value_name = "ADDR", env = "VERDICT_SERVER", default_value = "127.0.0.1:9191")]
    pub(super) server: String,
    /// Speak TLS, and trust the authorities of this file, in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Speak TLS, and show this certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// The key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// Speak TLS, and trust the authorities of the system unless `--ca` names others
    #[arg(long)]
    pub(super) tls: bool,
    /// Show the key or the token that this file has (`Authorization: Bearer`)
    #[arg(long, value_name = "FILE")]
    pub(super) bearer_file: Option<PathBuf>,
    /// The most seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub(super) timeout: f64,
}

impl ServerArgs {
    /// How long to wait.
    pub(super) fn patience(&self) -> anyhow::Result<Duration> {
        Duration::try_from_secs_f64(self.timeout).map_err(|error| anyhow!("--timeout {}: {error}", self.timeout))
    }

    /// Connects.
    pub(super) async fn connect(&self) -> anyhow::Result<Channel> {
        let server = &self.server;
        let unreached = || {
            format!("can't reach a server at `{server}`; start one with `verdict serve`, or name another with --server")
        };
        if let Some(tls) = self.tls()? {
            if matches!(server.parse(), Ok(Address::Unix(_))) {
                return Err(anyhow!("`{server}` is a unix socket, where no TLS is spoken; name a host and a port"));
            }
            let patience = self.patience()?;
            let channel = tls.lazy(server, |endpoint| endpoint.connect_timeout(patience).tcp_nodelay(true));
            return channel.with_context(|| format!("`{server}` is no server; write it like `pdp.internal:9191`"));
        }
        let uri = match server.parse() {
            Ok(Address::Unix(path)) => format!("unix://{}", path.display()),
            // A name is for the resolver; `http` is plain text.
            Ok(Address::Tcp(_)) | Err(_) => format!("http://{server}"),
        };
        let endpoint = Endpoint::from_shared(uri).map_err(|_| {
            anyhow!("`{server}` is no server; write it like `127.0.0.1:9191` or `unix:/run/verdict.sock`")
        })?;
        let endpoint = endpoint.connect_timeout(self.patience()?).tcp_nodelay(true);
        endpoint.connect().await.with_context(unreached)
    }

    /// Has the request show what proves the caller, if that is given.
    pub(super) fn show<T>(&self, request: &mut tonic::Request<T>) -> anyhow::Result<()> {
        let Some(path) = &self.bearer_file else { return Ok(()) };
        let text = fs::read_to_string(path).with_context(|| format!("can't read `{}`", path.display()))?;
        let header = format!("Bearer {}", text.trim()).parse();
        let mut header: tonic::metadata::MetadataValue<_> =
            header.map_err(|_| anyhow!("`{}` has no key and no token", path.display()))?;
        header.set_sensitive(true);
        request.metadata_mut().insert("authorization", header);
        Ok(())
    }

    /// How TLS is spoken, if it is.
    fn tls(&self) -> anyhow::Result<Option<Tls>> {
        if !self.tls && self.ca.is_none() && self.cert.is_none() {
            return Ok(None);
        }
        let read = |path: &PathBuf| fs::read(path).with_context(|| format!("can't read `{}`", path.display()));
        let ca = self.ca.as_ref().map(read).transpose()?;
        let identity = self.cert.as_ref().zip(self.key.as_ref());
        let identity = identity.map(|(cert, key)| anyhow::Ok((read(cert)?, read(key)?))).transpose()?;
        let identity = identity.as_ref().map(|(cert, key)| (cert.as_slice(), key.as_slice()));
        Ok(Some(Tls::new(ca.as_deref(), identity)?))
    }
}

/// A gRPC error for people: what it says, its reason code, each violated field.
pub(super) fn describe(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| format!(" ({})", info.reason)).unwrap_or_default();
    let what = match status.code() {
        Code::FailedPrecondition | Code::Aborted | Code::NotFound | Code::InvalidArgument => "the server refused",
        _ => "the server could not be asked",
    };
    let mut text = format!("{what}: {}{reason}", status.message());
    if status.message().is_empty() {
        text = format!("{what}: {:?}{reason}", status.code());
    }
    for violation in details.bad_request().into_iter().flat_map(|request| &request.field_violations) {
        let _ = write!(text, "\n  {}: {}", violation.field, violation.description);
    }
    printable(&text).into_owned()
}
