//! What a query has got of the network, so that it gets the same again.
//!
//! OPA sends equal requests once a query. Here it also keeps an evaluation that the clock interrupted while it waited,
//! and that is tried again (`policy/budget.rs`), from asking again and again.

use std::{cell::RefCell, collections::HashMap, marker::PhantomData};

use super::{super::Failure, client::Response};

/// How many results a query keeps.
const MOST: usize = 32;

#[derive(Default)]
struct Results {
    kept: HashMap<String, Result<Response, Failure>>,
    /// Whether nothing new is asked any more.
    closed: bool,
}

thread_local! {
    static RESULTS: RefCell<Option<Results>> = const { RefCell::new(None) };
}

/// A query on this thread: results are kept until it is dropped.
pub(in crate::policy) struct Query(PhantomData<*const ()>);

impl Query {
    /// Begins one.
    pub(in crate::policy) fn begin() -> Self {
        RESULTS.set(Some(Results::default()));
        Self(PhantomData)
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        RESULTS.set(None);
    }
}

/// The result of an equal request of this query.
pub(super) fn recall(key: &str) -> Option<Result<Response, Failure>> {
    RESULTS.with_borrow(|results| {
        let results = results.as_ref()?;
        let unknown = || Failure::Halt("a request is not sent again to explain what it was for".to_owned());
        results.kept.get(key).cloned().or_else(|| results.closed.then(|| Err(unknown())))
    })
}

/// From here on, this query gets what it got before, and nothing else of the network.
pub(in crate::policy) fn close() {
    RESULTS.with_borrow_mut(|results| {
        if let Some(results) = results.as_mut() {
            results.closed = true;
        }
    });
}

/// Keeps a result, if there is a query and room.
pub(super) fn keep(key: String, result: &Result<Response, Failure>) {
    RESULTS.with_borrow_mut(|results| {
        if let Some(results) = results.as_mut().filter(|results| results.kept.len() < MOST) {
            results.kept.insert(key, result.clone());
        }
    });
}
