//! Whether a request's body is a message of the Model Context Protocol, and what it then says.

use super::input::Headers;
use crate::decision::Value;

/// The message, for the policy's `input.mcp`; `None` for what is none.
pub(super) fn message(_headers: &Headers, _body: &[u8]) -> Option<Value> {
    None
}
