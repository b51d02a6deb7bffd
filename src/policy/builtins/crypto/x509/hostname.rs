//! Whether a certificate is for a host (RFC 6125 §6.4, RFC 2818 §3.1). The common name is never looked at.

use std::net::IpAddr;

use super::extension::Names;

/// Whether these names cover `host`.
pub(super) fn covers(names: &Names, host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = address.parse::<IpAddr>() {
        return names.addresses.iter().any(|bytes| ip(bytes) == Some(address.to_canonical()));
    }
    let host = host.to_ascii_lowercase();
    let valid = is_valid(host.strip_suffix('.').unwrap_or(&host), false);
    names.dns.iter().any(|pattern| {
        let pattern = pattern.to_ascii_lowercase();
        if valid && is_valid(&pattern, true) {
            matches(&pattern, host.strip_suffix('.').unwrap_or(&host))
        } else {
            !pattern.is_empty() && pattern != "." && pattern == host
        }
    })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    Some(address.to_canonical())
}

/// Whether `pattern`, whose first label may be `*`, covers `host`.
fn matches(pattern: &str, host: &str) -> bool {
    let (patterns, labels) = (pattern.split('.'), host.split('.'));
    patterns.clone().count() == labels.clone().count()
        && patterns
            .zip(labels)
            .enumerate()
            .all(|(at, (pattern, label))| (at == 0 && pattern == "*") || pattern == label)
}

fn is_valid(host: &str, pattern: bool) -> bool {
    host != "*"
        && host.split('.').enumerate().all(|(at, label)| {
            let character =
                |(at, byte): (usize, u8)| byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b'-' && at != 0);
            (pattern && at == 0 && label == "*") || (!label.is_empty() && label.bytes().enumerate().all(character))
        })
}
