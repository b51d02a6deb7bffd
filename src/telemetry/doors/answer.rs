//! The body of an answer, followed to its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::Following;

pin_project! {
    /// A body whose end is seen.
    pub struct Answer<B> {
        #[pin]
        inner: B,
        following: Option<Following>,
    }
}

impl<B: Body> Answer<B> {
    pub(super) fn new(inner: B, following: Option<Following>) -> Self {
        let mut answer = Self { inner, following };
        // Whoever sends this may not ask for more.
        if answer.inner.is_end_stream() {
            answer.end();
        }
        answer
    }

    fn end(&mut self) {
        if let Some(mut following) = self.following.take() {
            following.end(None);
        }
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = this.inner.as_mut().poll_frame(task);
        let Poll::Ready(ready) = &frame else { return frame };
        match ready {
            Some(Ok(frame)) => {
                let trailers = frame.trailers_ref();
                if (trailers.is_some() || this.inner.is_end_stream())
                    && let Some(mut following) = this.following.take()
                {
                    following.end(trailers);
                }
            }
            None => {
                if let Some(mut following) = this.following.take() {
                    following.end(None);
                }
            }
            // Its end is not this one's.
            Some(Err(_)) => drop(this.following.take()),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
