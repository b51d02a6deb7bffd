//! Messages of commands to the port's words; every fault of a message is named.

use crate::api::{
    administration::{Expected, Patch, Target, operations},
    grpc::proto::{ExpectedRevision, PatchDataRequest, activate_request},
    status::{CallError, FieldViolation},
};
use crate::decision::Digest;

/// What a command says of what must be active.
pub(super) type Expecting = Option<ExpectedRevision>;

/// An error about one field.
pub(super) fn violation(field: &str, description: impl Into<String>) -> CallError {
    CallError::InvalidRequest(vec![FieldViolation::new(field, description)])
}

pub(super) fn expected(message: Expecting) -> Result<Expected, CallError> {
    let ExpectedRevision { sequence, digest: text } = message.unwrap_or_default();
    let digest = if text.is_empty() { None } else { Some(digest("expected.digest", &text)?) };
    Ok(Expected { sequence: (sequence > 0).then_some(sequence), digest })
}

pub(super) fn target(message: Option<activate_request::Target>) -> Result<Target, CallError> {
    match message {
        Some(activate_request::Target::Sequence(sequence)) => Ok(Target::Sequence(sequence)),
        Some(activate_request::Target::Digest(text)) => digest("digest", &text).map(Target::Digest),
        None => Err(violation("target", "is missing; name a revision by `sequence` or `digest`")),
    }
}

pub(super) fn patch(message: PatchDataRequest) -> Result<Patch, CallError> {
    let PatchDataRequest { operations_json, expected: expecting } = message;
    let expected = expected(expecting)?;
    let operations = operations(&operations_json).map_err(|why| violation("operations_json", why.to_string()))?;
    Ok(Patch { operations, expected })
}

fn digest(field: &str, text: &str) -> Result<Digest, CallError> {
    text.parse().map_err(|invalid| violation(field, format!("is {invalid}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(error: &CallError) -> Vec<&str> {
        let CallError::InvalidRequest(violations) = error else { panic!("{error}") };
        violations.iter().map(|violation| violation.field.as_str()).collect()
    }

    #[test]
    fn what_is_not_given_is_not_expected() {
        assert_eq!(expected(None), Ok(Expected::default()));
        assert_eq!(expected(Some(ExpectedRevision::default())), Ok(Expected::default()));
        let digest = Digest([9; 32]);
        let message = ExpectedRevision { sequence: 4, digest: digest.to_string() };
        assert_eq!(expected(Some(message)), Ok(Expected { sequence: Some(4), digest: Some(digest) }));
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        let message = ExpectedRevision { sequence: 4, digest: "sha256:1".to_owned() };
        assert_eq!(fields(&expected(Some(message)).unwrap_err()), ["expected.digest"]);
        assert_eq!(fields(&target(None).unwrap_err()), ["target"]);
        let digest = Some(activate_request::Target::Digest("x".to_owned()));
        assert_eq!(fields(&target(digest).unwrap_err()), ["digest"]);
        let message = PatchDataRequest { operations_json: b"{}".to_vec(), expected: None };
        assert_eq!(fields(&patch(message).unwrap_err()), ["operations_json"]);
    }
}
