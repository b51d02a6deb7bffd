//! `[bundles.NAME]`: tables whose names are the operator's. Read field by field, so that every fault is told at once.

use std::{path::Path, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    fault::{Fault, excerpt, in_file},
    near::nearest,
};
use crate::{
    bundle::signing::Algorithm,
    reload::{Bundle, Verification},
    source::{Span, Spec},
};

/// What a source may be told.
pub(super) const SOURCE: [&str; 13] = [
    "url",
    "polling",
    "long_poll",
    "token_file",
    "basic",
    "oauth2",
    "tls",
    "headers",
    "header_files",
    "limits",
    "back_off",
    "plain_http",
    "object",
];

/// What else is said of a bundle.
pub(super) const OWN: [&str; 3] = ["verification", "stale_after", "min_sequence"];

/// The longest name of a bundle.
const LONGEST: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVerification {
    key_file: std::path::PathBuf,
    algorithm: String,
    key_id: Option<String>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    exclude: Vec<String>,
}

/// Reads one table.
pub(super) fn read(file: &Path, name: &str, table: Value, faults: &mut Vec<Fault>) -> Option<Bundle> {
    let place = |field: &str| in_file(file, &format!("bundles.{name}{field}"));
    let before = faults.len();
    if !is_name(name) || name == crate::reload::RESERVED {
        let expected = "a name of small letters, digits, `-` and `_`, at most 64, that begins with a letter or digit";
        faults.push(Fault::new(place(""), "is no name of a bundle", expected));
    }
    let Value::Object(members) = table else {
        faults.push(Fault::new(place(""), "is no table", "a table such as `url: https://…`"));
        return None;
    };
    let mut bundle = Bundle::default();
    let mut source = Map::new();
    for (key, value) in members {
        let at = || place(&format!(".{key}"));
        match key.as_str() {
            "stale_after" => bundle.stale_after = field::<Span>(at(), value, faults).map(|Span(span)| span),
            "min_sequence" => {
                bundle.min_sequence = value.as_u64();
                if bundle.min_sequence.is_none() {
                    faults.push(Fault::new(at(), "is no whole number", "a whole number such as `400`"));
                }
            }
            "verification" => {
                if let Some(raw) = field::<RawVerification>(at(), value, faults) {
                    bundle.verification = verification(&at(), raw, faults);
                }
            }
            _ if SOURCE.contains(&key.as_str()) => {
                // Alone, so that one fault hides no other.
                let mut alone = Map::from_iter([("url".to_owned(), Value::from("https://example.com"))]);
                alone.insert(key.clone(), value.clone());
                if field::<Spec>(at(), Value::Object(alone), faults).is_some() {
                    source.insert(key, value);
                }
            }
            _ => {
                let known = SOURCE.into_iter().chain(OWN);
                let expected = nearest(&key, known.clone().map(str::to_owned)).map_or_else(
                    || format!("one of `{}`", known.collect::<Vec<_>>().join("`, `")),
                    |near| format!("a known key; did you mean `{near}`?"),
                );
                faults.push(Fault::new(at(), "unknown key", expected));
            }
        }
    }
    if bundle.stale_after.is_some_and(|limit| limit < Duration::from_secs(1)) {
        faults.push(Fault::new(place(".stale_after"), "is out of range", "at least 1s"));
    }
    if faults.len() > before {
        return None;
    }
    if source.is_empty() {
        // Only put by hand.
        return Some(bundle);
    }
    if !source.contains_key("url") {
        faults.push(Fault::new(place(".url"), "is missing", "where the bundle comes from, such as `https://…`"));
        return None;
    }
    let spec: Spec = field(place(""), Value::Object(source), faults)?;
    for (field, fault) in spec.check() {
        let (problem, expected) = {
            let text = fault.to_string();
            text.split_once("; expected ")
                .map_or((text.clone(), String::new()), |(problem, expected)| (problem.to_owned(), expected.to_owned()))
        };
        faults.push(Fault::new(place(&format!(".{field}")), problem, expected));
    }
    Some(Bundle { source: Some(spec), ..bundle }).filter(|_| faults.len() == before)
}

fn field<T: DeserializeOwned>(place: String, value: Value, faults: &mut Vec<Fault>) -> Option<T> {
    match serde_json::from_value(value) {
        Ok(read) => Some(read),
        Err(error) => {
            let text = error.to_string();
            let (problem, expected) =
                text.split_once(", expected ").unwrap_or((&text, "what `docs/configuration.md` says"));
            faults.push(Fault::new(place, excerpt(problem), expected));
            None
        }
    }
}

fn verification(place: &str, raw: RawVerification, faults: &mut Vec<Fault>) -> Option<Verification> {
    let RawVerification { key_file, algorithm, key_id, scope, exclude } = raw;
    let algorithm = match algorithm.parse::<Algorithm>() {
        Ok(algorithm) => algorithm,
        Err(error) => {
            let names = Algorithm::ALL.map(Algorithm::name).join("`, `");
            let _ = error;
            let place = format!("{place}.algorithm");
            faults.push(Fault::new(
                place,
                format!("`{}` is no algorithm", excerpt(&algorithm)),
                format!("one of `{names}`"),
            ));
            return None;
        }
    };
    Some(Verification { key_file, algorithm, key_id, scope, exclude })
}

/// Whether a name may be an operator's.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= LONGEST && name.starts_with(plain) && name.chars().all(|c| plain(c) || matches!(c, '-' | '_'))
}
