//! Bundles from a web server, by the protocol of OPA's bundle service: conditional requests and long polling.
//!
//! `docs/sources.md` has the options. What OPA sends and expects is in its documentation on bundles: `Prefer` with the
//! modes that are understood and the time to wait, and the media type that says that a server holds questions.

mod body;
mod credentials;
mod oauth2;
mod secret;
mod transport;

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH},
};

use self::credentials::Credentials;
pub(super) use self::{
    body::{Body, collect},
    credentials::{basic, bearer},
    secret::{Secret, bytes},
    transport::{Request, Transport, status},
};
use super::{
    Fault,
    retry::{Fetch, Fetched, Fetching, Known},
    spec::{Kind, Location, Spec},
};

/// The media type by which a server says that it holds questions.
const BUNDLES: &str = "application/vnd.openpolicyagent.bundles";
/// What such an answer is in any case: a page for people, or a message.
const PAGES: [&str; 7] = [
    "text/html",
    "application/xhtml+xml",
    "application/json",
    "application/problem+json",
    "application/xml",
    "text/xml",
    "multipart/form-data",
];
/// A longer ETag is not sent back.
const LONGEST_ETAG: usize = 1024;
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A web server.
pub(super) struct Http {
    url: Location,
    transport: Transport,
    credentials: Credentials,
    limit: u64,
    timeout: Duration,
    long_poll: Option<Duration>,
}

impl Http {
    pub(super) fn new(spec: &Spec) -> Self {
        Self {
            url: spec.url.clone(),
            transport: Transport::new(spec),
            credentials: Credentials::new(spec),
            limit: spec.limits.size.0,
            timeout: spec.limits.timeout.0,
            long_poll: spec.long_poll.map(|hold| hold.0),
        }
    }

    /// How long the server may hold this question.
    fn hold(&self, known: &Known) -> Option<Duration> {
        self.long_poll.filter(|_| !known.answers_at_once)
    }

    async fn ask(&self, known: Known) -> Result<Fetched, Fault> {
        let url = self.url.url().ok_or_else(|| Fault::Client("its URL is not valid".to_owned()))?;
        let hold = self.hold(&known);
        let mut request = Request { hold, ..Request::new(url) };
        request.public.insert(ACCEPT, HeaderValue::from_static("*/*"));
        // An archive is compressed as it is; what a transport unpacks could be of any size.
        request.public.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request.public.insert(PREFER, prefer(hold)?);
        let etag = known.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok());
        let conditional = etag.is_some();
        if let Some(etag) = etag {
            request.public.insert(IF_NONE_MATCH, etag);
        }
        let client = self.transport.client().await?;
        self.credentials.put(&mut request.private, &client, self.transport.idle).await?;
        let response = self.transport.get(&client, request).await?;
        let headers = response.headers().clone();
        match response.status() {
            StatusCode::OK => {
                expect_archive(&headers)?;
                let holds = self.long_poll.is_some() && media_type(&headers) == BUNDLES;
                let (bytes, digest) = collect(response, self.limit, self.transport.idle).await?;
                Ok(Fetched { archive: Some((bytes, digest)), etag: etag_of(&headers), holds })
            }
            StatusCode::NOT_MODIFIED if conditional => {
                let etag = etag_of(&headers).or(known.etag);
                Ok(Fetched { archive: None, etag, holds: hold.is_some() })
            }
            StatusCode::UNAUTHORIZED => {
                self.credentials.refused().await;
                Err(status(&response))
            }
            _ => Err(status(&response)),
        }
    }
}

impl Fetch for Http {
    fn kind(&self) -> Kind {
        Kind::Http
    }

    fn patience(&self, known: &Known) -> Duration {
        self.timeout + self.hold(known).unwrap_or_default()
    }

    fn fetch(&self, known: Known) -> Fetching<'_> {
        Box::pin(self.ask(known))
    }
}

/// The modes of OPA's bundle service, and how long the server may wait (RFC 7240 §4.3).
fn prefer(hold: Option<Duration>) -> Result<HeaderValue, Fault> {
    let value = match hold {
        Some(hold) => format!("modes=snapshot,delta;wait={}", hold.as_secs().max(1)),
        None => "modes=snapshot,delta".to_owned(),
    };
    HeaderValue::from_str(&value).map_err(|error| Fault::Client(error.to_string()))
}

fn expect_archive(headers: &HeaderMap) -> Result<(), Fault> {
    let kind = media_type(headers);
    if PAGES.contains(&kind.as_str()) { Err(Fault::ContentType(kind)) } else { Ok(()) }
}

/// The media type without its parameters; empty if there is none.
fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn etag_of(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get(ETAG)?.to_str().ok()?;
    (!etag.is_empty() && etag.len() <= LONGEST_ETAG).then(|| etag.to_owned())
}
