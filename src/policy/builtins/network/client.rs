//! One exchange over HTTP/1.1, and the redirects after it: resolve, check, connect to what was checked.
//!
//! Nothing of the process goes along: no proxy, no credential, no cookie, no connection of an earlier request.

mod tls;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, StatusCode,
    body::{Body, Incoming},
    client::conn::http1,
    ext::ReasonPhrase,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use url::{Host, Url};

use super::{
    super::Failure,
    address::is_guarded,
    request::{Request, Tls},
    settings::NetworkSettings,
};

/// The most redirects of a request.
const MAX_REDIRECTS: usize = 10;
/// The largest head of a response.
const MAX_HEAD: usize = 64 << 10;

/// Gives the addresses of a name. It blocks.
pub(super) type Resolve = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// A response, read whole.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) reason: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What of a request goes on the wire.
#[derive(Clone)]
struct Message {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

/// A stream to a server.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn failed<T>(host: &str, cause: impl std::fmt::Display) -> Result<T, Failure> {
    Err(Failure::Operand(format!("request to `{host}` failed: {cause}")))
}

/// The host of a URL as the list has it, and its port.
pub(super) fn target(url: &Url) -> Result<(String, u16), Failure> {
    if !["http", "https"].contains(&url.scheme()) {
        return Err(Failure::Halt(format!("`{}` is not allowed: only http and https are", url.scheme())));
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().to_string(),
        None => return Err(Failure::Operand("the url has no host".to_owned())),
    };
    Ok((host, url.port_or_known_default().unwrap_or(80)))
}

/// Fails if a host is not in the list.
pub(super) fn check(settings: &NetworkSettings, host: &str, port: u16) -> Result<(), Failure> {
    if settings.allow.allows(host, port) {
        return Ok(());
    }
    Err(Failure::Halt(format!("the host `{host}` (port {port}) is not in `network.allow`")))
}

/// Sends a request, and follows where it leads.
pub(super) async fn send(settings: &NetworkSettings, resolve: &Resolve, request: Request) -> Result<Response, Failure> {
    let Request { method, url, headers, body, follows, tls, .. } = request;
    let mut message = Message { method, url, headers, body: Bytes::from(body) };
    for _ in 0..=MAX_REDIRECTS {
        let response = exchange(settings, resolve, &tls, message.clone()).await?;
        let Some(next) = Some(&response).filter(|_| follows).and_then(|response| redirect(&message, response)) else {
            return Ok(response);
        };
        message = next;
    }
    failed(message.url.host_str().unwrap_or_default(), "too many redirects")
}

/// The message that a redirect asks for (RFC 9110 §15.4).
fn redirect(message: &Message, response: &Response) -> Option<Message> {
    let keeps = match response.status.as_u16() {
        301..=303 => false,
        307 | 308 => true,
        _ => return None,
    };
    let location = response.headers.get(header::LOCATION)?.to_str().ok()?;
    let mut next = Message { url: message.url.join(location).ok()?, ..message.clone() };
    if !keeps && message.method != Method::HEAD {
        next.method = Method::GET;
        next.body = Bytes::new();
        next.headers.remove(header::CONTENT_TYPE);
    }
    let origin = |url: &Url| url.origin();
    if origin(&next.url) != origin(&message.url) {
        // What was for one host is not for another.
        for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION, header::HOST] {
            next.headers.remove(name);
        }
    }
    Some(next)
}

async fn exchange(
    settings: &NetworkSettings,
    resolve: &Resolve,
    tls: &Tls,
    message: Message,
) -> Result<Response, Failure> {
    let (host, port) = target(&message.url)?;
    check(settings, &host, port)?;
    let named = named_host(settings, &message.headers, port)?;
    let tcp = connect(settings, resolve, &host, port).await?;
    let stream: Box<dyn Stream> = if message.url.scheme() == "https" {
        let name = tls.name.clone().or(named).unwrap_or_else(|| host.clone());
        Box::new(tls::connect(tcp, &name, tls).await.or_else(|cause| failed(&host, cause))?)
    } else {
        Box::new(tcp)
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let (mut sender, connection) = match builder.handshake(TokioIo::new(stream)).await {
        Ok(parts) => parts,
        Err(error) => return failed(&host, error),
    };
    let request = wire(&message, &host)?;
    // Both in this task, so that dropping it ends the connection, too.
    let answer = async {
        let response = match sender.send_request(request).await {
            Ok(response) => response,
            Err(error) => return failed(&host, error),
        };
        read(settings, &host, response).await
    };
    tokio::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    loop {
        tokio::select! {
            result = &mut answer => return result,
            // A fault of the connection is told by the answer.
            _ = &mut connection, if open => open = false,
        }
    }
}

/// The host of a `Host` header, which must be in the list, as it decides who answers.
fn named_host(settings: &NetworkSettings, headers: &HeaderMap, port: u16) -> Result<Option<String>, Failure> {
    let invalid = || Failure::Operand("invalid Host header".to_owned());
    let Some(value) = headers.get(header::HOST) else { return Ok(None) };
    let text = value.to_str().map_err(|_| invalid())?;
    let url = Url::parse(&format!("http://{text}/")).map_err(|_| invalid())?;
    let (host, _) = target(&url)?;
    check(settings, &host, url.port().unwrap_or(port))?;
    Ok(Some(host))
}

async fn connect(settings: &NetworkSettings, resolve: &Resolve, host: &str, port: u16) -> Result<TcpStream, Failure> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => addresses(resolve, host.to_owned()).await?,
    };
    let mut last = None;
    for address in addresses.into_iter().map(|address| address.to_canonical()) {
        if is_guarded(address) && !settings.allow.names(host, address, port) {
            return Err(Failure::Halt(format!(
                "the host `{host}` is at {address}, which must be in `network.allow` by itself"
            )));
        }
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error.kind()),
        }
    }
    failed(host, last.map_or_else(|| "no address".to_owned(), |kind| kind.to_string()))
}

/// The addresses of a name.
pub(super) async fn addresses(resolve: &Resolve, host: String) -> Result<Vec<IpAddr>, Failure> {
    let (resolve, name) = (Arc::clone(resolve), host.clone());
    match tokio::task::spawn_blocking(move || resolve(&name)).await {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(_)) => failed(&host, "no such host"),
        Err(error) => failed(&host, error),
    }
}

fn wire(message: &Message, host: &str) -> Result<hyper::Request<Full>, Failure> {
    let url = &message.url;
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut request = hyper::Request::new(Full(Some(message.body.clone()).filter(|body| !body.is_empty())));
    *request.method_mut() = message.method.clone();
    *request.uri_mut() = path.parse().or_else(|_| failed(host, "invalid path"))?;
    *request.headers_mut() = message.headers.clone();
    let headers = request.headers_mut();
    // Framing and connections are ours.
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE, header::TE] {
        headers.remove(name);
    }
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let authority = HeaderValue::from_str(authority).or_else(|_| failed(host, "invalid host"))?;
    headers.entry(header::HOST).or_insert(authority);
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static("Verdict"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if !message.body.is_empty() || [Method::POST, Method::PUT, Method::PATCH].contains(&message.method) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(message.body.len()));
    }
    Ok(request)
}

async fn read(
    settings: &NetworkSettings,
    host: &str,
    response: hyper::Response<Incoming>,
) -> Result<Response, Failure> {
    let (head, mut incoming) = response.into_parts();
    let reason = head.extensions.get::<ReasonPhrase>().map(|reason| String::from_utf8_lossy(reason.as_bytes()));
    let reason = reason.map_or_else(|| head.status.canonical_reason().unwrap_or_default().to_owned(), Into::into);
    let mut body = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return failed(host, error),
        };
        let Ok(data) = frame.into_data() else { continue };
        if body.len() + data.len() > settings.max_response_bytes {
            let most = settings.max_response_bytes;
            return Err(Failure::Halt(format!(
                "the response of `{host}` has more than {most} bytes (`network.max_response_bytes`)"
            )));
        }
        body.extend(data);
    }
    Ok(Response { status: head.status, reason, headers: head.headers, body: Bytes::from(body) })
}

/// A body that is at hand.
struct Full(Option<Bytes>);

impl Body for Full {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
