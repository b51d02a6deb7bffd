//! Secrets go before any rule runs: what stands under a sensitive name, and what looks like a credential wherever it
//! stands. What was found is then looked for in every other text of the record. Where in doubt, a text is hidden.

mod forms;
mod look;

pub(super) use self::look::{Look, look};
use super::pointer::escaped;
use crate::decision::{Named, SensitiveNames, Value};

/// What stands in place of a hidden text.
pub(super) const HIDDEN: &str = "[redacted]";

/// The shortest secret that is looked for in other texts.
const MIN_INSIDE: usize = 3;

/// The shortest secret that is looked for in what identifies: who sends a question could else blank who asked.
const MIN_IDENTITY: usize = 16;

/// The shortest part of a secret that is known for one.
const MIN_PART: usize = 8;

/// The most secrets of one record, and their most bytes; beyond, nothing of it is kept.
const MOST: usize = 256;
const MOST_BYTES: usize = 256 << 10;

/// The shortest credential that is known by its look.
const MIN_CREDENTIAL: usize = 16;

/// The schemes of credentials in a text (RFC 6750, RFC 7617, RFC 9449), in small letters.
const SCHEMES: [&str; 3] = ["bearer", "basic", "dpop"];

/// What was found in one record.
pub(super) struct Secrets<'n> {
    names: &'n SensitiveNames,
    found: Vec<String>,
    bytes: usize,
    digits: bool,
    /// Places that are gone.
    pub(super) erased: Vec<String>,
    /// Places that have another value now.
    pub(super) masked: Vec<String>,
}

impl<'n> Secrets<'n> {
    pub(super) fn new(names: &'n SensitiveNames) -> Self {
        Self { names, found: Vec::new(), bytes: 0, digits: false, erased: Vec::new(), masked: Vec::new() }
    }

    /// Whether there are more than can be looked for.
    pub(super) fn too_many(&self) -> bool {
        self.found.len() > MOST || self.bytes > MOST_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes out what stands under sensitive names, and hides what looks like a credential.
    pub(super) fn take(&mut self, value: &mut Value, at: &mut String) {
        match value {
            Value::String(text) => {
                if self.credential(text) {
                    self.masked.push(at.clone());
                    *value = HIDDEN.into();
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    let length = at.len();
                    at.push('/');
                    at.push_str(&number.to_string());
                    self.take(item, at);
                    at.truncate(length);
                }
            }
            Value::Object(object) => {
                let mut gone = Vec::new();
                for (name, member) in object.iter_mut() {
                    let named = self.names.find(name);
                    let secret_name = name.len() >= MIN_CREDENTIAL && self.credential(name);
                    if named != Named::No || secret_name {
                        self.collect(member, named == Named::Exactly);
                        let shown = if secret_name { HIDDEN.to_owned() } else { escaped(name) };
                        self.erased.push(format!("{at}/{shown}"));
                        gone.push(name.to_owned());
                        continue;
                    }
                    let length = at.len();
                    at.push('/');
                    at.push_str(&escaped(name));
                    self.take(member, at);
                    at.truncate(length);
                }
                for name in gone {
                    object.remove(&name);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Whether a text looks like a credential, or has one in it; it is looked for elsewhere from then on.
    pub(super) fn credential(&mut self, text: &str) -> bool {
        if !look(text).suspects(text) {
            return false;
        }
        self.has_credential(text)
    }

    fn has_credential(&mut self, text: &str) -> bool {
        if let Some(credential) = credential(text).or_else(|| forms::of_an_address(text)) {
            self.remember(credential);
            return true;
        }
        self.parameters(text) || self.json(text)
    }

    /// Whether a text has a sensitive name with its value in it, as queries, forms and cookies have them.
    fn parameters(&mut self, text: &str) -> bool {
        if !text.contains('=') {
            return false;
        }
        let mut found = false;
        for pair in text.split(['?', '&', ';', ',', ' ', '#', '\n']) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let name = name.trim_matches(|c: char| !c.is_alphanumeric());
            if value.len() >= MIN_INSIDE && self.names.find(name) != Named::No {
                self.remember(value);
                found = true;
            }
        }
        found
    }

    /// Whether a text is JSON that has a sensitive name in it: a body that nobody parsed.
    fn json(&mut self, text: &str) -> bool {
        if !text.trim_start().starts_with(['{', '[']) {
            return false;
        }
        serde_json::from_str(text).is_ok_and(|json| self.inside(&json))
    }

    fn inside(&mut self, json: &serde_json::Value) -> bool {
        match json {
            serde_json::Value::Array(items) => {
                // All of them are looked through, whatever the first has.
                let found = items.iter().filter(|item| self.inside(item)).count();
                found > 0
            }
            serde_json::Value::Object(members) => members.iter().fold(false, |found, (name, member)| {
                let named = self.names.find(name) != Named::No;
                match member {
                    serde_json::Value::String(text) if named => self.remember(text),
                    _ => {}
                }
                self.inside(member) || named || found
            }),
            _ => false,
        }
    }

    /// What a value below a hidden place, or one that a rule has hidden, has for texts.
    pub(super) fn collect(&mut self, value: &Value, numbers: bool) {
        match value {
            Value::String(text) => self.remember(text),
            Value::Number(number) if numbers => {
                let digits = number.to_string();
                if digits.len() >= 4 {
                    self.digits = true;
                    self.remember(&digits);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, numbers)),
            Value::Object(object) => object.iter().for_each(|(_, member)| self.collect(member, numbers)),
            _ => {}
        }
    }

    fn remember(&mut self, text: &str) {
        // `Bearer abc` stands elsewhere without its first word.
        let bare = text.split_once(' ').map_or(text, |(_, rest)| rest).trim();
        for text in [text, bare] {
            if text.len() >= MIN_INSIDE && !self.too_many() && !self.found.iter().any(|found| found == text) {
                self.bytes += text.len();
                self.found.push(text.to_owned());
            }
        }
    }

    /// Whether one of the secrets is in a text, or is what the text is a part of.
    pub(super) fn hides(&self, text: &str, least: usize) -> bool {
        self.found.iter().any(|secret| {
            secret.len() >= least && text.contains(secret.as_str())
                || text.len() >= MIN_PART.max(least) && secret.contains(text)
        })
    }

    /// Hides a text that has one of the secrets in it.
    pub(super) fn scrub_text(&self, text: &mut String) -> bool {
        let hides = self.hides(text, MIN_INSIDE);
        if hides {
            HIDDEN.clone_into(text);
        }
        hides
    }

    /// Hides every text below a value that has one of the secrets in it.
    pub(super) fn scrub(&mut self, value: &mut Value, at: &mut String) {
        match value {
            Value::String(text) => {
                let least = if identifies(at) { MIN_IDENTITY } else { MIN_INSIDE };
                if self.hides(text, least) {
                    self.masked.push(at.clone());
                    *value = HIDDEN.into();
                }
            }
            Value::Number(number) => {
                if self.digits && self.found.iter().any(|secret| *secret == number.to_string()) {
                    self.masked.push(at.clone());
                    *value = HIDDEN.into();
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    let length = at.len();
                    at.push('/');
                    at.push_str(&number.to_string());
                    self.scrub(item, at);
                    at.truncate(length);
                }
            }
            Value::Object(object) => {
                let names = object.iter().map(|(name, _)| name).filter(|name| self.hides(name, MIN_IDENTITY));
                let names: Vec<String> = names.map(str::to_owned).collect();
                for name in names {
                    object.remove(&name);
                    self.erased.push(format!("{at}/{HIDDEN}"));
                }
                for (name, member) in object.iter_mut() {
                    let length = at.len();
                    at.push('/');
                    at.push_str(&escaped(name));
                    self.scrub(member, at);
                    at.truncate(length);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// Whether a place says who asked what of what.
fn identifies(at: &str) -> bool {
    matches!(
        at,
        "/input/subject/id"
            | "/input/subject/type"
            | "/input/action/name"
            | "/input/resource/id"
            | "/input/resource/type"
    )
}

/// The first credential in a text: a JSON Web Token or another that begins like one, what follows `Bearer`, `Basic` or
/// `DPoP`, a private key in PEM, a key of a form that a service gives its own.
fn credential(text: &str) -> Option<&str> {
    if text.len() < MIN_CREDENTIAL {
        return None;
    }
    let is_token =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    let run = |from: usize| -> Option<&str> {
        let rest = text.get(from..)?;
        rest.get(..rest.bytes().take_while(is_token).count())
    };
    for (at, _) in text.match_indices("eyJ") {
        if let Some(run) = run(at).filter(|run| run.len() >= MIN_CREDENTIAL) {
            return Some(run);
        }
    }
    if text.contains("PRIVATE KEY-----") {
        return Some(text);
    }
    if let Some(key) = forms::of_a_service(text) {
        return Some(key);
    }
    for (at, _) in text.match_indices(' ') {
        let before = text.get(..at)?;
        let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
            && let Some(run) = run(at + 1).filter(|run| run.len() >= MIN_PART && looks_random(run))
        {
            return Some(run);
        }
    }
    None
}

/// Whether a word is none of a language: `Basic authentication` is no credential.
fn looks_random(word: &str) -> bool {
    let lower = word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-'));
    !lower || word.len() >= 2 * MIN_CREDENTIAL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Object;

    #[test]
    fn knows_credentials_by_their_look() {
        for (text, found) in [
            ("eyJhbGciOiJub25lIn0.e30.", Some("eyJhbGciOiJub25lIn0.e30.")),
            ("no: eyJhbGciOiJub25lIn0 in it", Some("eyJhbGciOiJub25lIn0")),
            ("Bearer s3cr3t-value-1", Some("s3cr3t-value-1")),
            ("sent bearer: Bearer ABCDEFGH", Some("ABCDEFGH")),
            ("authorization: basic dXNlcjpwYXNz", Some("dXNlcjpwYXNz")),
            ("basic authentication is off", None),
            ("eyJ", None),
            ("the heyJude song is long enough", None),
        ] {
            assert_eq!(credential(text), found, "{text}");
        }
    }

    #[test]
    fn takes_secrets_out_and_hides_what_repeats_them() {
        let object: Object = [
            ("clientSecret".to_owned(), Value::from("hunter22")),
            ("note".to_owned(), Value::from("it was hunter22, again")),
            ("part".to_owned(), Value::from("hunter22")),
            ("plain".to_owned(), Value::from("hunting")),
            ("pin".to_owned(), Value::from(4711)),
            ("code".to_owned(), Value::from(4711)),
        ]
        .into_iter()
        .collect();
        let names = SensitiveNames::all();
        let mut secrets = Secrets::new(&names);
        let mut value = Value::Object(object);
        secrets.take(&mut value, &mut "/input".to_owned());
        secrets.scrub(&mut value, &mut "/input".to_owned());
        assert_eq!(secrets.erased, ["/input/clientSecret", "/input/pin"]);
        assert_eq!(secrets.masked, ["/input/code", "/input/note", "/input/part"]);
        let Value::Object(object) = value else { panic!("an object") };
        assert_eq!(object.get("plain"), Some(&Value::from("hunting")));
        assert_eq!(object.get("note"), Some(&Value::from(HIDDEN)));
    }

    #[test]
    fn knows_secrets_in_queries_forms_and_bodies() {
        for text in [
            "/a/b?x=1&access_token=hunter22",
            "grant_type=x&client_secret=hunter22",
            "a=b; session_cookie=hunter22",
            "{\"user\": {\"password\": \"hunter22\"}}",
        ] {
            let names = SensitiveNames::all();
            let mut secrets = Secrets::new(&names);
            assert!(secrets.credential(text) && secrets.hides("it is hunter22", MIN_INSIDE), "{text}");
        }
        let names = SensitiveNames::all();
        for text in ["a=b&c=d", "1 = 2", "{\"user\": 1}", "token", "no token = no entry"] {
            let plain = !Secrets::new(&names).credential(text);
            assert!(plain || text.starts_with("no token"), "{text}");
        }
    }

    #[test]
    fn a_short_secret_does_not_blank_who_asked() {
        let mut secrets = Secrets::new(Box::leak(Box::new(SensitiveNames::all())));
        secrets.collect(&Value::from("alice"), true);
        let mut id = Value::from("alice");
        secrets.scrub(&mut id, &mut "/input/subject/id".to_owned());
        assert_eq!(id, Value::from("alice"));
        secrets.scrub(&mut id, &mut "/input/context/name".to_owned());
        assert_eq!(id, Value::from(HIDDEN));
    }
}
