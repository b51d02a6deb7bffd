//! Logging in to a registry, when it asks for that: with a password, or for a token.
//!
//! The registry says where tokens are given, and that may be another host: it gets the password, as with every tool for
//! registries, but never over plain HTTP.

use std::path::PathBuf;

use http_auth::parser::ChallengeParser;
use reqwest::{
    Client, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::source::{
    Fault,
    http::{Request, Secret, Transport, basic, bearer, collect, status},
    spec::{Basic, Spec, is_loopback, shown},
};

/// The largest answer with a token, in bytes.
const LARGEST: u64 = 64 * 1024;

/// The credentials for one repository.
pub(super) struct Login {
    token: Option<PathBuf>,
    password: Option<Basic>,
    plain_http: bool,
    /// What the registry took last; it says itself when that ends.
    last: Mutex<Option<HeaderValue>>,
}

/// What a registry wants.
enum Challenge {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// The answer of a token service: either name is in use.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

impl Login {
    pub(super) fn new(spec: &Spec) -> Self {
        Self {
            token: spec.token_file.clone(),
            password: spec.basic.clone(),
            plain_http: spec.plain_http,
            last: Mutex::new(None),
        }
    }

    /// The header for a request, as far as one is known to be wanted.
    pub(super) async fn authorization(&self) -> Result<Option<HeaderValue>, Fault> {
        match &self.token {
            Some(path) => bearer(Secret::read(path).await?.expose()).map(Some),
            None => Ok(self.last.lock().await.clone()),
        }
    }

    /// What the registry took last is of no use any more.
    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    /// Does what this refusal asks for, so that the next request may be taken.
    pub(super) async fn answer(
        &self,
        transport: &Transport,
        client: &Client,
        refusal: &Response,
        repository: &str,
    ) -> Result<(), Fault> {
        self.forget().await;
        if self.token.is_some() {
            return Err(status(refusal));
        }
        let password = match &self.password {
            Some(Basic { user, password_file }) => Some(basic(user, Secret::read(password_file).await?.expose())?),
            None => None,
        };
        let granted = match challenge(refusal)? {
            Challenge::Basic => password.ok_or_else(|| status(refusal))?,
            Challenge::Bearer { realm, service } => {
                self.ask(transport, client, realm, service, repository, password).await?
            }
        };
        *self.last.lock().await = Some(granted);
        Ok(())
    }

    async fn ask(
        &self,
        transport: &Transport,
        client: &Client,
        mut realm: Url,
        service: Option<String>,
        repository: &str,
        password: Option<HeaderValue>,
    ) -> Result<HeaderValue, Fault> {
        let place = shown(realm.as_str());
        let failed = |problem: &str| Fault::Token { place: place.clone(), problem: problem.to_owned() };
        if realm.scheme() != "https" && !is_loopback(&realm) && !self.plain_http {
            return Err(failed("is not encrypted; it is not asked"));
        }
        if let Some(service) = service {
            realm.query_pairs_mut().append_pair("service", &service);
        }
        realm.query_pairs_mut().append_pair("scope", &format!("repository:{repository}:pull"));
        let mut request = Request::new(realm);
        if let Some(password) = password {
            request.private.insert(AUTHORIZATION, password);
        }
        let response = transport.get(client, request).await.map_err(|fault| failed(&fault.to_string()))?;
        if response.status() != StatusCode::OK {
            return Err(failed(&status(&response).to_string()));
        }
        let (body, _) = collect(response, LARGEST, transport.idle).await.map_err(|fault| failed(&fault.to_string()))?;
        let granted: Option<Granted> = serde_json::from_slice(&body).ok();
        let token = granted.and_then(|granted| granted.token.or(granted.access_token));
        bearer(token.filter(|token| !token.is_empty()).ok_or_else(|| failed("gave no token"))?.trim())
    }
}

/// The first challenge that can be answered (RFC 9110 §11.6.1; distribution's token specification).
fn challenge(refusal: &Response) -> Result<Challenge, Fault> {
    for header in refusal.headers().get_all(WWW_AUTHENTICATE) {
        let Ok(text) = header.to_str() else { continue };
        for challenge in ChallengeParser::new(text).flatten() {
            let parameter = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("Basic") {
                return Ok(Challenge::Basic);
            }
            if challenge.scheme.eq_ignore_ascii_case("Bearer") {
                let realm = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
                let realm = realm.filter(|realm| realm.username().is_empty() && realm.password().is_none());
                let problem = "asks for a token without saying where there is one";
                let realm = realm.ok_or_else(|| Fault::Protocol(problem.to_owned()))?;
                return Ok(Challenge::Bearer { realm, service: parameter("service") });
            }
        }
    }
    Err(status(refusal))
}
