//! What a query has got of the network, so that it gets the same again.
//!
//! OPA sends equal requests once a query. Here it also keeps an evaluation that the clock interrupted while it waited,
//! and that is tried again (`policy/budget.rs`), from asking again and again.

use std::{cell::RefCell, collections::HashMap, marker::PhantomData};

use super::{super::Failure, client::Response};

/// How many results a query keeps.
const MOST: usize = 32;

type Results = HashMap<String, Result<Response, Failure>>;

thread_local! {
    static RESULTS: RefCell<Option<Results>> = const { RefCell::new(None) };
}

/// A query on this thread: results are kept until it is dropped.
pub(in crate::policy) struct Query(PhantomData<*const ()>);

impl Query {
    /// Begins one.
    pub(in crate::policy) fn begin() -> Self {
        RESULTS.set(Some(Results::new()));
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
    RESULTS.with_borrow(|results| results.as_ref()?.get(key).cloned())
}

/// Keeps a result, if there is a query and room.
pub(super) fn keep(key: String, result: &Result<Response, Failure>) {
    RESULTS.with_borrow_mut(|results| {
        if let Some(results) = results.as_mut().filter(|results| results.len() < MOST) {
            results.insert(key, result.clone());
        }
    });
}
