//! Who may ask: what stands before every question that comes from outside.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{EntryPoint, Input, Object, Query, Value};

/// Says of each question who asks it, and whether they may.
pub trait Gate: Send + Sync {
    /// What becomes of a question that the calling task asks at `entry`; `retained` if on a revision of the past.
    fn pass(&self, query: &Query, entry: &EntryPoint, retained: bool) -> Passage;
}

/// What becomes of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Passage {
    /// It is asked, and nobody can tell by whom.
    AsItIs,
    /// It is asked by this caller, or by somebody who is not known: `input.caller` is this or nothing, whatever the
    /// question says.
    By(Option<Object>),
    /// It is not asked.
    Refused,
}

/// The question as it is asked, or none.
pub(super) fn passed<'q>(
    gate: Option<&dyn Gate>,
    query: &'q Query,
    entry: &EntryPoint,
    retained: bool,
) -> Option<Cow<'q, Query>> {
    let Some(gate) = gate else { return Some(Cow::Borrowed(query)) };
    let passage = catch_unwind(AssertUnwindSafe(|| gate.pass(query, entry, retained)));
    match passage.unwrap_or(Passage::Refused) {
        Passage::AsItIs => Some(Cow::Borrowed(query)),
        Passage::By(caller) => Some(Cow::Owned(asked_by(query.clone(), caller))),
        Passage::Refused => None,
    }
}

fn asked_by(mut query: Query, caller: Option<Object>) -> Query {
    if let Input::Document(Value::Object(document)) = &mut query.input {
        document.remove("caller");
        if let Some(caller) = &caller {
            document.insert("caller".to_owned(), caller.clone().into());
        }
    }
    Query { caller, ..query }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Says(fn() -> Passage);

    impl Gate for Says {
        fn pass(&self, _: &Query, _: &EntryPoint, _: bool) -> Passage {
            (self.0)()
        }
    }

    fn pass(says: fn() -> Passage, query: &Query) -> Option<Query> {
        let entry = "data.a".parse().unwrap();
        passed(Some(&Says(says)), query, &entry, false).map(Cow::into_owned)
    }

    fn known() -> Object {
        [("id".to_owned(), Value::from("me"))].into_iter().collect()
    }

    #[test]
    fn nobody_but_the_gate_says_who_the_caller_is() {
        let said: Object =
            [("caller".to_owned(), Value::from("forged")), ("x".to_owned(), Value::from("y"))].into_iter().collect();
        let query = Query { caller: Some(said.clone()), input: Input::Document(said.into()), ..Query::default() };
        let caller_of = |query: &Query| match &query.input {
            Input::Document(Value::Object(document)) => document.get("caller").cloned(),
            _ => None,
        };
        let by = pass(|| Passage::By(Some(known())), &query).unwrap();
        assert_eq!((by.caller.clone(), caller_of(&by)), (Some(known()), Some(known().into())));
        let by = pass(|| Passage::By(None), &query).unwrap();
        assert_eq!((by.caller.clone(), caller_of(&by)), (None, None));
        assert_eq!(pass(|| Passage::AsItIs, &query), Some(query));
    }

    #[test]
    fn a_gate_that_refuses_or_panics_lets_nothing_pass() {
        assert_eq!(pass(|| Passage::Refused, &Query::default()), None);
        assert_eq!(pass(|| panic!("gone"), &Query::default()), None);
    }
}
