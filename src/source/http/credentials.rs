//! What goes into a request so that the server gives the bundle: tokens, passwords and headers of the configuration.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Client,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};

use super::{oauth2::Tokens, secret::Secret};
use crate::source::{Fault, spec::Spec};

/// How requests are authenticated.
pub(super) struct Credentials {
    way: Way,
    headers: BTreeMap<String, String>,
    files: BTreeMap<String, PathBuf>,
}

enum Way {
    Anonymous,
    Token(PathBuf),
    Basic { user: String, password: PathBuf },
    OAuth2(Tokens),
}

impl Credentials {
    pub(super) fn new(spec: &Spec) -> Self {
        let way = match spec {
            Spec { token_file: Some(path), .. } => Way::Token(path.clone()),
            Spec { basic: Some(basic), .. } => {
                Way::Basic { user: basic.user.clone(), password: basic.password_file.clone() }
            }
            Spec { oauth2: Some(oauth2), .. } => Way::OAuth2(Tokens::new(oauth2.clone())),
            _ => Way::Anonymous,
        };
        Self { way, headers: spec.headers.0.clone(), files: spec.header_files.clone() }
    }

    /// Adds them to the headers of a request.
    pub(super) async fn put(&self, to: &mut HeaderMap, client: &Client, idle: Duration) -> Result<(), Fault> {
        for (name, value) in &self.headers {
            insert(to, name, value)?;
        }
        for (name, path) in &self.files {
            insert(to, name, Secret::read(path).await?.expose())?;
        }
        let value = match &self.way {
            Way::Anonymous => return Ok(()),
            Way::Token(path) => bearer(Secret::read(path).await?.expose())?,
            Way::Basic { user, password } => basic(user, Secret::read(password).await?.expose())?,
            Way::OAuth2(tokens) => tokens.authorization(client, idle).await?,
        };
        to.insert(AUTHORIZATION, value);
        Ok(())
    }

    /// The server refused them: what is remembered of them is not used again.
    pub(super) async fn refused(&self) {
        if let Way::OAuth2(tokens) = &self.way {
            tokens.forget().await;
        }
    }
}

/// RFC 6750 §2.1.
pub(in crate::source) fn bearer(token: &str) -> Result<HeaderValue, Fault> {
    secret(&format!("Bearer {token}"))
}

/// RFC 7617 §2.
pub(in crate::source) fn basic(user: &str, password: &str) -> Result<HeaderValue, Fault> {
    secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn secret(text: &str) -> Result<HeaderValue, Fault> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| Fault::Client("its credentials fit in no header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn insert(to: &mut HeaderMap, name: &str, value: &str) -> Result<(), Fault> {
    let invalid = || Fault::Client(format!("the header `{name}` cannot be sent"));
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| invalid())?;
    value.set_sensitive(true);
    to.insert(header, value);
    Ok(())
}
