//! What this server is and has: policy decision point metadata (§9).

use std::{fmt, str::FromStr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HOST, VARY},
    },
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use url::Url;

use super::{Door, fault, issuance};

/// Where metadata is found (§9.2), and where of a public URL with a path.
pub(super) const WELL_KNOWN: &str = "/.well-known/authzen-configuration";
pub(super) const WELL_KNOWN_BELOW: &str = "/.well-known/authzen-configuration/{*path}";

/// The longest `Host` that is read: a name of DNS and a port.
const MAX_HOST: usize = 255 + 6;

/// The policy decision point's identifier (§9.1.1): a URL without query, fragment and credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    path: String,
}

/// Why a text is no public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPublicUrl(&'static str);

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| InvalidPublicUrl("is no URL"))?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(InvalidPublicUrl("does not begin with `https://` (or `http://`) and a host"));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidPublicUrl("has a query, a fragment or credentials"));
        }
        // As it was written: clients compare it with what they know, letter by letter (§9.2.3).
        let text = text.trim_end_matches('/').to_owned();
        Ok(Self { text, path: url.path().trim_end_matches('/').to_owned() })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

pub(super) async fn configuration(State(door): State<Arc<Door>>, request: Request) -> Response {
    let below = request.uri().path().strip_prefix(WELL_KNOWN).unwrap_or_default();
    let (base, cache) = match &door.config.public_url {
        Some(url) if below.is_empty() || below == url.path => (url.text.clone(), "public, max-age=3600"),
        None if below.is_empty() => match host(&request) {
            // What a caller chose must not be kept for others.
            Some(host) => (format!("https://{host}"), "no-store"),
            None => return fault(StatusCode::BAD_REQUEST, "the `Host` is missing or none"),
        },
        _ => return fault(StatusCode::NOT_FOUND, "no policy decision point has this path"),
    };
    let endpoint = |path: &str| format!("{base}/access/v1/{path}");
    let body = json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": endpoint("evaluation"),
        "access_evaluations_endpoint": endpoint("evaluations"),
        "search_subject_endpoint": endpoint("search/subject"),
        "search_resource_endpoint": endpoint("search/resource"),
        "search_action_endpoint": endpoint("search/action"),
        "capabilities": [issuance::CAPABILITY],
    });
    let mut response = ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, cache)], body.to_string()).into_response();
    if door.config.public_url.is_none() {
        response.headers_mut().insert(VARY, HeaderValue::from_static("host"));
    }
    response
}

/// The request's host and port, if they are nothing else. What proxies say in other headers is not looked at: anyone
/// can send those.
fn host(request: &Request) -> Option<String> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let text = match (request.uri().authority(), hosts.next()) {
        (Some(authority), None) => authority.as_str(),
        (None, Some(host)) => host.to_str().ok()?,
        (Some(authority), Some(host)) if authority.as_str().as_bytes() == host.as_bytes() => authority.as_str(),
        _ => return None,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let is_host = !text.is_empty() && text.len() <= MAX_HOST && text.bytes().all(plain) && hosts.next().is_none();
    (is_host && Url::parse(&format!("https://{text}")).is_ok()).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_kept_as_it_is_written() {
        for (text, shown, path) in [
            ("https://pdp.example.com", "https://pdp.example.com", ""),
            ("https://pdp.example.com/", "https://pdp.example.com", ""),
            ("https://pdp.example.com:8443/tenant1/", "https://pdp.example.com:8443/tenant1", "/tenant1"),
            ("http://127.0.0.1:8181", "http://127.0.0.1:8181", ""),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.path.as_str()), (shown, path));
        }
        for text in ["", "pdp", "ftp://x", "https://x?y", "https://x#y", "https://u:p@x", "https://u@x", "unix:/x"] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_host_and_a_port_are_taken_from_a_request() {
        let of = |hosts: &[&[u8]]| {
            let mut request = Request::new(axum::body::Body::empty());
            for host in hosts {
                request.headers_mut().append(HOST, HeaderValue::from_bytes(host).unwrap());
            }
            host(&request)
        };
        for host in ["pdp.example.com", "127.0.0.1:8181", "[::1]:8181", "localhost"] {
            assert_eq!(of(&[host.as_bytes()]).as_deref(), Some(host));
        }
        assert_eq!(of(&[b"PDP.Example.com"]).as_deref(), Some("pdp.example.com"));
        for host in [&b""[..], b"x/y", b"x?y", b"a@b", b"x y", b"x\"y", b"x:port", b"x:1:2", b"[::1", b"x\\y", b"\xff"]
        {
            assert_eq!(of(&[host]), None, "{}", String::from_utf8_lossy(host));
        }
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[b"a", b"b"]), None);
    }
}
