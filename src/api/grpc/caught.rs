//! Answers of calls, whatever happens: a panic is an error of one call, never of the connection that others share.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tonic::{Response, Status};

use crate::api::{Observer, status::CallError};

/// What a call is answered. A panic ends the call alone, and tells the caller nothing.
pub(super) async fn caught<T>(
    observer: &dyn Observer,
    answer: impl Future<Output = Result<T, CallError>>,
) -> Result<Response<T>, Status> {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(Ok(answer)) => Ok(Response::new(answer)),
        Ok(Err(error)) => {
            observer.failed(error.code().1);
            Err(error.into())
        }
        Err(_) => {
            observer.failed("INTERNAL_ERROR");
            Err(Status::internal("internal error"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::executor::block_on;

    use super::*;
    use crate::{
        api::settle::{Decided, Kept, SearchEnded, Settled},
        decision::Verdict,
    };

    #[derive(Default)]
    struct Told(Mutex<Vec<&'static str>>);

    impl Observer for Told {
        fn decided(&self, _: &Decided<'_>, verdict: Verdict) -> Settled {
            Settled::Now(verdict)
        }

        fn searched(&self, _: &SearchEnded<'_>) -> Kept {
            Kept::Now(true)
        }

        fn failed(&self, reason: &'static str) {
            self.0.lock().unwrap().push(reason);
        }

        fn in_flight(&self) -> Box<dyn Send + Sync> {
            Box::new(())
        }
    }

    #[test]
    fn a_panic_is_an_error_of_one_call() {
        let told = Told::default();
        let status = block_on(caught(&told, async { panic!("canary") as Result<(), CallError> })).unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::Internal, "internal error"));
        assert!(block_on(caught(&told, async { Err::<(), _>(CallError::DeadlineExceeded) })).is_err());
        assert_eq!(block_on(caught(&told, async { Ok(7) })).unwrap().into_inner(), 7);
        assert_eq!(told.0.into_inner().unwrap(), ["INTERNAL_ERROR", "DEADLINE_EXCEEDED"]);
    }
}
