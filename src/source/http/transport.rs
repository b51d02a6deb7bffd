//! Requests over HTTP with the source's certificates and bounds; redirections are followed by us, so that nothing
//! secret goes where it does not belong.

use std::time::Duration;

use reqwest::{
    Certificate, Client, Identity, Response, StatusCode,
    header::{HeaderMap, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use tokio::{sync::Mutex, time::timeout};
use url::Url;

use super::secret::bytes;
use crate::source::{
    Fault,
    fault::chain,
    spec::{Spec, Tls, is_loopback, shown},
};

/// How many redirections in a row are followed.
const REDIRECTIONS: usize = 5;

/// A client whose certificates are those that are in their files now.
pub(in crate::source) struct Transport {
    tls: Tls,
    connect: Duration,
    pub(in crate::source) idle: Duration,
    plain_http: bool,
    last: Mutex<Option<(Vec<Vec<u8>>, Client)>>,
}

/// What is asked for.
pub(in crate::source) struct Request {
    pub(in crate::source) url: Url,
    /// Headers for whoever answers.
    pub(in crate::source) public: HeaderMap,
    /// Headers for the host of the URL alone.
    pub(in crate::source) private: HeaderMap,
    /// How long the server may take to answer, beyond what it may send nothing for anyway.
    pub(in crate::source) hold: Option<Duration>,
}

impl Request {
    /// A question for this, without headers.
    pub(in crate::source) fn new(url: Url) -> Self {
        Self { url, public: HeaderMap::new(), private: HeaderMap::new(), hold: None }
    }
}

impl Transport {
    pub(in crate::source) fn new(spec: &Spec) -> Self {
        Self {
            tls: spec.tls.clone(),
            connect: spec.limits.connect_timeout.0,
            idle: spec.limits.idle_timeout.0,
            plain_http: spec.plain_http,
            last: Mutex::new(None),
        }
    }

    /// The client; another one if a file of a certificate changed.
    pub(in crate::source) async fn client(&self) -> Result<Client, Fault> {
        let mut files = Vec::new();
        for path in [&self.tls.ca_file, &self.tls.cert_file, &self.tls.key_file] {
            files.push(match path {
                Some(path) => bytes(path).await?,
                None => Vec::new(),
            });
        }
        let mut last = self.last.lock().await;
        if let Some((_, client)) = last.as_ref().filter(|(of, _)| *of == files) {
            return Ok(client.clone());
        }
        let client = self.build(&files)?;
        *last = Some((files, client.clone()));
        Ok(client)
    }

    fn build(&self, files: &[Vec<u8>]) -> Result<Client, Fault> {
        let mut builder = Client::builder()
            .user_agent(concat!("verdict/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .connect_timeout(self.connect);
        let file = |path: &Option<std::path::PathBuf>, problem: &str| Fault::File {
            path: path.clone().unwrap_or_default(),
            problem: problem.to_owned(),
        };
        let content = |at: usize| files.get(at).map(Vec::as_slice).unwrap_or_default();
        if self.tls.ca_file.is_some() {
            let authorities = Certificate::from_pem_bundle(content(0)).ok().filter(|all| !all.is_empty());
            let authorities = authorities.ok_or_else(|| file(&self.tls.ca_file, "holds no certificate (PEM)"))?;
            builder = builder.tls_certs_only(authorities);
        }
        if self.tls.cert_file.is_some() {
            let pem = [content(1), b"\n", content(2)].concat();
            let problem = "is, with `key_file`, no certificate with its key (PEM)";
            builder = builder.identity(Identity::from_pem(&pem).map_err(|_| file(&self.tls.cert_file, problem))?);
        }
        builder.build().map_err(|error| Fault::Client(chain(&error)))
    }

    /// Asks, and follows redirections: never from https to http, and to other hosts without what is private.
    pub(in crate::source) async fn get(&self, client: &Client, request: Request) -> Result<Response, Fault> {
        let Request { url: first, public, private, hold } = request;
        let mut url = first.clone();
        // Once it has left the host, what comes back there comes from somebody else's word.
        let mut at_home = true;
        for _ in 0..=REDIRECTIONS {
            let mut asking = client.get(url.clone()).headers(public.clone());
            if at_home {
                asking = asking.headers(private.clone());
            }
            let patience = self.idle + hold.unwrap_or_default();
            let response = timeout(patience, asking.send())
                .await
                .map_err(|_| Fault::Idle(patience))?
                .map_err(|error| Fault::Unreachable(chain(&error.without_url())))?;
            if !is_redirection(response.status()) {
                return Ok(response);
            }
            url = self.follow(&url, &response)?;
            at_home = at_home && url.origin() == first.origin();
        }
        Err(Fault::Redirect(format!("more than {REDIRECTIONS} times; check the URL")))
    }

    fn follow(&self, from: &Url, response: &Response) -> Result<Url, Fault> {
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = target.ok_or_else(|| Fault::Redirect("without saying where to".to_owned()))?;
        let to = from.join(target).map_err(|_| Fault::Redirect("to what is no URL".to_owned()))?;
        let place = shown(to.as_str());
        if !matches!(to.scheme(), "http" | "https") {
            return Err(Fault::Redirect(format!("to `{place}`, which is not HTTP")));
        }
        if to.scheme() == "http" && from.scheme() == "https" {
            return Err(Fault::Redirect(format!("to `{place}`, which is not encrypted; it is not followed")));
        }
        if to.scheme() == "http" && !is_loopback(&to) && !self.plain_http {
            return Err(Fault::Redirect(format!("to `{place}`, which is not encrypted; it is not followed")));
        }
        if !to.username().is_empty() || to.password().is_some() {
            return Err(Fault::Redirect(format!("to `{place}`, with a user in the URL; it is not followed")));
        }
        Ok(to)
    }
}

/// What an answer with another status than the expected means.
pub(in crate::source) fn status(response: &Response) -> Fault {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Fault::Status { code: response.status().as_u16(), retry_after: seconds.map(Duration::from_secs) }
}

/// The redirections that a GET follows (RFC 9110 §15.4).
fn is_redirection(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
