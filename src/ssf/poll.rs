//! Fetches tokens (RFC 8936): what is durable is acknowledged with the next request, what is refused is reported with it.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path, time::Duration};

use reqwest::{
    Certificate, Client,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use serde::{Deserialize, Serialize};

use super::{
    config::Poll,
    fault::Fault,
    receiver::{OpenError, Receiver},
};

/// The longest that a transmitter may hold a request (long polling, RFC 8936 §2.4.1) or be silent.
const PATIENCE: Duration = Duration::from_secs(90);

/// The largest answer, in bytes.
const LARGEST: usize = 8 << 20;

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The most bytes of our token.
const LARGEST_TOKEN: u64 = 64 << 10;

/// A request (RFC 8936 §2.2).
#[derive(Default, Serialize)]
struct Request {
    #[serde(rename = "maxEvents")]
    max_events: u32,
    #[serde(rename = "returnImmediately")]
    return_immediately: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ack: Vec<String>,
    #[serde(rename = "setErrs", skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, Refusal>,
}

/// Why a token is refused (§2.6).
#[derive(Serialize)]
struct Refusal {
    err: &'static str,
    description: String,
}

/// An answer (§2.3).
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    sets: BTreeMap<String, String>,
    #[serde(rename = "moreAvailable", default)]
    more: bool,
}

/// Fetches one transmitter's tokens.
struct Poller {
    receiver: Receiver,
    name: String,
    settings: Poll,
    client: Client,
    /// To be said with the next request.
    ack: Vec<String>,
    errors: BTreeMap<String, Refusal>,
}

impl Receiver {
    /// What fetches tokens: a task for each transmitter that is polled, without an end.
    pub fn work(&self) -> Result<Vec<impl Future<Output = ()> + Send + 'static>, OpenError> {
        let mut work = Vec::new();
        for (name, settings) in self.polled_ones() {
            let client = client(settings).map_err(|what| OpenError::new(name, format!("poll.{what}")))?;
            let poller = Poller {
                receiver: self.clone(),
                name: name.to_owned(),
                settings: settings.clone(),
                client,
                ack: Vec::new(),
                errors: BTreeMap::new(),
            };
            work.push(poller.run());
        }
        Ok(work)
    }
}

impl Poller {
    async fn run(mut self) {
        let mut failures: u32 = 0;
        loop {
            let pause = match self.once().await {
                Ok(more) => {
                    failures = 0;
                    if more || !self.ack.is_empty() || !self.errors.is_empty() {
                        Duration::ZERO
                    } else {
                        self.settings.interval
                    }
                }
                Err(why) => {
                    tracing::warn!(transmitter = self.name, "the transmitter can't be polled: {why}");
                    failures = failures.saturating_add(1);
                    let factor = 1u32.checked_shl(failures.min(10)).unwrap_or(u32::MAX);
                    self.settings.interval.max(Duration::from_millis(500)).saturating_mul(factor).min(LONGEST_PAUSE)
                }
            };
            if pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Asks once, and takes what comes. Whether there is more.
    async fn once(&mut self) -> Result<bool, String> {
        let request = Request {
            max_events: self.settings.max_events,
            // What is acknowledged is told without waiting for something new.
            return_immediately: true,
            ack: self.ack.clone(),
            errors: std::mem::take(&mut self.errors),
        };
        let sent = self.send(&request).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(why) => {
                self.errors = request.errors;
                return Err(why);
            }
        };
        self.receiver.answered(&self.name);
        // The transmitter has heard of these.
        self.ack.clear();
        let mut later = None;
        for (jti, text) in answer.sets {
            match self.receiver.polled(&self.name, &text).await {
                Ok(_) => self.ack.push(jti),
                Err(Fault::Refused(error, why)) => {
                    drop(self.errors.insert(jti, Refusal { err: error.name(), description: why }));
                }
                // Neither: it comes again.
                Err(Fault::NotNow(refused)) => later = Some(refused),
            }
        }
        match later {
            Some(why) => Err(why),
            None => Ok(answer.more),
        }
    }

    async fn send(&self, request: &Request) -> Result<Answer, String> {
        let body = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        let mut post = self
            .client
            .post(&self.settings.url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body);
        if let Some(path) = &self.settings.token_file {
            post = post.header(AUTHORIZATION, authorization(path)?);
        }
        let mut response = post.send().await.map_err(|error| chain(&error.without_url()))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("it answers {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error.without_url()))? {
            if body.len() + chunk.len() > LARGEST {
                return Err("its answer is larger than 8MiB".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| "its answer is not what RFC 8936 says".to_owned())
    }
}

fn client(settings: &Poll) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(concat!("verdict/", env!("CARGO_PKG_VERSION")))
        // A token goes where it was configured to go.
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(10));
    if settings.url.starts_with("http:") {
        // What is allowed is to ask this machine without TLS, not a proxy elsewhere.
        builder = builder.no_proxy();
    }
    if let Some(path) = &settings.ca_file {
        let failed = |problem: &str| format!("ca_file: `{}` {problem}", path.display());
        let pem = fs::read(path).map_err(|error| failed(&format!("cannot be read: {error}")))?;
        let authorities = Certificate::from_pem_bundle(&pem).ok().filter(|all| !all.is_empty());
        builder = builder.tls_certs_only(authorities.ok_or_else(|| failed("holds no certificate (PEM)"))?);
    }
    builder.build().map_err(|error| format!("url: {}", chain(&error)))
}

/// The token of now, as a header that is not shown.
fn authorization(path: &Path) -> Result<HeaderValue, String> {
    let failed = |problem: &str| format!("token_file: `{}` {problem}", path.display());
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(LARGEST_TOKEN).read_to_string(&mut text));
    read.map_err(|error| failed(&format!("cannot be read: {error}")))?;
    let value = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
    let mut value = value.map_err(|_| failed("has more than one line"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
