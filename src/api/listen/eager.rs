//! A service of tower for hyper, which begins a call as soon as its head was read.

use std::task::{Context, Poll, Waker};

use futures::future::Either;
use tower::{Service, ServiceExt as _, util::Oneshot};

/// A service whose calls begin on the task of their connection. `hyper_util`'s adapter begins them on tasks of their own,
/// once those get a turn: on a server that is full nothing could tell until then how many calls there are.
#[derive(Clone, Debug)]
pub(super) struct Eager<S>(pub(super) S);

impl<S: Service<R> + Clone, R> hyper::service::Service<R> for Eager<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Oneshot<S, R>>;

    fn call(&self, request: R) -> Self::Future {
        let mut service = self.0.clone();
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Either::Left(service.call(request)),
            // It waits for its turn where there is somebody to wake; and fails again.
            Poll::Ready(Err(_)) | Poll::Pending => Either::Right(service.oneshot(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use hyper::service::Service as _;

    use super::*;

    #[tokio::test]
    async fn a_call_begins_before_anybody_waits_for_its_answer() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let service = Eager(tower::service_fn(|asked: u32| {
            CALLS.fetch_add(1, Relaxed);
            async move { Ok::<_, std::convert::Infallible>(asked + 1) }
        }));
        let answer = service.call(1);
        assert_eq!(CALLS.load(Relaxed), 1);
        assert_eq!(answer.await, Ok(2));
    }

    /// Ready when it is asked a second time.
    #[derive(Clone)]
    struct Late(bool);

    impl Service<u32> for Late {
        type Response = u32;
        type Error = std::convert::Infallible;
        type Future = std::future::Ready<Result<u32, Self::Error>>;

        fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(Ok(()));
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }

        fn call(&mut self, asked: u32) -> Self::Future {
            assert!(self.0, "it was not asked whether it is ready");
            std::future::ready(Ok(asked + 1))
        }
    }

    #[tokio::test]
    async fn a_service_that_is_not_ready_is_waited_for() {
        assert_eq!(Eager(Late(false)).call(1).await, Ok(2));
    }
}
