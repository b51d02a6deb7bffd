//! Messages that are read before their call has its place: who sends heads alone holds up nobody.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};

/// The most that is read ahead, in bytes: most questions are smaller, and of larger ones so much was sent that to hold a
/// place with the rest is no cheaper than to ask.
const MOST: usize = 32 << 10;

/// A part of a body, or why there is none.
type Part<B> = Result<Frame<Bytes>, <B as Body>::Error>;

/// A body of which some was read already. What was read takes its size in memory, in however many frames it came.
pub struct Ahead<B: Body<Data = Bytes>> {
    first: Bytes,
    more: BytesMut,
    /// What came behind that was no data: trailers, or an error.
    behind: Option<Part<B>>,
    rest: B,
    ended: bool,
    is_held: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Ahead<B> {
    /// All of it is still to be read.
    pub(super) fn new(rest: B) -> Self {
        Self { first: Bytes::new(), more: BytesMut::new(), behind: None, rest, ended: false, is_held: false }
    }

    /// Reads it to its end, or as much as is read ahead.
    pub(super) async fn fill(&mut self) {
        poll_fn(|context| self.poll_fill(context)).await;
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.size() < MOST && self.behind.is_none() && !self.is_at_its_end() {
            let Some(part) = ready!(self.poll_rest(context)) else { break };
            match part.map(Frame::into_data) {
                Ok(Ok(data)) if self.size() == 0 => self.first = data,
                Ok(Ok(data)) => self.more.extend_from_slice(&data),
                Ok(Err(other)) => self.behind = Some(Ok(other)),
                Err(error) => self.behind = Some(Err(error)),
            }
        }
        Poll::Ready(())
    }

    /// Nothing more of it comes, nor its end: whoever reads on must see to the time.
    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    /// What has ended may not be asked again.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Option<Part<B>>> {
        if self.is_held {
            return Poll::Pending;
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.rest).poll_frame(context));
        self.ended = frame.is_none();
        Poll::Ready(frame)
    }

    fn size(&self) -> usize {
        self.first.len() + self.more.len()
    }

    fn is_at_its_end(&self) -> bool {
        self.ended || self.rest.is_end_stream()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Unpin for Ahead<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for Ahead<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Part<B>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.first)))));
        }
        if !self.more.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.more.split().freeze()))));
        }
        match self.behind.take() {
            Some(part) => Poll::Ready(Some(part)),
            None => self.poll_rest(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size() == 0 && self.behind.is_none() && !self.is_held && self.is_at_its_end()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, read) = (self.rest.size_hint(), self.size() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use http_body_util::{BodyExt as _, Full, StreamBody};
    use tokio::sync::mpsc;

    use super::*;

    fn body(frames: mpsc::UnboundedReceiver<Bytes>) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let next = |mut frames: mpsc::UnboundedReceiver<Bytes>| async {
            frames.recv().await.map(|data| (Ok(Frame::data(data)), frames))
        };
        StreamBody::new(Box::pin(futures::stream::unfold(frames, next)))
    }

    #[tokio::test]
    async fn what_was_read_ahead_comes_before_the_rest() {
        let (sender, frames) = mpsc::unbounded_channel();
        let mut ahead = Ahead::new(body(frames));
        for part in ["one ", "two "] {
            sender.send(part.into()).unwrap();
        }
        assert!(tokio::time::timeout(Duration::from_millis(10), ahead.fill()).await.is_err(), "it has no end yet");
        assert_eq!(ahead.size_hint().lower(), 8);
        sender.send(Bytes::new()).unwrap();
        sender.send("three".into()).unwrap();
        drop(sender);
        ahead.fill().await;
        assert_eq!(ahead.collect().await.unwrap().to_bytes(), "one two three");
    }

    #[tokio::test]
    async fn no_more_is_read_ahead_than_is_held_in_memory_for_it() {
        let (sender, frames) = mpsc::unbounded_channel();
        let mut ahead = Ahead::new(body(frames));
        for _ in 0..4 {
            sender.send(vec![0; MOST / 2].into()).unwrap();
        }
        ahead.fill().await;
        assert_eq!((ahead.size(), ahead.is_end_stream()), (MOST, false));
        drop(sender);
        assert_eq!(ahead.collect().await.unwrap().to_bytes().len(), 2 * MOST);
    }

    #[tokio::test]
    async fn a_byte_a_frame_takes_a_byte() {
        let (sender, frames) = mpsc::unbounded_channel();
        let mut ahead = Ahead::new(body(frames));
        (0..2 * MOST).for_each(|_| sender.send(Bytes::from_static(b"x")).unwrap());
        ahead.fill().await;
        assert!(ahead.size() == MOST && ahead.more.capacity() <= 2 * MOST);
        drop(sender);
        assert_eq!(ahead.collect().await.unwrap().to_bytes().len(), 2 * MOST);
    }

    #[tokio::test]
    async fn what_is_all_there_has_its_size() {
        let mut ahead = Ahead::new(Full::new(Bytes::from_static(b"all")));
        ahead.fill().await;
        assert_eq!((ahead.size_hint().exact(), ahead.is_end_stream()), (Some(3), false));
        assert_eq!(ahead.collect().await.unwrap().to_bytes(), "all");
    }
}
