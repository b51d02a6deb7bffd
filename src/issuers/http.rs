//! Asks an issuer over HTTP: bounded in size and time, never redirected, and only where the configuration says.

use std::{path::PathBuf, time::Duration};

use reqwest::{
    Certificate, Client, RequestBuilder,
    header::{ACCEPT, CACHE_CONTROL},
    redirect::Policy,
};
use tokio::{sync::OnceCell, time::timeout};
use url::{Host, Url};

use super::fault::Fault;

/// How issuers are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The longest that an answer may take, to its last byte.
    pub timeout: Duration,
    /// The authorities (PEM) that sign the issuer's certificate, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether an address of this machine may be asked without TLS.
    pub plain_http: bool,
}

impl Default for Transport {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), ca_file: None, plain_http: false }
    }
}

impl Transport {
    /// What is wrong with a URL that is to be asked; nothing, if it may be.
    pub fn refuses(&self, url: &Url) -> Option<&'static str> {
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => return Some("names no server"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Some("has a user or a password in it");
        }
        match url.scheme() {
            "https" => None,
            "http" if is_loopback && self.plain_http => None,
            "http" => Some("is not encrypted"),
            _ => Some("is no URL of a server"),
        }
    }
}

/// A client of one issuer.
#[derive(Debug)]
pub(super) struct Http {
    transport: Transport,
    client: OnceCell<Client>,
}

/// What came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// For how long it is good (RFC 9111 §5.2.2.1).
    pub(super) max_age: Option<Duration>,
}

impl Http {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, client: OnceCell::new() }
    }

    /// Asks `url` by what `request` makes, for at most `limit` bytes.
    pub(super) async fn ask(
        &self,
        url: &Url,
        limit: usize,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Answer, Fault> {
        if let Some(why) = self.transport.refuses(url) {
            return Err(Fault::Refused(why));
        }
        let client = self.client.get_or_try_init(|| self.build()).await?;
        let request = request(client).header(ACCEPT, "application/json");
        timeout(self.transport.timeout, answer(request, limit))
            .await
            .map_err(|_| Fault::Late(self.transport.timeout))?
    }

    async fn build(&self) -> Result<Client, Fault> {
        let mut builder = Client::builder()
            .user_agent(concat!("verdict/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.transport.timeout);
        if self.transport.plain_http {
            // What is allowed is to ask this machine without TLS, not a proxy elsewhere.
            builder = builder.no_proxy();
        }
        if let Some(path) = &self.transport.ca_file {
            let problem = |problem: String| Fault::File { path: path.display().to_string(), problem };
            let pem = tokio::fs::read(path).await.map_err(|error| problem(format!("cannot be read: {error}")))?;
            let authorities = Certificate::from_pem_bundle(&pem).ok().filter(|all| !all.is_empty());
            let authorities = authorities.ok_or_else(|| problem("holds no certificate (PEM)".to_owned()))?;
            builder = builder.tls_certs_only(authorities);
        }
        builder.build().map_err(|error| Fault::Unreachable(chain(&error)))
    }
}

async fn answer(request: RequestBuilder, limit: usize) -> Result<Answer, Fault> {
    let unreachable = |error: reqwest::Error| Fault::Unreachable(chain(&error.without_url()));
    let mut response = request.send().await.map_err(unreachable)?;
    if response.status().as_u16() != 200 {
        return Err(Fault::Status(response.status().as_u16()));
    }
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(Fault::TooLarge(limit));
    }
    let max_age = response.headers().get(CACHE_CONTROL).and_then(|value| max_age(value.to_str().ok()?));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > limit {
            return Err(Fault::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { body, max_age })
}

fn max_age(text: &str) -> Option<Duration> {
    let directive = |part: &str| {
        let (name, value) = part.trim().split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok()).flatten()
    };
    text.split(',').find_map(directive).map(Duration::from_secs)
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.extend([": ", &cause.to_string()]);
        next = cause.source();
    }
    text
}
