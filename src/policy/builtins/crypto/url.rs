//! A URL taken apart and put together as Go does it (RFC 3986, with Go's leniency).

/// A part of a URL, by what may stand in it as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Fragment,
}

/// A URL.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Url {
    pub(in super::super) scheme: String,
    pub(in super::super) opaque: String,
    /// As it was written.
    pub(in super::super) user: Option<String>,
    pub(in super::super) host: String,
    pub(in super::super) path: String,
    /// The path as it was written, where that is not how it would be escaped.
    pub(in super::super) raw_path: String,
    pub(in super::super) raw_query: String,
    pub(in super::super) force_query: bool,
    pub(in super::super) fragment: String,
    pub(in super::super) raw_fragment: String,
    pub(in super::super) omit_host: bool,
}

impl Url {
    /// `None` for what Go does not take.
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return None;
        }
        let mut url = Self::default();
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        (url.fragment, url.raw_fragment) = decoded(fragment, Part::Fragment)?;
        let mut rest = text;
        if let Some((scheme, after)) = scheme(text)? {
            url.scheme = scheme.to_ascii_lowercase();
            rest = after;
        }
        match rest.split_once('?') {
            Some((before, "")) => (rest, url.force_query) = (before, true),
            Some((before, query)) => {
                rest = before;
                query.clone_into(&mut url.raw_query);
            }
            None => {}
        }
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Some(url);
            }
            if rest.split('/').next().is_some_and(|first| first.contains(':')) {
                return None;
            }
        }
        if let Some(after) = rest.strip_prefix("//").filter(|after| !url.scheme.is_empty() || !after.starts_with('/')) {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            (url.user, url.host) = self::authority(authority)?;
            rest = path;
        } else if !url.scheme.is_empty() && rest.starts_with('/') {
            url.omit_host = true;
        }
        (url.path, url.raw_path) = decoded(rest, Part::Path)?;
        Some(url)
    }

    /// The path as it is written.
    pub(in super::super) fn escaped_path(&self) -> String {
        let valid = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || !is_escaped(byte, Part::Path);
        if !self.raw_path.is_empty() && self.raw_path.bytes().all(valid) {
            return self.raw_path.clone();
        }
        if self.path == "*" { "*".to_owned() } else { escape(&self.path, Part::Path) }
    }

    fn escaped_fragment(&self) -> String {
        let valid = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || !is_escaped(byte, Part::Fragment);
        if !self.raw_fragment.is_empty() && self.raw_fragment.bytes().all(valid) {
            return self.raw_fragment.clone();
        }
        escape(&self.fragment, Part::Fragment)
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.scheme.is_empty() {
            write!(formatter, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            let path = self.escaped_path();
            if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
                if !(self.omit_host && self.host.is_empty() && self.user.is_none()) {
                    if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                        formatter.write_str("//")?;
                    }
                    if let Some(user) = &self.user {
                        write!(formatter, "{user}@")?;
                    }
                    formatter.write_str(&self.host)?;
                }
                if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                    formatter.write_str("/")?;
                }
            }
            formatter.write_str(&path)?;
        } else {
            formatter.write_str(&self.opaque)?;
        }
        if self.force_query || !self.raw_query.is_empty() {
            write!(formatter, "?{}", self.raw_query)?;
        }
        if !self.fragment.is_empty() {
            write!(formatter, "#{}", self.escaped_fragment())?;
        }
        Ok(())
    }
}

/// The scheme and what is after it; the outer `None` is an error.
#[expect(clippy::option_option, reason = "the outer is an error, the inner what is not there")]
fn scheme(text: &str) -> Option<Option<(&str, &str)>> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some(text.split_once(':')),
            _ => return Some(None),
        }
    }
    Some(None)
}

/// The user and the host.
fn authority(text: &str) -> Option<(Option<String>, String)> {
    let (user, host) = match text.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, text),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if user.is_some_and(|user| !user.bytes().all(allowed) || unescape(user).is_none()) {
        return None;
    }
    let port = if host.starts_with('[') {
        host.rsplit_once(']')?.1
    } else {
        host.find(':').and_then(|at| host.get(at..)).unwrap_or_default()
    };
    let valid_port =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    if !valid_port {
        return None;
    }
    let allowed = |byte: u8| byte >= 0x80 || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]<>\"%".contains(&byte);
    // Only bytes that are no ASCII may be escaped in a host.
    if !host.bytes().all(allowed)
        || host
            .match_indices('%')
            .any(|(at, _)| !matches!(host.as_bytes().get(at + 1), Some(b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F')))
    {
        return None;
    }
    Some((user.map(str::to_owned), unescape(host)?))
}

/// A part without its escapes, and as it was written where that is not the usual form.
fn decoded(text: &str, part: Part) -> Option<(String, String)> {
    let plain = unescape(text)?;
    let raw = if escape(&plain, part) == text { String::new() } else { text.to_owned() };
    Some((plain, raw))
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let [high, low] = digits else { return None };
            bytes.push((hex(high)? << 4) | hex(low)?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn escape(text: &str, part: Part) -> String {
    use std::fmt::Write as _;

    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_escaped(byte, part) {
            // Writing to a string can't fail.
            let _ = write!(escaped, "%{byte:02X}");
        } else {
            escaped.push(char::from(byte));
        }
    }
    escaped
}

fn is_escaped(byte: u8, part: Part) -> bool {
    match byte {
        b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'@' => false,
        b'?' | b'!' | b'(' | b')' | b'*' => part == Part::Path,
        other => !other.is_ascii_alphanumeric(),
    }
}
