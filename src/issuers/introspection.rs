//! Asks an issuer about opaque tokens (RFC 7662): one request a token, however many wait for it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _,
    future::{Shared, WeakShared},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::CONTENT_TYPE;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{
    config::{ClientAuth, Introspection, SecretFrom, Transport},
    fault::Fault,
    http::Http,
};
use crate::{
    clock,
    identity::{Invalid, Secret, Told, Verifier},
};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// The most requests to an issuer at once; others wait for their turn.
const MOST: usize = 64;

/// How often the log tells that an issuer can't be asked.
const TELL_EVERY: Duration = Duration::from_secs(10);

type Flight = Pin<Box<dyn Future<Output = Result<Arc<Told>, Invalid>> + Send>>;

/// Asks one issuer.
pub(super) struct Introspector {
    name: String,
    settings: Introspection,
    http: Http,
    turns: Semaphore,
    /// What is being asked, by the token's hash. Who asks keeps it going; where all have left, it ends.
    flights: Mutex<HashMap<[u8; 32], WeakShared<Flight>>>,
    told: Mutex<Option<Instant>>,
}

impl Introspector {
    pub(super) fn new(name: String, settings: Introspection, transport: Transport) -> Self {
        let http = Http::new(transport);
        Self { name, settings, http, turns: Semaphore::new(MOST), flights: Mutex::default(), told: Mutex::default() }
    }

    /// What the issuer says of the token, to those who ask now, and to those who ask before it has said so.
    pub(super) fn ask(self: &Arc<Self>, token: &Secret, verifier: &Arc<Verifier>) -> Shared<Flight> {
        let hash: [u8; 32] = Sha256::digest(token.expose().as_bytes()).into();
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended is an old answer, however long somebody still holds it.
        let under_way = |flight: &Shared<Flight>| flight.peek().is_none();
        if let Some(flight) = flights.get(&hash).and_then(WeakShared::upgrade).filter(under_way) {
            return flight;
        }
        let (introspector, verifier, token) = (Arc::clone(self), Arc::clone(verifier), token.clone());
        let flight: Flight = Box::pin(async move { introspector.learn(&token, &verifier).await });
        let flight = flight.shared();
        flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        flights.extend(flight.downgrade().map(|flight| (hash, flight)));
        flight
    }

    async fn learn(&self, token: &Secret, verifier: &Verifier) -> Result<Arc<Told>, Invalid> {
        let said = self.request(token).await.inspect_err(|fault| self.tell(fault));
        let said = said.map_err(|_| Invalid::IntrospectionUnavailable)?;
        verifier.learn(&self.name, token, &said, self.settings.keep, clock::steady())
    }

    async fn request(&self, token: &Secret) -> Result<Vec<u8>, Fault> {
        // It is never closed.
        let _turn = self.turns.acquire().await.map_err(|_| Fault::Metadata("are not there"))?;
        let Introspection { url, client_id, auth, .. } = &self.settings;
        let secret = self.secret().await?;
        let form = {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("token", token.expose()).append_pair("token_type_hint", "access_token");
            if *auth == ClientAuth::Post {
                form.append_pair("client_id", client_id).append_pair("client_secret", &secret);
            }
            form.finish()
        };
        let answer = self.http.ask(url, LARGEST, |client| {
            let request = client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
            match auth {
                ClientAuth::Basic => request.basic_auth(encoded(client_id), Some(encoded(&secret))),
                ClientAuth::Post => request,
            }
        });
        Ok(answer.await?.body)
    }

    async fn secret(&self) -> Result<Zeroizing<String>, Fault> {
        let text = match &self.settings.secret {
            SecretFrom::File(path) => {
                let read = tokio::fs::read_to_string(path).await;
                read.map_err(|error| Fault::Secret(format!("`{}`: {error}", path.display())))?
            }
            SecretFrom::Variable(name) => {
                std::env::var(name).map_err(|_| Fault::Secret(format!("the variable `{name}` is not set")))?
            }
        };
        let text = Zeroizing::new(text);
        let secret = text.trim();
        if secret.is_empty() {
            return Err(Fault::Secret("it is empty".to_owned()));
        }
        Ok(Zeroizing::new(secret.to_owned()))
    }

    fn tell(&self, fault: &Fault) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|last| last.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(issuer = self.name, %fault, "the issuer can't be asked about tokens");
        }
    }
}

/// As RFC 6749 §2.3.1 has it for ids and secrets.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl std::fmt::Debug for Introspector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Introspector").field("name", &self.name).finish_non_exhaustive()
    }
}
