//! What is wrong with a description of a source: every fault, each with its field.

use std::{fmt, time::Duration};

use reqwest::header::{HeaderName, HeaderValue};

use super::{
    Kind, Location, OAuth2, Span, Spec,
    location::{is_loopback, shown},
};
use crate::source::oci;

/// Nothing waits longer than this, so that a deadline can always be computed.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const SHORTEST_POLL: Duration = Duration::from_millis(10);
const LONGEST_HOLD: Duration = Duration::from_secs(3600);

/// Headers that are ours to send, or that carry secrets.
const OURS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "prefer",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub problem: String,
    /// What should be there instead.
    pub expected: &'static str,
}

struct Check<'a> {
    spec: &'a Spec,
    faults: Vec<(String, Fault)>,
}

pub(super) fn faults(spec: &Spec) -> Vec<(String, Fault)> {
    let mut check = Check { spec, faults: Vec::new() };
    check.url();
    check.times();
    check.credentials();
    check.headers();
    if let Some(kind) = spec.url.kind() {
        check.fits(kind);
    }
    check.faults
}

impl Check<'_> {
    fn fault(&mut self, field: &str, problem: impl Into<String>, expected: &'static str) {
        self.faults.push((field.to_owned(), Fault { problem: problem.into(), expected }));
    }

    fn url(&mut self) {
        let location = &self.spec.url;
        if location.is_blank() {
            return self.fault("url", "is empty", "an URL such as `https://host/bundle.tar.gz`");
        }
        let Some(kind) = location.kind() else {
            let expected =
                "an URL that begins with `https:`, `http:`, `s3:`, `gs:`, `az:`, `oci:`, `file:` or `folder:`";
            return self.fault("url", format!("`{location}` is of no known kind"), expected);
        };
        match kind {
            Kind::Folder | Kind::File | Kind::Embedded => {
                if location.path().as_os_str().is_empty() {
                    self.fault("url", "names no path", "a path, as in `file:///etc/verdict/bundle.tar.gz`");
                }
            }
            Kind::Http => self.web("url", location),
            Kind::S3 | Kind::Gcs | Kind::Azure => self.object(kind),
            Kind::Oci => {
                if let Err(problem) = oci::parse(location.reference()) {
                    self.fault("url", problem, "`oci://host/repository:tag` or `…@sha256:…`");
                }
            }
        }
        if let Some(endpoint) = &self.spec.object.endpoint {
            self.web("object.endpoint", endpoint);
        }
    }

    fn object(&mut self, kind: Kind) {
        let Some(url) = self.spec.url.url() else {
            return self.fault(
                "url",
                "is no valid URL",
                "`s3://bucket/key`, `gs://bucket/key` or `az://container/key`",
            );
        };
        if url.host_str().unwrap_or_default().is_empty() || url.path().trim_matches('/').is_empty() {
            self.fault("url", format!("`{}` names no object", self.spec.url), "a bucket or container, and a key in it");
        }
        if url.password().is_some() || !url.username().is_empty() && kind != Kind::Azure {
            self.fault("url", "has a user or a password in it", "credentials in files, or in the environment");
        }
        if url.query().is_some() || url.fragment().is_some() {
            self.fault("url", "has a query or a fragment", "only the object's place; options go into `object`");
        }
    }

    /// An address that is spoken to by HTTP.
    fn web(&mut self, field: &str, location: &Location) {
        let Some(url) = location.url().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
            return self.fault(field, format!("`{location}` is no valid URL"), "`https://host/path`");
        };
        if !url.username().is_empty() || url.password().is_some() {
            self.fault(field, "has a user or a password in it", "`basic`, with the password in a file");
        }
        if url.fragment().is_some() {
            self.fault(field, "has a fragment", "an URL without `#…`");
        }
        if url.scheme() == "http" && !is_loopback(&url) && !self.spec.plain_http {
            let expected = "`https`; or `plain_http = true`, where nobody can change what goes over the network";
            self.fault(field, format!("`{}` is not encrypted", shown(url.as_str())), expected);
        }
    }

    fn times(&mut self) {
        let Spec { polling, back_off, limits, long_poll, .. } = self.spec;
        for (field, Span(value), least) in [
            ("polling.min", polling.min, SHORTEST_POLL),
            ("polling.max", polling.max, SHORTEST_POLL),
            ("back_off.min", back_off.min, SHORTEST_POLL),
            ("back_off.max", back_off.max, SHORTEST_POLL),
            ("limits.timeout", limits.timeout, SHORTEST_POLL),
            ("limits.idle_timeout", limits.idle_timeout, SHORTEST_POLL),
            ("limits.connect_timeout", limits.connect_timeout, SHORTEST_POLL),
        ] {
            if !(least..=LONGEST).contains(&value) {
                self.fault(field, format!("{value:?} is out of range"), "10ms to 24h");
            }
        }
        for (field, least, most) in [("polling", polling.min, polling.max), ("back_off", back_off.min, back_off.max)] {
            if least > most {
                self.fault(field, "`min` is more than `max`", "the shortest delay in `min`, the longest in `max`");
            }
        }
        if limits.size.0 == 0 || usize::try_from(limits.size.0).is_err() {
            self.fault("limits.size", "is out of range", "at least one byte");
        }
        if long_poll.is_some_and(|Span(hold)| !(Duration::from_secs(1)..=LONGEST_HOLD).contains(&hold)) {
            self.fault("long_poll", "is out of range", "1s to 1h");
        }
    }

    fn credentials(&mut self) {
        let Spec { token_file, basic, oauth2, tls, object, .. } = self.spec;
        let ways = usize::from(token_file.is_some()) + usize::from(basic.is_some()) + usize::from(oauth2.is_some());
        if ways > 1 {
            let expected = "one of `token_file`, `basic` and `oauth2`";
            self.fault("token_file", "there is more than one way to authenticate", expected);
        }
        if basic.as_ref().is_some_and(|basic| basic.user.contains(':')) {
            self.fault("basic.user", "has a colon in it", "a name without one (RFC 7617 §2)");
        }
        if let Some(oauth2) = oauth2 {
            self.oauth2(oauth2);
        }
        if tls.cert_file.is_some() != tls.key_file.is_some() {
            self.fault("tls", "has one of `cert_file` and `key_file`", "both or neither");
        }
        if object.access_key_id_file.is_some() != object.secret_access_key_file.is_some() {
            let expected = "both or neither";
            self.fault("object", "has one of `access_key_id_file` and `secret_access_key_file`", expected);
        }
        if object.session_token_file.is_some() && object.access_key_id_file.is_none() {
            self.fault("object.session_token_file", "has no access key to go with", "`access_key_id_file`, too");
        }
        if object.account_key_file.is_some() && object.account.is_none() {
            self.fault("object.account_key_file", "has no account to go with", "`account`, too");
        }
    }

    fn oauth2(&mut self, oauth2: &OAuth2) {
        self.web("oauth2.token_url", &oauth2.token_url);
        if oauth2.client_id.is_empty() {
            self.fault("oauth2.client_id", "is empty", "the client's id");
        }
        for name in oauth2.parameters.keys() {
            if matches!(name.as_str(), "grant_type" | "scope" | "client_id" | "client_secret") {
                let field = format!("oauth2.parameters.{name}");
                self.fault(&field, "is not to be given here", "other parameters, as `audience`");
            }
        }
    }

    fn headers(&mut self) {
        let spec = self.spec;
        let inline = spec.headers.0.keys().map(|name| ("headers", name));
        let files = spec.header_files.keys().map(|name| ("header_files", name));
        for (table, name) in inline.chain(files) {
            let field = format!("{table}.{name}");
            let lower = name.to_ascii_lowercase();
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                self.fault(&field, "is no name of a header", "letters, digits and dashes");
            } else if OURS.contains(&lower.as_str()) {
                self.fault(&field, "is set by Verdict itself", "another header");
            } else if SECRET.contains(&lower.as_str()) && table == "headers" {
                self.fault(&field, "would be a secret in the configuration", "it in `header_files`, or `token_file`");
            }
        }
        for (name, value) in &spec.headers.0 {
            if HeaderValue::from_str(value).is_err() {
                self.fault(&format!("headers.{name}"), "has a value that no header can have", "visible text");
            }
        }
    }

    /// Options that mean nothing for this kind are mistakes: whoever wrote them believes that they count.
    fn fits(&mut self, kind: Kind) {
        let Spec { long_poll, token_file, basic, oauth2, tls, headers, header_files, plain_http, object, .. } =
            self.spec;
        let http = kind == Kind::Http;
        let registry = http || kind == Kind::Oci;
        let stores = matches!(kind, Kind::S3 | Kind::Gcs | Kind::Azure);
        let (s3, gcs, azure) = (kind == Kind::S3, kind == Kind::Gcs, kind == Kind::Azure);
        for (field, given, fits) in [
            ("long_poll", long_poll.is_some(), http),
            ("token_file", token_file.is_some(), registry),
            ("basic", basic.is_some(), registry),
            ("oauth2", oauth2.is_some(), http),
            ("tls.ca_file", tls.ca_file.is_some(), kind.is_remote()),
            ("tls.cert_file", tls.cert_file.is_some(), registry),
            ("headers", !headers.0.is_empty(), http),
            ("header_files", !header_files.is_empty(), http),
            ("plain_http", *plain_http, kind.is_remote()),
            ("object.endpoint", object.endpoint.is_some(), stores),
            ("object.anonymous", object.anonymous, stores),
            ("object.region", object.region.is_some(), s3),
            ("object.access_key_id_file", object.access_key_id_file.is_some(), s3),
            ("object.service_account_file", object.service_account_file.is_some(), gcs),
            ("object.account", object.account.is_some(), azure),
        ] {
            if given && !fits {
                let expected = "only options that this kind of source has";
                self.fault(field, format!("means nothing for a source of kind `{}`", kind.as_str()), expected);
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}; expected {}", self.problem, self.expected)
    }
}
