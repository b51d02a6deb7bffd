//! Names of members that hold secrets: what explanations hide, and what no record keeps.

/// Names of members whose values are secret, compared without regard to case, `_` and `-` (`secretKey`, `secret-key`); also
/// as the last words of a longer name (`client_secret`, `accessToken`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensitiveNames {
    names: Vec<Known>,
    /// Where the names with a last byte are in the list: few names end as one does.
    ends: Vec<(u8, Vec<usize>)>,
    /// The last bytes of all of them.
    last: Box<[bool; 256]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// In small letters.
    name: String,
    /// The same without `_` and `-`.
    bare: String,
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
const FURTHER: [&str; 27] = [
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pin",
    "otp",
    "totp",
    "cookies",
    "set_cookie",
    "api_key",
    "access_key",
    "private_key",
    "secret_key",
    "signing_key",
    "encryption_key",
    "client_assertion",
    "code_verifier",
    "credential",
    "credentials",
    "jwt",
    "secrets",
    "tokens",
    "session_id",
    "jsessionid",
    "phpsessid",
    "sessid",
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
        self.names.iter().map(|known| known.name.as_str())
    }

    /// Adds a name.
    pub fn push(&mut self, name: &str) {
        let number = self.names.len();
        let bare: String = name.chars().filter(|one| !parts(*one)).flat_map(char::to_lowercase).collect();
        // One of `_` and `-` alone is found as it is.
        if let Some(end) = bare.bytes().last() {
            if let Some(known) = self.last.get_mut(usize::from(end)) {
                *known = true;
            }
            match self.ends.iter_mut().find(|(known, _)| *known == end) {
                Some((_, numbers)) => numbers.push(number),
                None => self.ends.push((end, vec![number])),
            }
        }
        self.names.push(Known { name: name.to_lowercase(), bare });
    }

    /// Whether `name` is one of them.
    #[must_use]
    pub fn find(&self, name: &str) -> Named {
        if name.is_ascii() { self.find_ascii(name) } else { self.find_any(name) }
    }

    // The same as `find_any`, without a copy: it is asked of every member of every record.
    fn find_ascii(&self, name: &str) -> Named {
        let Some(end) = name.bytes().rev().find(|byte| !parts(char::from(*byte))) else {
            let known = self.names.iter().any(|known| known.name == name);
            return if known { Named::Exactly } else { Named::No };
        };
        let end = end.to_ascii_lowercase();
        if !self.last.get(usize::from(end)).copied().unwrap_or_default() {
            return Named::No;
        }
        let ends = self.ends.iter().find(|(known, _)| *known == end).map(|(_, numbers)| numbers.as_slice());
        let hidden = ends.unwrap_or_default().iter().filter_map(|number| self.names.get(*number));
        let backwards =
            || name.bytes().rev().map(|byte| (char::from(byte.to_ascii_lowercase()), byte.is_ascii_uppercase()));
        hidden.fold(Named::No, |found, hidden| {
            found.or(ends_with(backwards(), hidden.bare.bytes().rev().map(char::from)))
        })
    }

    fn find_any(&self, name: &str) -> Named {
        let backwards = || {
            name.chars().rev().flat_map(|one| one.to_lowercase().rev().map(move |small| (small, one.is_uppercase())))
        };
        if name.chars().all(parts) {
            return self.find_ascii(name);
        }
        let hidden = self.names.iter().filter(|hidden| !hidden.bare.is_empty());
        hidden.fold(Named::No, |found, hidden| found.or(ends_with(backwards(), hidden.bare.chars().rev())))
    }
}

impl Named {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exactly, _) | (_, Self::Exactly) => Self::Exactly,
            (Self::AtItsEnd, _) | (_, Self::AtItsEnd) => Self::AtItsEnd,
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// What stands between the words of a name.
fn parts(one: char) -> bool {
    matches!(one, '_' | '-')
}

/// Whether a name ends with a hidden one, where a word begins. Both backwards: of the name small letters, and whether they
/// were capital ones.
fn ends_with(mut name: impl Iterator<Item = (char, bool)>, hidden: impl Iterator<Item = char>) -> Named {
    let mut capital = false;
    for wanted in hidden {
        match name.find(|(one, _)| !parts(*one)) {
            Some((one, was)) if one == wanted => capital = was,
            _ => return Named::No,
        }
    }
    match name.next() {
        None => Named::Exactly,
        Some((one, _)) if parts(one) && name.all(|(one, _)| parts(one)) => Named::Exactly,
        Some((one, _)) if parts(one) || capital => Named::AtItsEnd,
        Some(_) => Named::No,
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
            ("secretKey", Named::Exactly),
            ("secret-key", Named::Exactly),
            ("SECRET_KEY", Named::Exactly),
            ("accessKey", Named::Exactly),
            ("secretAccessKey", Named::AtItsEnd),
            ("aws_secret_access_key", Named::AtItsEnd),
            ("pass-word_", Named::Exactly),
            ("_token", Named::Exactly),
            ("sessionId", Named::Exactly),
            ("codeVerifier", Named::Exactly),
            ("shop_in", Named::No),
            ("publickey", Named::No),
            ("_", Named::No),
        ] {
            assert_eq!(names.find_ascii(name), named, "{name}");
            assert_eq!(names.find_any(name), named, "{name}");
        }
        assert_eq!(names.find("größe_token"), Named::AtItsEnd);
        assert_eq!(names.find("größeToken"), Named::AtItsEnd);
        assert_eq!(names.find("größetoken"), Named::No);
        let odd = SensitiveNames::new(["_".to_owned(), "Maß-Zahl".to_owned()]);
        assert_eq!((odd.find("_"), odd.find("a_")), (Named::Exactly, Named::No));
        assert_eq!((odd.find("maßzahl"), odd.find("seineMaßzahl")), (Named::Exactly, Named::AtItsEnd));
    }
}
