//! Credentials in questions: what a door hands on, and the port that tells whom they prove.
//!
//! A door reads a question to `Asked`; only `Asked::admit` makes a [`Query`] of it, so that none is evaluated whose
//! credential was not looked at. What does not prove whom the question is about is a deny that says why.

mod document;
mod place;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    time::Duration,
};

use futures::FutureExt as _;

pub(super) use self::place::bearer;
pub use self::place::{CredentialAt, InvalidPlace};
use crate::{
    api::{
        caller::{self, outside},
        status::CallError,
    },
    decision::{Input, Query, Reason, Value, Verdict, code},
    identity::{Caller, Invalid, Proof, Secret},
};

/// What is kept of a caller's time to tell it that nothing could be told of its credential in time.
const TO_ANSWER: Duration = Duration::from_millis(50);

/// What a question carries. Its `Debug` shows nothing of the token.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The token.
    pub token: Secret,
    /// What the enforcement point has verified of the key that it is bound to.
    pub proof: Proof,
}

/// Who tells whom a credential proves. Total: what can't be told is [`Invalid`].
pub trait Credentials: Send + Sync {
    /// Whom the credential proves now. What it takes a network to tell comes later.
    fn verify(&self, credential: Credential) -> Checked;

    /// Whether any credential can be good. Then what `input.token` says is nobody's but Verdict's, at every door.
    fn are_configured(&self) -> bool {
        true
    }
}

/// Whom a credential proves, at once or later.
pub enum Checked {
    /// This.
    Now(Result<Caller, Invalid>),
    /// What is to come, and what it is if that does not come in time.
    Later(Pin<Box<dyn Future<Output = Result<Caller, Invalid>> + Send>>, Invalid),
}

/// No credential is good.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Credentials for Nobody {
    fn verify(&self, _: Credential) -> Checked {
        Checked::Now(Err(Invalid::NotConfigured))
    }

    fn are_configured(&self) -> bool {
        false
    }
}

/// A question as a door has read it: not yet one that may be evaluated.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    query: Query,
    has_subject: bool,
    credential: Option<Credential>,
}

/// Why a question may not be evaluated.
#[derive(Debug)]
pub(super) struct Refused {
    /// The question, for the record. Without a subject, if none was given.
    pub(super) query: Query,
    /// The answer; it names no revision.
    pub(super) verdict: Verdict,
}

impl Asked {
    /// A question without a credential. Its subject is what the enforcement point says.
    pub(super) fn plain(query: Query) -> Self {
        Self { query, has_subject: true, credential: None }
    }

    /// A question with a credential, which stands for the subject unless `has_subject`.
    pub(super) fn with(query: Query, credential: Credential, has_subject: bool) -> Self {
        Self { query, has_subject, credential: Some(credential) }
    }

    /// The same of a document: what it says of a token itself is not believed, and what it says of a subject is held to
    /// the credential.
    pub(super) fn document(mut query: Query, credential: Option<Credential>, has_subject: bool) -> Self {
        if let Input::Document(Value::Object(document)) = &mut query.input {
            document.remove("token");
        }
        Self { query, has_subject, credential }
    }

    /// The question, if it has no credential.
    pub(super) fn unproven(&self) -> Option<&Query> {
        self.credential.is_none().then_some(&self.query)
    }

    /// The question, with its subject and what is known of its token, if the credential proves it within `left`. Where that
    /// takes an issuer, it is only asked about what the caller `may` ask: the gate, which is passed again by who decides.
    ///
    /// # Errors
    /// Where there is no place to wait in or afterwards: nothing is decided then.
    pub(super) async fn admit(
        self,
        credentials: &dyn Credentials,
        may: impl Fn(&Query) -> bool,
        left: Duration,
    ) -> Result<Result<Query, Box<Refused>>, CallError> {
        let Self { mut query, has_subject, credential } = self;
        let Some(credential) = credential else { return Ok(Ok(query)) };
        let caller = match verified(credentials, credential, || may(&query), left).await? {
            Ok(caller) => caller,
            Err(verdict) => return Ok(Err(Box::new(Refused { query, verdict }))),
        };
        let is_another = match &query.input {
            Input::Document(document) => !document::is_about(document, &caller),
            Input::Parts | Input::Undefined => false,
        };
        if is_another || has_subject && !caller.is(&query.subject) {
            return Ok(Err(Box::new(Refused { query, verdict: denied(Invalid::SubjectMismatch) })));
        }
        if let Input::Document(document) = &mut query.input {
            document::prove(document, &caller);
        }
        caller.speak_for(&mut query.subject.properties);
        let Caller { subject, claims, absent: _, left } = caller;
        (query.subject.kind, query.subject.id) = (subject.kind, subject.id);
        (query.token, query.good_for) = (Some(claims), left);
        Ok(Ok(query))
    }
}

/// Whom it proves, or the answer to a question about nobody.
async fn verified(
    credentials: &dyn Credentials,
    credential: Credential,
    may: impl Fn() -> bool,
    left: Duration,
) -> Result<Result<Caller, Verdict>, CallError> {
    let Ok(checked) = catch_unwind(AssertUnwindSafe(|| credentials.verify(credential))) else {
        return Ok(Err(panicked()));
    };
    let result = match checked {
        Checked::Now(result) => result,
        Checked::Later(later, late) => {
            if !may() {
                return Ok(Err(Verdict::not_permitted()));
            }
            caller::undecided();
            let patience = left.saturating_sub((left / 10).min(TO_ANSWER));
            match outside(tokio::time::timeout(patience, AssertUnwindSafe(later).catch_unwind())).await? {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => return Ok(Err(panicked())),
                Err(_) => Err(late),
            }
        }
    };
    Ok(result.map_err(denied))
}

fn denied(invalid: Invalid) -> Verdict {
    if invalid.is_outage() {
        return Verdict::deny_for(invalid.code(), invalid.to_string(), None);
    }
    Verdict { reasons: vec![Reason::new(invalid.code(), invalid.to_string())], ..Verdict::default() }
}

fn panicked() -> Verdict {
    Verdict::deny_for(code::INTERNAL_ERROR, "verifying the credential panicked; the log names the place", None)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::decision::{Effect, Object, Subject, Value};

    struct Says(fn() -> Checked);

    impl Credentials for Says {
        fn verify(&self, _: Credential) -> Checked {
            (self.0)()
        }
    }

    fn subject(id: &str, role: &str) -> Subject {
        let properties = [("role".to_owned(), Value::from(role)), (role.to_owned(), Value::from(true))];
        Subject { kind: "user".to_owned(), id: id.to_owned(), properties: properties.into_iter().collect() }
    }

    fn proves() -> Caller {
        Caller {
            subject: subject("alice", "admin"),
            claims: Object::new(),
            absent: vec!["guest".to_owned()],
            left: None,
        }
    }

    fn admit(says: fn() -> Checked, stated: Option<Subject>) -> Result<Query, Box<Refused>> {
        let credential = Credential { token: "canary".to_owned().into(), proof: Proof::default() };
        let has_subject = stated.is_some();
        let query = Query { subject: stated.unwrap_or_default(), ..Query::default() };
        let asked = Asked::with(query, credential, has_subject);
        assert!(!format!("{asked:?}").contains("canary"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(asked.admit(&Says(says), |_| true, Duration::from_millis(20))).unwrap()
    }

    #[test]
    fn no_issuer_is_asked_for_who_may_not_ask() {
        let asked = |says| {
            let credential = Credential { token: "canary".to_owned().into(), proof: Proof::default() };
            let asked = Asked::with(Query::default(), credential, false);
            let admitted = block_on(asked.admit(&Says(says), |_| false, Duration::from_secs(1))).unwrap();
            admitted
                .map(|_| ())
                .map_err(|refused| refused.verdict.reasons.into_iter().map(|reason| reason.code).collect())
        };
        let asks = || Checked::Later(Box::pin(async { panic!("it was asked") }), Invalid::KeysUnavailable);
        assert_eq!(asked(asks), Err(vec![code::PERMISSION_DENIED.to_owned()]), "it is recorded as one that may not");
        assert_eq!(asked(|| Checked::Now(Ok(proves()))), Ok(()), "the gate stands behind this");
    }

    #[test]
    fn what_a_token_says_of_its_subject_goes_over_what_is_said_beside_it() {
        let query = admit(|| Checked::Now(Ok(proves())), Some(subject("alice", "guest"))).unwrap();
        assert_eq!(query.subject.properties.get("role"), Some(&Value::from("admin")));
        assert!(query.subject.properties.get("guest").is_none(), "what the token would say is nobody else's to say");
        assert!(query.token.is_some());
        let query = admit(|| Checked::Later(Box::pin(async { Ok(proves()) }), Invalid::KeysUnavailable), None).unwrap();
        assert_eq!(query.subject, subject("alice", "admin"));
    }

    #[test]
    fn whatever_goes_wrong_is_a_deny_that_says_so() {
        for (says, stated, code) in [
            ((|| Checked::Now(Ok(proves()))) as fn() -> Checked, Some(subject("mallory", "x")), "subject_mismatch"),
            (|| Checked::Now(Err(Invalid::Expired)), None, "token_expired"),
            (|| panic!("canary"), None, "internal_error"),
            (|| Checked::Later(Box::pin(async { panic!("canary") }), Invalid::KeysUnavailable), None, "internal_error"),
            (|| Checked::Later(Box::pin(std::future::pending()), Invalid::KeysUnavailable), None, "keys_unavailable"),
        ] {
            let verdict = admit(says, stated).unwrap_err().verdict;
            assert_eq!((verdict.effect, verdict.reasons[0].code.as_str()), (Effect::Deny, code));
        }
        let asked = Asked::plain(Query::default());
        assert!(block_on(asked.admit(&Nobody, |_| true, Duration::ZERO)).unwrap().unwrap().token.is_none());
    }
}
