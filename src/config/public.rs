//! The effective settings as they may be seen by whoever reaches a door.

use serde_json::{Map, Value};
use url::Url;

/// Words that a setting's name has where its value is, or leads to, a secret.
const SECRETIVE: [&str; 6] = ["secret", "password", "token", "credential", "key_file", "headers"];

/// The settings of `described`, which has no secrets by itself, less all that could be one.
pub(super) fn settings(described: &str) -> Value {
    // What describes the settings is YAML of our own; were it none, nothing is shown.
    let settings = yaml_serde::from_str::<Value>(described).unwrap_or_default();
    match clean(settings) {
        Value::Object(members) => members.into(),
        _ => Map::new().into(),
    }
}

fn clean(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let secretive = |name: &str| SECRETIVE.iter().any(|word| name.contains(word));
            let kept = members.into_iter().filter(|(name, _)| !secretive(name));
            kept.map(|(name, member)| (name, clean(member))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(clean).collect(),
        Value::String(text) if text.contains("://") => url(&text).into(),
        other => other,
    }
}

/// A URL without a user, a password, a query or a fragment.
fn url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return "not shown".to_owned() };
    let cleaned = url.set_username("").and_then(|()| url.set_password(None));
    if cleaned.is_err() && (!url.username().is_empty() || url.password().is_some()) {
        return "not shown".to_owned();
    }
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_could_be_a_secret_is_not_there() {
        let shown = settings(
            "a:\n  url: \"https://me:pass@host/x?sig=1#f\"\n  token_file: /t\n  headers: {x: 1}\n  n: 4\nb:\n  - \"s3://k:s@b/o\"\n",
        );
        assert_eq!(shown, serde_json::json!({ "a": { "url": "https://host/x", "n": 4 }, "b": ["s3://b/o"] }));
        assert_eq!(settings("{"), serde_json::json!({}));
    }

    #[test]
    fn the_defaults_are_there() {
        let shown = Config::default().public();
        assert_eq!(shown["opa"], serde_json::json!({ "enabled": true, "query": false, "write": false }));
        assert_eq!(shown["policies"]["default"], "data.authz");
    }
}
