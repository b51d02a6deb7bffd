//! Finding a server's policy service.

use std::{path::Path, time::Duration};

use anyhow::{anyhow, bail};
use tonic::transport::{Channel, Endpoint};
use verdict::api::{
    grpc::proto::{ExpectedRevision, policy_service_client::PolicyServiceClient},
    place::{self, Place},
};

use crate::cli::duration;

/// Which server, and how long to wait.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct ServerArgs {
    /// The server's socket [default: `$XDG_RUNTIME_DIR/verdict/admin.sock` or `/run/verdict/admin.sock`]
    #[arg(long, value_name = "SOCKET", env = "VERDICT_ADMIN_ADDRESS")]
    server: Option<String>,
    /// The longest to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration::parse)]
    timeout: Duration,
}

/// What a command expects to be active: a sequence number or a digest.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Expect(pub(super) ExpectedRevision);

impl ServerArgs {
    /// Connects.
    pub(super) async fn client(&self) -> anyhow::Result<PolicyServiceClient<Channel>> {
        Ok(client(self.server.as_deref()).await?.1)
    }

    /// Connects, for another service of the same socket.
    pub(in crate::cli) async fn channel(&self) -> anyhow::Result<Channel> {
        Ok(channel(self.server.as_deref()).await?.1)
    }

    /// A request that waits so long.
    pub(in crate::cli) fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(self.timeout);
        request
    }
}

/// Connects to that socket, or to the first of the usual ones where a server answers; with the socket's name.
pub(super) async fn client(server: Option<&str>) -> anyhow::Result<(String, PolicyServiceClient<Channel>)> {
    let (socket, channel) = channel(server).await?;
    Ok((socket, PolicyServiceClient::new(channel).max_decoding_message_size(usize::MAX)))
}

async fn channel(server: Option<&str>) -> anyhow::Result<(String, Channel)> {
    let given = server.map(str::parse::<Place>).transpose()?;
    let sockets = match given {
        Some(Place::Unix(path)) => vec![path],
        Some(Place::Off) => bail!("the policy service is `off`; name its socket with --server"),
        Some(Place::Default) | None => place::candidates(std::env::var_os("XDG_RUNTIME_DIR").as_deref()),
    };
    let mut reasons = Vec::new();
    for socket in sockets {
        match connect(&socket).await {
            Ok(channel) => return Ok((format!("unix:{}", socket.display()), channel)),
            Err(error) => reasons.push(format!("\n  unix:{}: {error:#}", socket.display())),
        }
    }
    bail!(
        "can't reach a server's policy service; start one with `verdict serve`, or name its socket with --server{}",
        reasons.concat()
    )
}

async fn connect(socket: &Path) -> anyhow::Result<Channel> {
    // What the system says of a socket is clearer than what becomes of it in a transport.
    tokio::net::UnixStream::connect(socket).await?;
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))
        .map_err(|_| anyhow!("a path with spaces or the like can't be connected to"))?;
    Ok(endpoint.connect_timeout(Duration::from_secs(5)).connect().await?)
}

/// Reads `17` or `sha256:…`.
pub(in crate::cli) fn expect(text: &str) -> Result<Expect, String> {
    let expected = match text.parse() {
        Ok(0) => Err(()),
        Ok(sequence) => Ok(ExpectedRevision { sequence, ..ExpectedRevision::default() }),
        Err(_) if is_digest(text) => Ok(ExpectedRevision { digest: text.to_owned(), ..ExpectedRevision::default() }),
        Err(_) => Err(()),
    };
    expected.map(Expect).map_err(|()| "no revision; write its number, or its digest `sha256:…`".to_owned())
}

/// Whether a text is a digest.
pub(super) fn is_digest(text: &str) -> bool {
    text.parse::<verdict::decision::Digest>().is_ok()
}
