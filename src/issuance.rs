//! Whether a token may be issued, and with what: the question of an authorization server, put to the policy of issuance.
//!
//! Pure: a [`Request`] becomes one question a party, put to one snapshot; what the policy answers is cut to what was
//! asked and to the configured ceilings, whatever it says. The one promise: an [`Answer`] is never broader than its
//! request. `docs/issuance.md` has the policy's side.

mod answer;
mod claims;
mod config;
mod details;
mod grant;
mod names;
mod narrow;
mod party;
mod request;
mod rule;

pub use self::{
    answer::{Answer, Cut, Refusal, code},
    claims::{RESERVED, is_reserved},
    config::{Ceiling, Config},
    details::covers,
    names::{GrantType, TokenType, gate_name, is_short_name},
    request::{Actor, Authentication, Binding, Client, MAX_ACTORS, Party, Request, Violation},
    rule::{Issuance, authorize},
};

#[cfg(test)]
mod tests;
