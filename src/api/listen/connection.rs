//! One connection: its first bytes, its calls, and how it ends.

use std::{
    convert::Infallible,
    error::Error as _,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{
    Io, Options,
    certificate::{Certified, UnixUser},
    eager::Eager,
    figures::Refused,
    permits::{Permit, Turn},
    preface::{self, Begun, Version},
    stream::Stream,
    unread::Unread,
    withhold::Withholding,
};
use crate::{api::call::Known, call::Peer};

/// How long a client of HTTP/1.1 may take for the head of a request, and may be idle before it.
const HEAD: Duration = Duration::from_secs(5);

/// The most that is read of a head of HTTP/1.1, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// The most that a head of HTTP/2 may be, in bytes.
const HEADER_LIST_BYTES: u32 = 16 << 10;

/// Calls that were cancelled before they were looked at, after which a connection is closed (CVE-2023-44487).
const PENDING_RESETS: usize = 20;

/// How much a client of HTTP/2 may send that is not read yet, in bytes, of all its calls; of one of them, half as much. It is in
/// no account.
const WINDOW: u32 = 2 << 20;

/// How many connections of a door have so much. Each that begins beside more has less, so that all together have little more.
const WIDE: u32 = 16;

/// What each has, so that a large message takes no more round trips than it has time for.
const LEAST_WINDOW: u32 = 128 << 10;

/// What each call has: its client may send as much before it hears of a window (RFC 9113 §6.9.2).
const LEAST_STREAM: u32 = (64 << 10) - 1;

/// How many times `server.keepalive_timeout` answers may wait for their client to read.
const UNREAD: u32 = 3;

/// A connection that may be served.
pub(super) struct Accepted {
    pub(super) stream: Stream,
    pub(super) peer: Option<Peer>,
    pub(super) permit: Permit,
    pub(super) options: Arc<Options>,
    pub(super) closing: CancellationToken,
}

/// What HTTP/1 and HTTP/2 have in common.
trait Connection: Future<Output = hyper::Result<()>> {
    /// Takes no more calls, and ends with those that it has.
    fn close(self: Pin<&mut Self>);
}

impl Accepted {
    /// Serves it to its end.
    pub(super) async fn serve<S, B>(self, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self { stream, peer, permit, options, closing } = self;
        let stream = match permit.turn {
            Turn::Now => stream,
            Turn::At(begins) | Turn::Never(begins) => tokio::select! {
                rested = stream.rest(begins) => match rested {
                    Ok(stream) => stream,
                    Err(error) => return tracing::debug!(%error, "a connection ended before its turn"),
                },
                () = closing.cancelled() => return,
            },
        };
        let stream = stream.boxed();
        let (stream, certificate) = match &options.tls {
            None => (stream, None),
            Some(tls) => {
                let shaken = tokio::select! {
                    biased;
                    shaken = tokio::time::timeout(options.connections.handshake_timeout, tls.accept(stream)) => shaken,
                    () = closing.cancelled() => return,
                };
                match shaken {
                    Ok(Ok((stream, certificate))) => (Box::new(stream) as Box<dyn Io>, certificate),
                    Ok(Err(error)) => {
                        if let Some(why) = Refused::of_handshake(&error) {
                            options.figures.count(why);
                        }
                        return tracing::debug!(%error, "a handshake of TLS failed");
                    }
                    Err(_) => {
                        options.figures.count(Refused::Silent);
                        return tracing::debug!("a handshake of TLS took too long");
                    }
                }
            }
        };
        let begun = tokio::select! {
            biased;
            begun = tokio::time::timeout(options.connections.handshake_timeout, preface::read(stream)) => begun,
            // Nothing was asked yet.
            () = closing.cancelled() => return,
        };
        let (version, stream) = match begun {
            Ok(Ok(Some(begun))) => begun,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => return tracing::debug!(%error, "a connection ended before it began"),
            Err(_) => {
                options.figures.count(Refused::Silent);
                return tracing::debug!("a connection was silent for too long");
            }
        };
        let user = match peer {
            Some(Peer::Unix { uid, .. }) => Some(UnixUser(uid)),
            Some(Peer::Tcp(_)) | None => None,
        };
        let unread = Arc::new(Unread::default());
        let service = Certified { service: Eager(service), certificate, user, unread: Arc::clone(&unread) };
        let withheld = (version == Version::Two).then(Arc::default);
        let service = Known { service, peer, withheld: withheld.clone() };
        // HTTP/1 has no other answers to write meanwhile, so its calls wait themselves.
        let stream = TokioIo::new(Withholding::new(stream, withheld.unwrap_or_default()));
        let broke = match version {
            Version::One => {
                let connection = http1().serve_connection(stream, service);
                until_its_end(connection, &unread, &options, &closing).await
            }
            Version::Two => {
                let connection = http2(&options).serve_connection(stream, service);
                until_its_end(connection, &unread, &options, &closing).await
            }
        };
        if broke {
            permit.offended();
        }
        drop(permit);
    }
}

/// What HTTP is spoken over.
type Spoken = TokioIo<Withholding<Begun<Box<dyn Io>>>>;

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    builder
}

fn http2(options: &Options) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let window = window(options.figures.open());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .initial_stream_window_size((window / 2).max(LEAST_STREAM))
        .initial_connection_window_size(window)
        .max_header_list_size(HEADER_LIST_BYTES)
        .keep_alive_interval(options.connections.keepalive_time)
        .keep_alive_timeout(options.connections.keepalive_timeout);
    builder
}

/// How much may come unread on a connection that begins while so many are open.
fn window(open: usize) -> u32 {
    let open = u32::try_from(open).unwrap_or(u32::MAX).max(WIDE);
    (WINDOW / open * WIDE).max(LEAST_WINDOW)
}

/// Lets a connection go on until it ends, the door closes, or it is too old. Gives whether its client broke the protocol.
async fn until_its_end(
    connection: impl Connection,
    unread: &Unread,
    options: &Options,
    closing: &CancellationToken,
) -> bool {
    let ages = tokio::time::sleep(about(options.connections.max_age));
    tokio::pin!(connection, ages);
    let result = tokio::select! {
        result = connection.as_mut() => Ok(result),
        () = closing.cancelled() => {
            connection.as_mut().close();
            // The door drops it at the end of the drain timeout.
            Ok(connection.await)
        }
        () = unread.stalls(options.connections.keepalive_timeout * UNREAD) => {
            options.figures.count(Refused::Unread);
            tracing::debug!("nobody reads the answers of a connection; dropping it");
            return false;
        }
        () = ages => {
            connection.as_mut().close();
            tokio::time::timeout(options.connections.age_grace, connection).await
        }
    };
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(%error, "a connection ended with an error");
            return is_offence(&error);
        }
        Err(_) => tracing::debug!("a connection that was too old still had calls; dropping it"),
    }
    false
}

/// Whether HTTP/2 was broken, or more of it came than is allowed: not where a client only left, or was slow.
fn is_offence(error: &hyper::Error) -> bool {
    let of_http2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    of_http2.is_some_and(h2::Error::is_library)
}

/// A tenth more or less, so that connections which began together don't end together.
fn about(age: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 2_001;
    #[allow(clippy::cast_precision_loss, reason = "at most 2,000")]
    age.mul_f64(0.9 + random as f64 / 10_000.0)
}

impl<S, B> Connection for http1::Connection<Spoken, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, B> Connection for http2::Connection<Spoken, S, TokioExecutor>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_shrink_with_the_number_of_connections() {
        assert_eq!([0, 1, 16].map(window), [WINDOW; 3]);
        assert!((300 << 10..350 << 10).contains(&window(100)), "{}", window(100));
        assert_eq!([1_000, 16_384, usize::MAX].map(window), [LEAST_WINDOW; 3]);
        let of = |connections: usize| (1..=connections).map(|open| u64::from(window(open))).sum::<u64>() >> 20;
        assert!(of(200) < 128 && of(4_096) < 640, "{} and {} MiB", of(200), of(4_096));
    }

    #[test]
    fn ages_differ_by_a_tenth_at_most() {
        let age = Duration::from_secs(1_000);
        let ages: Vec<_> = (0..200).map(|_| about(age)).collect();
        assert!(ages.iter().all(|age| (900..=1_100).contains(&age.as_secs())));
        assert!(ages.iter().any(|other| *other != ages[0]));
    }
}
