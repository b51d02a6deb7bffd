//! A connection to a running server.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, anyhow};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;
use verdict::{api::Address, policy::printable};

/// Which server to ask.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The server: `127.0.0.1:9191`, `pdp.internal:9191` or `unix:/run/verdict.sock`
    #[arg(long, value_name = "ADDR", env = "VERDICT_SERVER", default_value = "127.0.0.1:9191")]
    pub(super) server: String,
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
        let uri = match server.parse() {
            Ok(Address::Unix(path)) => format!("unix://{}", path.display()),
            // A name is for the resolver; `http` is plain text, the only transport yet.
            Ok(Address::Tcp(_)) | Err(_) => format!("http://{server}"),
        };
        let endpoint = Endpoint::from_shared(uri).map_err(|_| {
            anyhow!("`{server}` is no server; write it like `127.0.0.1:9191` or `unix:/run/verdict.sock`")
        })?;
        let endpoint = endpoint.connect_timeout(self.patience()?).tcp_nodelay(true);
        endpoint.connect().await.with_context(|| {
            format!("can't reach a server at `{server}`; start one with `verdict serve`, or name another with --server")
        })
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
