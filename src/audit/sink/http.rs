//! A server that takes OPA's decision logs: chunks of a JSON array, compressed by gzip (OPA's documentation on its
//! management API, "Decision log service").

use std::{
    error::Error, fs, io::Write as _, path::PathBuf, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use reqwest::{
    Certificate, Client, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use tokio::runtime::Runtime;

use super::{Context, Failure, Sink};
use crate::{
    audit::{
        figures::Cause,
        lines::Lines,
        traces::{self, Traces},
    },
    call::SpanName,
};

pub(super) struct Settings {
    pub(super) url: String,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) chunk_bytes: usize,
    pub(super) delay: Duration,
    pub(super) timeout: Duration,
}

pub(super) struct Http {
    settings: Settings,
    runtime: Runtime,
    client: Client,
    traces: Arc<dyn Traces>,
    /// How many bytes come to one compressed byte, as it was lately.
    ratio: usize,
}

/// The longest that a server can have us wait.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How much better compression can be than it is guessed.
const BEST_RATIO: usize = 32;

/// The most bytes of a token.
const LARGEST_TOKEN: u64 = 64 << 10;

/// What a server said to a chunk.
enum Said {
    Taken,
    /// It is too large.
    Smaller,
    /// Something in it is wrong.
    Wrong(StatusCode),
    Again(Failure),
}

impl Http {
    pub(super) fn open(settings: Settings, traces: Arc<dyn Traces>) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let mut builder = Client::builder()
            .user_agent(concat!("verdict/", env!("CARGO_PKG_VERSION")))
            // A token goes where it was configured to go.
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout);
        if let Some(path) = &settings.ca_file {
            let failed = |problem: &str| format!("ca_file: `{}` {problem}", path.display());
            let pem = fs::read(path).map_err(|error| failed(&format!("cannot be read: {error}")))?;
            let authorities = Certificate::from_pem_bundle(&pem).ok().filter(|all| !all.is_empty());
            builder = builder.tls_certs_only(authorities.ok_or_else(|| failed("holds no certificate (PEM)"))?);
        }
        let client = builder.build().map_err(|error| chain(&error))?;
        Ok(Self { settings, runtime, client, traces, ratio: 4 })
    }

    /// The token of now, as a header that is not shown.
    fn authorization(&self) -> Result<Option<HeaderValue>, Failure> {
        use std::io::Read as _;
        let Some(path) = &self.settings.token_file else { return Ok(None) };
        let failed = |problem: &str| Failure::new(format!("token_file: `{}` {problem}", path.display()));
        let mut text = String::new();
        let read = fs::File::open(path).and_then(|file| file.take(LARGEST_TOKEN).read_to_string(&mut text));
        read.map_err(|error| failed(&format!("cannot be read: {error}")))?;
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", text.trim())).map_err(|_| failed("has more than one line"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn send(&self, body: Vec<u8>, sink: &str, spans: &[SpanName]) -> Said {
        let authorization = match self.authorization() {
            Ok(authorization) => authorization,
            Err(failure) => return Said::Again(failure),
        };
        let mut request = self
            .client
            .post(&self.settings.url)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, "gzip")
            .body(body);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let delivery = self.traces.delivery(sink, spans);
        for (name, value) in delivery.iter().flat_map(|delivery| delivery.headers()) {
            request = request.header(name, value);
        }
        // What the server says beyond its status is not read.
        let answer = self.runtime.block_on(request.send());
        if let Some(delivery) = delivery {
            delivery.end(answer.as_ref().is_ok_and(|answer| answer.status().is_success()));
        }
        match answer {
            Ok(response) => said(&response),
            Err(error) => {
                Said::Again(Failure::new(format!("the server can't be asked: {}", chain(&error.without_url()))))
            }
        }
    }
}

impl Sink for Http {
    fn deliver(&mut self, records: &mut Lines, context: &Context<'_>) -> Result<(), Failure> {
        let most = self.settings.chunk_bytes;
        // How many the server lets pass at once, once it has refused more.
        let mut at_most = usize::MAX;
        while !records.is_empty() {
            let mut count = super::fitting(records, most.saturating_mul(self.ratio)).min(at_most);
            let body = loop {
                let (body, bytes) = packed(records, count);
                if body.len() <= most {
                    self.ratio = (bytes / body.len().max(1)).clamp(1, BEST_RATIO);
                    break Some(body);
                }
                if count == 1 {
                    break None;
                }
                count = (count / 2).max(1);
            };
            let said = body.map_or(Said::Smaller, |body| self.send(body, context.sink, &traces::spans(records, count)));
            match said {
                Said::Taken => {
                    records.remove(count);
                    context.counts.delivered.fetch_add(count as u64, Relaxed);
                    at_most = at_most.saturating_mul(2);
                }
                Said::Again(failure) => return Err(failure),
                Said::Smaller | Said::Wrong(_) if count > 1 => at_most = count / 2,
                Said::Smaller => {
                    records.remove(1);
                    context.counts.lose(Cause::TooLarge, 1);
                    tracing::error!(sink = context.sink, "a record alone is larger than a chunk may be; it is lost");
                }
                Said::Wrong(status) => {
                    records.remove(1);
                    context.counts.lose(Cause::Rejected, 1);
                    if context.counts.worth_saying("rejected") {
                        tracing::error!(sink = context.sink, %status, "the server refuses records; they are lost");
                    }
                }
            }
        }
        Ok(())
    }

    fn makes_chunks(&self) -> bool {
        true
    }

    fn linger(&self) -> Duration {
        self.settings.delay
    }
}

/// The first records as a chunk, and how many bytes they had before.
fn packed(records: &Lines, count: usize) -> (Vec<u8>, usize) {
    let mut array = Vec::new();
    for (number, record) in records.iter().take(count).enumerate() {
        array.push(if number == 0 { b'[' } else { b',' });
        array.extend_from_slice(record.line);
    }
    array.push(b']');
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // A Vec takes everything.
    let _ = encoder.write_all(&array);
    (encoder.finish().unwrap_or_default(), array.len())
}

fn said(response: &Response) -> Said {
    let status = response.status();
    match status {
        _ if status.is_success() => Said::Taken,
        StatusCode::PAYLOAD_TOO_LARGE => Said::Smaller,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Said::Wrong(status),
        // The others change: a token that is late, a path that is not there yet, too much at once.
        _ => Said::Again(Failure {
            cause: format!("the server answers {status}"),
            after: retry_after(response).map(|after| after.min(LONGEST_PAUSE)),
        }),
    }
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); a date depends on two clocks.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// An error with what caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}
