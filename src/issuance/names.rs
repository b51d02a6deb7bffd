//! Short names of token types and grant types, of which the names of gates are made (AuthZEN Profile for OAuth 2.0 Token
//! Issuance, "AuthZEN Token Issuance Action Names Registry").

/// What a type gets whose identifier has no short name; policies see the identifier itself beside it.
const UNREGISTERED: &str = "unregistered";

const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:";

/// A type of token (RFC 8693 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenType {
    short: String,
    given: String,
}

/// A type of grant (RFC 6749 §4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantType {
    short: String,
    given: String,
}

impl TokenType {
    /// The type of that identifier or short name.
    #[must_use]
    pub fn new(given: &str) -> Self {
        let short = match given.strip_prefix(TOKEN_TYPE) {
            Some("id-jag") => "id_jag",
            Some(name @ ("access_token" | "refresh_token" | "id_token" | "saml1" | "saml2" | "jwt" | "txn_token")) => {
                name
            }
            None if is_short_name(given) => given,
            _ => UNREGISTERED,
        };
        Self { short: short.to_owned(), given: given.to_owned() }
    }

    /// The short name.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.short
    }

    /// As it was given.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Whether it outlives the access that it stands for.
    #[must_use]
    pub fn is_refresh(&self) -> bool {
        self.short == "refresh_token"
    }
}

impl GrantType {
    /// The type of that identifier or short name.
    #[must_use]
    pub fn new(given: &str) -> Self {
        let short = match given.strip_prefix(GRANT_TYPE) {
            Some("token-exchange") => "token_exchange",
            Some("device_code") => "device_code",
            Some("jwt-bearer") => "jwt_bearer",
            Some("saml2-bearer") => "saml2_bearer",
            None if given == "urn:openid:params:grant-type:ciba" => "ciba",
            None if is_short_name(given) => given,
            _ => UNREGISTERED,
        };
        Self { short: short.to_owned(), given: given.to_owned() }
    }

    /// The short name.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.short
    }

    /// As it was given.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Whether one party may get a token for another (RFC 8693).
    #[must_use]
    pub fn is_exchange(&self) -> bool {
        self.short == "token_exchange"
    }
}

/// Whether a text is a short name: `[a-z][a-z0-9_]{0,20}`.
#[must_use]
pub fn is_short_name(text: &str) -> bool {
    text.len() <= 21
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The two short names in the name of a gate, `issue:<token-type>:<grant-type>`.
#[must_use]
pub fn gate_name(action: &str) -> Option<(TokenType, GrantType)> {
    let (token, grant) = action.strip_prefix("issue:")?.split_once(':')?;
    (is_short_name(token) && is_short_name(grant)).then(|| (TokenType::new(token), GrantType::new(grant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_short_names() {
        for (given, short) in [
            ("urn:ietf:params:oauth:grant-type:token-exchange", "token_exchange"),
            ("token_exchange", "token_exchange"),
            ("client_credentials", "client_credentials"),
            ("urn:openid:params:grant-type:ciba", "ciba"),
            ("urn:example:token-exchange", "unregistered"),
            ("urn:ietf:params:oauth:grant-type:client_credentials", "unregistered"),
            ("Token_Exchange", "unregistered"),
        ] {
            assert_eq!(GrantType::new(given).short(), short);
            assert_eq!(GrantType::new(given).given(), given);
        }
        assert_eq!(TokenType::new("urn:ietf:params:oauth:token-type:id-jag").short(), "id_jag");
        assert_eq!(TokenType::new("urn:ietf:params:oauth:token-type:new").short(), "unregistered");
    }

    #[test]
    fn a_gate_has_two_short_names() {
        let (token, grant) = gate_name("issue:access_token:token_exchange").unwrap();
        assert_eq!((token.short(), grant.short()), ("access_token", "token_exchange"));
        let long = "a".repeat(22);
        for name in
            ["issue", "issue:a", "issue:a:", "issue::b", "issue:a:b:c", "issue:A:b", "issue:a-b:c", "xissue:a:b"]
        {
            assert!(gate_name(name).is_none(), "{name}");
        }
        assert!(gate_name(&format!("issue:a:{long}")).is_none());
    }
}
