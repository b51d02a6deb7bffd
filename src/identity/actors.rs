//! Delegation: the chain of `act` claims (RFC 8693 §4.1) as a list.

use super::Invalid;
use crate::decision::{Object, Value};

/// The longest chain of actors.
const DEEPEST: usize = 16;

/// The actors, the outermost (who acts now) first, each without its own `act`.
pub(super) fn of(claims: &Object) -> Result<Value, Invalid> {
    let mut actors = Vec::new();
    let mut next = claims.get("act").cloned();
    while let Some(actor) = next {
        let Value::Object(mut actor) = actor else { return Err(Invalid::Malformed("an `act` is no object")) };
        next = actor.remove("act");
        actors.push(Value::Object(actor));
        if actors.len() > DEEPEST {
            return Err(Invalid::Malformed("it has more actors than are read"));
        }
    }
    Ok(Value::Array(actors))
}
