//! Tokens by OAuth2's client credentials (RFC 6749 §4.4), kept until shortly before they end.

use std::time::Duration;

use reqwest::{
    Client, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use url::form_urlencoded::{Serializer, byte_serialize};

use super::{
    body::collect,
    credentials::{basic, bearer},
    secret::Secret,
};
use crate::source::{Fault, fault::chain, spec::OAuth2};

/// A token that ends sooner than this is not used any more, as OPA has it.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a token counts if the endpoint does not say.
const UNSAID: Duration = Duration::from_secs(300);
/// The largest answer of a token endpoint, in bytes.
const LARGEST: u64 = 64 * 1024;

/// The tokens of one client.
pub(super) struct Tokens {
    settings: OAuth2,
    last: Mutex<Option<Token>>,
}

struct Token {
    authorization: HeaderValue,
    until: Instant,
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

/// RFC 6749 §5.2.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Tokens {
    pub(super) fn new(settings: OAuth2) -> Self {
        Self { settings, last: Mutex::new(None) }
    }

    /// The header for a request, with a token that still counts.
    pub(super) async fn authorization(&self, client: &Client, idle: Duration) -> Result<HeaderValue, Fault> {
        // Held while asking: there is one attempt at a time anyway, and the next one wants this token.
        let mut last = self.last.lock().await;
        if let Some(token) = last.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.authorization.clone());
        }
        let token = self.ask(client, idle).await?;
        let authorization = token.authorization.clone();
        *last = Some(token);
        Ok(authorization)
    }

    /// The token that is kept is of no use.
    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    async fn ask(&self, client: &Client, idle: Duration) -> Result<Token, Fault> {
        let OAuth2 { token_url, client_id, client_secret_file, scopes, parameters } = &self.settings;
        let failed = |problem: String| Fault::Token { place: token_url.to_string(), problem };
        let url = token_url.url().ok_or_else(|| failed("is no valid URL".to_owned()))?;
        let secret = Secret::read(client_secret_file).await?;
        let form = {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "client_credentials");
            if !scopes.is_empty() {
                form.append_pair("scope", &scopes.join(" "));
            }
            form.extend_pairs(parameters).finish()
        };
        // RFC 6749 §2.3.1: both are form-encoded before they are put together.
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let request = client
            .post(url)
            .header(AUTHORIZATION, basic(&encoded(client_id), &encoded(secret.expose()))?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form);
        let asked = Instant::now();
        let response = timeout(idle, request.send())
            .await
            .map_err(|_| failed(format!("sent nothing for {idle:?}")))?
            .map_err(|error| failed(format!("cannot be reached: {}", chain(&error.without_url()))))?;
        let status = response.status();
        let body = collect(response, LARGEST, idle).await;
        if status != StatusCode::OK {
            let reason = body.map(|(body, _)| reason(&body)).unwrap_or_default();
            return Err(failed(format!("answered with status {}{reason}", status.as_u16())));
        }
        let (body, _) = body.map_err(|fault| failed(fault.to_string()))?;
        // The answer is never part of a message: it may hold a token whatever else is wrong with it.
        let granted: Granted =
            serde_json::from_slice(&body).map_err(|_| failed("gave no token that can be read".to_owned()))?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") {
            return Err(failed("gave a token of another type than `bearer`".to_owned()));
        }
        let counts = granted.expires_in.map_or(UNSAID, Duration::from_secs).min(Duration::from_secs(24 * 3600));
        let authorization = bearer(granted.access_token.trim())?;
        Ok(Token { authorization, until: asked + counts.saturating_sub(MARGIN) })
    }
}

/// The error's code, if it looks like one.
fn reason(body: &[u8]) -> String {
    match serde_json::from_slice(body) {
        Ok(Refused { error }) if error.len() <= 40 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
            format!(" (`{error}`)")
        }
        _ => String::new(),
    }
}
