//! Names of members that hold secrets: what explanations hide, and what no record keeps.

/// Names of members whose values are secret, compared without regard to case; also as the last word of a longer name
/// (`client_secret`, `accessToken`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensitiveNames(Vec<String>);

/// Whether a member's name is a sensitive one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is not.
    No,
    /// It is one.
    Exactly,
    /// Its last word is one.
    AtItsEnd,
}

/// Names that always hold what nobody but the holder may know.
const BASIC: [&str; 5] = ["password", "secret", "token", "authorization", "cookie"];

/// Further names, hidden where nobody looks at what is lost by it.
const FURTHER: [&str; 21] = [
    "passwd",
    "passphrase",
    "pwd",
    "pin",
    "otp",
    "cookies",
    "set-cookie",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "private_key",
    "private-key",
    "privatekey",
    "secret_key",
    "client_assertion",
    "credential",
    "credentials",
    "jwt",
    "secrets",
    "tokens",
];

impl Default for SensitiveNames {
    fn default() -> Self {
        Self::new(BASIC.map(str::to_owned))
    }
}

impl SensitiveNames {
    /// These names.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_lowercase()).collect())
    }

    /// The default names and all others that usually hold secrets.
    #[must_use]
    pub fn all() -> Self {
        Self::new(BASIC.into_iter().chain(FURTHER).map(str::to_owned))
    }

    /// The names, in small letters.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Adds a name.
    pub fn push(&mut self, name: &str) {
        self.0.push(name.to_lowercase());
    }

    /// Whether `name` is one of them.
    #[must_use]
    pub fn find(&self, name: &str) -> Named {
        if name.is_ascii() { self.find_ascii(name) } else { self.find_any(name) }
    }

    // The same as `find_any`, without a copy: it is asked of every member of every record.
    fn find_ascii(&self, name: &str) -> Named {
        let bytes = name.as_bytes();
        let mut found = Named::No;
        for hidden in &self.0 {
            let Some(before) = bytes.len().checked_sub(hidden.len()) else { continue };
            let (head, tail) = bytes.split_at(before);
            if !tail.eq_ignore_ascii_case(hidden.as_bytes()) {
                continue;
            }
            match (head.last(), tail.first()) {
                (None, _) => return Named::Exactly,
                (Some(b'_' | b'-'), _) => found = Named::AtItsEnd,
                (_, Some(first)) if first.is_ascii_uppercase() => found = Named::AtItsEnd,
                _ => {}
            }
        }
        found
    }

    fn find_any(&self, name: &str) -> Named {
        let lower = name.to_lowercase();
        let mut found = Named::No;
        for hidden in &self.0 {
            let Some(before) = lower.strip_suffix(hidden.as_str()) else { continue };
            if before.is_empty() {
                return Named::Exactly;
            }
            let first = name.get(before.len()..).and_then(|rest| rest.chars().next());
            if before.ends_with(['_', '-']) || first.is_some_and(char::is_uppercase) {
                found = Named::AtItsEnd;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_look_see_the_same() {
        let names = SensitiveNames::all();
        for (name, named) in [
            ("password", Named::Exactly),
            ("PassWord", Named::Exactly),
            ("client_secret", Named::AtItsEnd),
            ("accessToken", Named::AtItsEnd),
            ("x-api-key", Named::AtItsEnd),
            ("Set-Cookie", Named::Exactly),
            ("broken", Named::No),
            ("mytoken", Named::No),
            ("token_count", Named::No),
            ("", Named::No),
        ] {
            assert_eq!(names.find_ascii(name), named, "{name}");
            assert_eq!(names.find_any(name), named, "{name}");
        }
        assert_eq!(names.find("größe_token"), Named::AtItsEnd);
    }
}
