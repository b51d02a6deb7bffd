//! Names of members that hold secrets: what explanations hide, and what no record keeps.

/// Names of members whose values are secret, compared without regard to case; also as the last word of a longer name
/// (`client_secret`, `accessToken`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensitiveNames {
    names: Vec<String>,
    /// Where the names with a last byte are in the list: few names end as one does.
    ends: Vec<(u8, Vec<usize>)>,
    /// The last bytes of all of them.
    last: Box<[bool; 256]>,
}

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
        let mut all = Self { names: Vec::new(), ends: Vec::new(), last: Box::new([false; 256]) };
        names.into_iter().for_each(|name| all.push(&name));
        all
    }

    /// The default names and all others that usually hold secrets.
    #[must_use]
    pub fn all() -> Self {
        Self::new(BASIC.into_iter().chain(FURTHER).map(str::to_owned))
    }

    /// The names, in small letters.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Adds a name.
    pub fn push(&mut self, name: &str) {
        let name = name.to_lowercase();
        let number = self.names.len();
        // An empty name is everybody's last word: it would be found with every end.
        let ends: Vec<u8> = name.bytes().last().map_or_else(|| (0..=u8::MAX).collect(), |last| vec![last]);
        for end in ends {
            if let Some(known) = self.last.get_mut(usize::from(end)) {
                *known = true;
            }
            match self.ends.iter_mut().find(|(known, _)| *known == end) {
                Some((_, numbers)) => numbers.push(number),
                None => self.ends.push((end, vec![number])),
            }
        }
        self.names.push(name);
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
        let end = bytes.last().map_or(0, u8::to_ascii_lowercase);
        if !self.last.get(usize::from(end)).copied().unwrap_or_default() {
            return found;
        }
        let ends = self.ends.iter().find(|(known, _)| *known == end).map(|(_, numbers)| numbers.as_slice());
        for hidden in ends.unwrap_or_default().iter().filter_map(|number| self.names.get(*number)) {
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
        for hidden in &self.names {
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
