//! The object that `http.send` takes, read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hyper::{
    HeaderMap, Method,
    header::{HeaderName, HeaderValue},
};
use regorus::Value as Rego;
use url::Url;

use super::super::{Failure, term::written};

/// What OPA takes: <https://www.openpolicyagent.org/docs/policy-reference/builtins/http>.
pub(in super::super) const KEYS: [&str; 28] = [
    "body",
    "cache",
    "cache_ignored_headers",
    "caching_mode",
    "enable_redirect",
    "force_cache",
    "force_cache_duration_seconds",
    "force_json_decode",
    "force_yaml_decode",
    "headers",
    "max_retry_attempts",
    "method",
    "raise_error",
    "raw_body",
    "timeout",
    "tls_ca_cert",
    "tls_ca_cert_env_variable",
    "tls_ca_cert_file",
    "tls_client_cert",
    "tls_client_cert_env_variable",
    "tls_client_cert_file",
    "tls_client_key",
    "tls_client_key_env_variable",
    "tls_client_key_file",
    "tls_insecure_skip_verify",
    "tls_server_name",
    "tls_use_system_certs",
    "url",
];

/// What reads the process' own files and variables; a policy must not.
const AMBIENT: [&str; 6] = [
    "tls_ca_cert_env_variable",
    "tls_ca_cert_file",
    "tls_client_cert_env_variable",
    "tls_client_cert_file",
    "tls_client_key_env_variable",
    "tls_client_key_file",
];

/// How often a failed request is tried again at most, as there is only so much time.
const MAX_RETRIES: usize = 5;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) timeout: Option<Duration>,
    pub(super) follows: bool,
    pub(super) retries: usize,
    pub(super) decode: Decode,
    pub(super) tls: Tls,
    /// What tells it from another.
    pub(super) key: String,
    pub(super) cache: Option<Caching>,
}

/// What a body is read as, whatever its type says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decode {
    pub(super) json: bool,
    pub(super) yaml: bool,
}

/// How a server proves itself, and the client to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    /// The certificates (PEM) that are trusted instead of the system's.
    pub(super) authorities: Option<String>,
    pub(super) with_system: bool,
    /// The name that the certificate must have, if not the host's.
    pub(super) name: Option<String>,
    /// Certificate and key (PEM).
    pub(super) client: Option<(String, String)>,
}

/// Whether and for how long an answer is kept.
#[derive(Clone, Debug)]
pub(super) struct Caching {
    /// For how long, whatever the response says.
    pub(super) forced: Option<Duration>,
}

type Members = BTreeMap<String, Rego>;

fn operand<T>(cause: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Operand(cause.into()))
}

/// Whether a failure is an error, and not a value that tells of it.
pub(super) fn raises(argument: &Rego) -> Result<bool, Failure> {
    let Rego::Object(members) = argument else {
        return Err(Failure::Type("operand 1 must be object".to_owned()));
    };
    match members.get(&Rego::from("raise_error")) {
        None => Ok(true),
        Some(Rego::Bool(raises)) => Ok(*raises),
        Some(_) => operand("invalid value for raise_error field"),
    }
}

/// Reads a request.
pub(super) fn read(argument: &Rego) -> Result<Request, Failure> {
    let Rego::Object(object) = argument else {
        return Err(Failure::Type("operand 1 must be object".to_owned()));
    };
    let mut members = Members::new();
    let mut unknown = BTreeSet::new();
    for (name, value) in object.iter() {
        match name {
            Rego::String(name) if KEYS.contains(&name.as_ref()) => {
                members.insert(name.to_string(), value.clone());
            }
            name => {
                unknown.insert(name.clone());
            }
        }
    }
    let missing = ["method", "url"].into_iter().filter(|name| !members.contains_key(*name)).map(Rego::from);
    let missing: BTreeSet<Rego> = missing.collect();
    for (kind, keys) in [("invalid", unknown), ("missing required", missing)] {
        if !keys.is_empty() {
            let keys = written(&Rego::from(keys));
            return Err(Failure::Type(format!("operand 1 {kind} request parameters(s): {keys}")));
        }
    }
    for name in AMBIENT {
        if members.contains_key(name) {
            return Err(Failure::Halt(format!("`{name}` is not allowed: a policy must not read files or variables")));
        }
    }
    if flag(&members, "tls_insecure_skip_verify")? {
        return Err(Failure::Halt("`tls_insecure_skip_verify` is not allowed; give `tls_ca_cert`".to_owned()));
    }
    let (Some(method), Some(url)) = (text(&members, "method")?, text(&members, "url")?) else {
        return operand("missing required request parameters: method and url");
    };
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).or_else(|_| operand("invalid method"))?;
    // Nothing of the URL is told: it can have secrets.
    let url = Url::parse(&url).or_else(|_| operand("invalid url"))?;
    let body = match (text(&members, "raw_body")?, members.get("body")) {
        (Some(raw), _) => raw.into_bytes(),
        (None, Some(body)) => serde_json::to_vec(body).or_else(|_| operand("invalid body"))?,
        (None, None) => Vec::new(),
    };
    let client = match (text(&members, "tls_client_cert")?, text(&members, "tls_client_key")?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        _ => None,
    };
    let tls = Tls {
        authorities: text(&members, "tls_ca_cert")?.map(|pem| pem.replace("\\n", "\n")),
        with_system: flag(&members, "tls_use_system_certs")?,
        name: text(&members, "tls_server_name")?,
        client,
    };
    let retries = members
        .get("max_retry_attempts")
        .map_or(Ok(0), |retries| retries.as_u64().or_else(|_| operand("invalid value for field max_retry_attempts")))?;
    Ok(Request {
        key: key(&members)?,
        cache: caching(&members)?.filter(|_| method == Method::GET),
        method,
        url,
        headers: headers(&members)?,
        body,
        timeout: members.get("timeout").map(timeout).transpose()?,
        follows: flag(&members, "enable_redirect")?,
        retries: usize::try_from(retries).unwrap_or(MAX_RETRIES).min(MAX_RETRIES),
        decode: Decode { json: flag(&members, "force_json_decode")?, yaml: flag(&members, "force_yaml_decode")? },
        tls,
    })
}

/// OPA takes quotation marks off the ends of all of them.
fn text(members: &Members, name: &str) -> Result<Option<String>, Failure> {
    match members.get(name) {
        None => Ok(None),
        Some(Rego::String(text)) => Ok(Some(text.trim_matches('"').to_owned())),
        Some(_) => operand(format!("`{name}` must be a string")),
    }
}

fn flag(members: &Members, name: &str) -> Result<bool, Failure> {
    match members.get(name) {
        None => Ok(false),
        Some(Rego::Bool(flag)) => Ok(*flag),
        Some(_) => operand(format!("invalid value for `{name}`")),
    }
}

fn headers(members: &Members) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let given = match members.get("headers") {
        None => return Ok(headers),
        Some(Rego::Object(given)) => given,
        Some(_) => return operand("invalid type for headers key"),
    };
    for (name, value) in given.iter() {
        let (Rego::String(name), Rego::String(value)) = (name, value) else {
            return operand("invalid type for headers value");
        };
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) else {
            return operand("invalid header");
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// A number of nanoseconds, or Go's notation of durations.
fn timeout(value: &Rego) -> Result<Duration, Failure> {
    let invalid = || Failure::Operand("invalid timeout value".to_owned());
    let nanoseconds = match value {
        Rego::Number(_) => value.as_i64().map_err(|_| invalid())?,
        Rego::String(text) => text.parse().or_else(|_| go_duration(text).ok_or_else(invalid))?,
        _ => return operand("'timeout' must be one of {string, number}"),
    };
    // In Go, no time is no limit.
    u64::try_from(nanoseconds)
        .map(|time| if time == 0 { Duration::MAX } else { Duration::from_nanos(time) })
        .map_err(|_| invalid())
}

/// `1.5s`, `2m30s`, in nanoseconds.
fn go_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 8] =
        [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end =
            after.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the most is far below the largest integer")]
    (!text.is_empty() && total < 1e18).then_some(total as i64)
}

fn caching(members: &Members) -> Result<Option<Caching>, Failure> {
    let forces = flag(members, "force_cache")?;
    let forced = if forces {
        let seconds = members.get("force_cache_duration_seconds").and_then(|seconds| seconds.as_i64().ok());
        let Some(seconds) = seconds else {
            return operand("'force_cache' set but 'force_cache_duration_seconds' is missing or no number");
        };
        u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    } else {
        None
    };
    if !flag(members, "cache")? && !forces {
        return Ok(None);
    }
    Ok(Some(Caching { forced }))
}

fn key(members: &Members) -> Result<String, Failure> {
    let mut key = members.clone();
    if let (Some(Rego::Array(ignored)), Some(Rego::Object(headers))) =
        (key.remove("cache_ignored_headers"), members.get("headers"))
    {
        let mut left = regorus::value::Object::new();
        for (name, value) in headers.iter().filter(|(name, _)| !ignored.iter().any(|ignored| ignored == *name)) {
            left.insert(name.clone(), value.clone());
        }
        key.insert("headers".to_owned(), Rego::Object(left.into()));
    }
    serde_json::to_string(&key).or_else(|_| operand("invalid request"))
}
