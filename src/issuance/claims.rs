//! Claims that a policy may add to a token, and those that it may not.

/// Claims that are the authorization server's own, or have a place of their own in the answer (AuthZEN Profile for OAuth
/// 2.0 Token Issuance, "claims"), and those that say how the subject was authenticated.
pub const RESERVED: [&str; 16] = [
    "iss",
    "iat",
    "jti",
    "sub",
    "aud",
    "exp",
    "nbf",
    "scope",
    "client_id",
    "cnf",
    "act",
    "authorization_details",
    "may_act",
    "acr",
    "amr",
    "auth_time",
];

/// Why a claim is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is one of [`RESERVED`].
    Reserved,
    /// It could be taken for one: in other letters, or spelled otherwise.
    Lookalike,
}

/// Whether a claim of that name is left out, or could be taken for one that is: some readers ignore case, separators or
/// what can't be seen. So a name is of visible ASCII, as URIs are, and what is left of it without case and separators
/// is none of [`RESERVED`].
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    cause(name).is_some()
}

pub(super) fn cause(name: &str) -> Option<Cause> {
    if RESERVED.contains(&name) {
        return Some(Cause::Reserved);
    }
    let bare = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let visible = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    let plain = bare(name);
    (!visible || RESERVED.iter().any(|reserved| bare(reserved) == plain)).then_some(Cause::Lookalike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_claim_is_known_in_any_spelling() {
        for name in RESERVED {
            assert_eq!(cause(name), Some(Cause::Reserved));
            for other in [
                name.to_uppercase(),
                format!("{name} "),
                format!("\u{200b}{name}"),
                name.replace('_', "-"),
                name.replace('s', "\u{455}") + "\u{301}",
                name.chars().map(|letter| char::from_u32(u32::from(letter) + 0xfee0).unwrap()).collect(),
                format!("_{name}_"),
            ] {
                assert!(is_reserved(&other), "{other}");
            }
        }
        for name in ["clientId", "CLIENT-ID", "authorizationDetails", "may.act", "", "\0", "ѕub", "ſub"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["groups", "https://example.com/sub", "tenant", "max_transfer_eur", "actor", "subject", "lat"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
