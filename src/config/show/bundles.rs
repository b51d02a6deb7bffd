//! The bundles: where they come from, how they are fetched, and what is asked of them. Secrets are in files, whose names are
//! shown; of what could be one all the same (values of headers, parameters of a token's request), only that it is there.

use std::path::{Path, PathBuf};

use super::{flow, list, quoted, show_size, show_time};
use crate::{
    config::Config,
    reload::{Bundle, Verification},
    source::{BackOff, Basic, Headers, Limits, OAuth2, Object, Polling, Spec, Tls},
};

/// The tables of the bundles.
pub(super) fn yaml(config: &Config, yaml: &mut String) {
    for (name, Bundle { source: spec, verification: verified, stale_after, min_sequence }) in &config.bundles {
        let mut lines = spec.as_ref().map(source).unwrap_or_default();
        lines.extend(verified.as_ref().map(|verified| ("verification", verification(verified))));
        lines.extend(stale_after.map(|limit| ("stale_after", show_time(limit))));
        lines.extend(min_sequence.map(|least| ("min_sequence", least.to_string())));
        // Without a source, it is only put by hand.
        yaml.extend(["  ", name, if lines.is_empty() { ": {}\n" } else { ":\n" }]);
        for (key, value) in lines {
            yaml.extend(["    ", key, ": ", &value, "\n"]);
        }
    }
}

/// Destructured whole, so that what a source gains cannot be left out here unseen.
fn source(spec: &Spec) -> Vec<(&'static str, String)> {
    let Spec {
        url,
        polling: Polling { min, max },
        long_poll,
        token_file,
        basic,
        oauth2,
        tls: Tls { ca_file, cert_file, key_file },
        headers: Headers(headers),
        header_files,
        limits: Limits { size, timeout, idle_timeout, connect_timeout },
        back_off: BackOff { min: first, max: last },
        plain_http,
        object,
    } = spec;
    let mut lines = vec![
        ("url", quoted(&url.to_string())),
        ("polling", flow([("min", Some(show_time(min.0))), ("max", Some(show_time(max.0)))])),
    ];
    lines.extend(long_poll.map(|span| ("long_poll", show_time(span.0))));
    lines.extend(token_file.as_ref().map(|path| ("token_file", file(path))));
    if let Some(Basic { user, password_file }) = basic {
        lines.push(("basic", flow([("user", Some(quoted(user))), ("password_file", Some(file(password_file)))])));
    }
    if let Some(OAuth2 { token_url, client_id, client_secret_file, scopes, parameters }) = oauth2 {
        let members = [
            ("token_url", Some(quoted(&token_url.to_string()))),
            ("client_id", Some(quoted(client_id))),
            ("client_secret_file", Some(file(client_secret_file))),
            ("scopes", Some(list(scopes))),
        ];
        lines.push(("oauth2", flow(members)));
        lines.extend(parameters.keys().map(|name| ("# oauth2.parameters", format!("{} is set", quoted(name)))));
    }
    if [ca_file, cert_file, key_file].into_iter().any(Option::is_some) {
        let members = [
            ("ca_file", files(ca_file.as_ref())),
            ("cert_file", files(cert_file.as_ref())),
            ("key_file", files(key_file.as_ref())),
        ];
        lines.push(("tls", flow(members)));
    }
    lines.extend(headers.keys().map(|name| ("# headers", format!("{} is set", quoted(name)))));
    if !header_files.is_empty() {
        let named = header_files.iter().map(|(name, path)| format!("{}: {}", quoted(name), file(path)));
        lines.push(("header_files", format!("{{{}}}", named.collect::<Vec<_>>().join(", "))));
    }
    let bounds = [
        ("size", Some(show_size(usize::try_from(size.0).unwrap_or(usize::MAX)))),
        ("timeout", Some(show_time(timeout.0))),
        ("idle_timeout", Some(show_time(idle_timeout.0))),
        ("connect_timeout", Some(show_time(connect_timeout.0))),
    ];
    lines.push(("limits", flow(bounds)));
    lines.push(("back_off", flow([("min", Some(show_time(first.0))), ("max", Some(show_time(last.0)))])));
    lines.push(("plain_http", plain_http.to_string()));
    lines.push(("object", self::object(object)));
    lines
}

fn object(object: &Object) -> String {
    let Object {
        region,
        endpoint,
        anonymous,
        access_key_id_file,
        secret_access_key_file,
        session_token_file,
        service_account_file,
        account,
        account_key_file,
    } = object;
    flow([
        ("region", region.as_deref().map(quoted)),
        ("endpoint", endpoint.as_ref().map(|endpoint| quoted(&endpoint.to_string()))),
        ("anonymous", Some(anonymous.to_string())),
        ("access_key_id_file", files(access_key_id_file.as_ref())),
        ("secret_access_key_file", files(secret_access_key_file.as_ref())),
        ("session_token_file", files(session_token_file.as_ref())),
        ("service_account_file", files(service_account_file.as_ref())),
        ("account", account.as_deref().map(quoted)),
        ("account_key_file", files(account_key_file.as_ref())),
    ])
}

fn verification(verification: &Verification) -> String {
    let Verification { key_file, algorithm, key_id, scope, exclude } = verification;
    flow([
        ("key_file", Some(file(key_file))),
        ("algorithm", Some(algorithm.name().to_owned())),
        ("key_id", key_id.as_deref().map(quoted)),
        ("scope", Some(quoted(scope))),
        ("exclude", Some(list(exclude))),
    ])
}

fn file(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn files(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| file(path))
}
