//! Pages of a search (§8.2). A token says where the next page begins, and is good for one question, one snapshot and
//! this process only: it is authenticated over all of them.

use aws_lc_rs::{
    hmac::{self, HMAC_SHA256, Key},
    rand::SystemRandom,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::NoRandomness;
use crate::{
    api::{
        json::written_object,
        status::{CallError, FieldViolation},
    },
    decision::{Number, Object, Query, Revision, Searched, Value},
};

/// The first byte of a token of this form.
const FORM: u8 = 1;

/// A token: its form, the snapshot's sequence number, the position, and the tag over these and the question.
const TOKEN: usize = 1 + 8 + 8 + 32;

/// Makes and reads tokens.
pub(super) struct Pages(Key);

/// What a request says of the page that it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Of the page before.
    pub(super) token: Option<String>,
    /// The most results.
    pub(super) limit: Option<usize>,
}

/// What a token is bound to.
pub(super) struct Bound {
    question: Vec<u8>,
    revision: Revision,
}

impl Bound {
    /// To this question of this search on that snapshot.
    pub(super) fn to(query: &Query, searched: Searched, revision: Revision) -> Self {
        let Query { subject, action, resource, context, policy, .. } = query;
        // The names of objects are in order, so equal questions are equal texts.
        let question = json!([
            searched.member(),
            subject.kind,
            subject.id,
            written_object(&subject.properties),
            action.name,
            written_object(&action.properties),
            resource.kind,
            resource.id,
            written_object(&resource.properties),
            written_object(context),
            policy.as_ref().map(crate::decision::EntryPoint::as_str),
        ]);
        Self { question: question.to_string().into_bytes(), revision }
    }
}

impl Pages {
    /// With a key of this process.
    pub(super) fn new() -> Result<Self, NoRandomness> {
        Key::generate(HMAC_SHA256, &SystemRandom::new()).map(Self).map_err(|_| NoRandomness)
    }

    /// The token of the page that begins at `position`.
    pub(super) fn token(&self, position: usize, bound: &Bound) -> String {
        let mut token = head(bound.revision.sequence, position as u64);
        let tag = hmac::sign(&self.0, &signed(&token, bound));
        token.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Where the page of a token begins.
    pub(super) fn position(&self, token: &str, bound: &Bound) -> Result<usize, CallError> {
        let fault = |fault: &str| CallError::InvalidQuery(vec![FieldViolation::new("page.token", fault)]);
        let none = || fault("is none that this server gave; search from the beginning");
        // No longer text is decoded.
        let bytes =
            Some(token).filter(|token| token.len() <= 2 * TOKEN).and_then(|token| URL_SAFE_NO_PAD.decode(token).ok());
        let bytes: [u8; TOKEN] = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(none)?;
        let (head, tag) = bytes.split_at(TOKEN - 32);
        let [FORM, sequence @ .., _, _, _, _, _, _, _, _] = head else { return Err(none()) };
        if sequence != bound.revision.sequence.to_be_bytes() {
            return Err(fault("is of other policies or data than are active now; search from the beginning"));
        }
        if hmac::verify(&self.0, &signed(head, bound), tag).is_err() {
            return Err(fault("is not of this question, or not of this server; search from the beginning"));
        }
        let position = head.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(none)?;
        usize::try_from(position).map_err(|_| none())
    }
}

impl Wanted {
    /// Takes `page` out of a request (§8.2.1). Before 1.0 was final, the token was called `next_token` there.
    pub(super) fn take(request: &mut Object) -> Result<Option<Self>, CallError> {
        let invalid = |field: &str, fault: &str| Err(CallError::InvalidQuery(vec![FieldViolation::new(field, fault)]));
        let mut page = match request.remove("page") {
            None => return Ok(None),
            Some(Value::Object(page)) => page,
            Some(_) => return invalid("page", "is not an object"),
        };
        let token = match page.remove("token").or_else(|| page.remove("next_token")) {
            None => None,
            Some(Value::String(token)) => Some(token).filter(|token| !token.is_empty()),
            Some(_) => return invalid("page.token", "is not a string"),
        };
        let limit = match page.remove("limit") {
            None => None,
            Some(Value::Number(Number::Int(limit))) if limit >= 0 => Some(usize::try_from(limit).unwrap_or(usize::MAX)),
            Some(Value::Number(Number::UInt(_))) => Some(usize::MAX),
            Some(_) => return invalid("page.limit", "is not a whole number from 0 on"),
        };
        Ok(Some(Self { token, limit }))
    }
}

fn head(sequence: u64, position: u64) -> Vec<u8> {
    [&[FORM][..], &sequence.to_be_bytes(), &position.to_be_bytes()].concat()
}

fn signed(head: &[u8], bound: &Bound) -> Vec<u8> {
    [head, &bound.revision.digest.0, &bound.question].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Digest;

    fn bound(subject: &str, sequence: u64, searched: Searched) -> Bound {
        let mut query = Query::default();
        subject.clone_into(&mut query.subject.id);
        Bound::to(&query, searched, Revision { sequence, digest: Digest([7; 32]), ..Revision::default() })
    }

    #[test]
    fn a_token_is_good_for_its_question_snapshot_and_process_only() {
        let (pages, others) = (Pages::new().unwrap(), Pages::new().unwrap());
        let its = || bound("alice", 3, Searched::Resource);
        let token = pages.token(513, &its());
        assert_eq!(pages.position(&token, &its()), Ok(513));
        for (pages, bound) in [
            (&pages, bound("bob", 3, Searched::Resource)),
            (&pages, bound("alice", 4, Searched::Resource)),
            (&pages, bound("alice", 3, Searched::Action)),
            (&others, its()),
        ] {
            assert!(pages.position(&token, &bound).is_err());
        }
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed() {
        let pages = Pages::new().unwrap();
        let its = || bound("alice", 3, Searched::Subject);
        let token = pages.token(1, &its());
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(pages.position(&URL_SAFE_NO_PAD.encode(changed), &its()).is_err(), "{at}");
        }
        for text in ["", "x", &token[1..], &format!("{token}A"), &"A".repeat(1 << 20), "é"] {
            assert!(pages.position(text, &its()).is_err());
        }
    }
}
