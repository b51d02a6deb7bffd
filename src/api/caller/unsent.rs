//! Answers that wait for whoever asked to read them. What they take has a bound, of all calls together; and each tells its
//! connection that something is still to be sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::ahead::{Held, Room};
use crate::api::listen::{Pending, Unread};

/// An answer that goes out whatever is taken, in bytes: verdicts do, where others leave large answers unread.
const SMALL: usize = 16 << 10;

/// What a connection may have of such answers, in bytes.
const OF_SMALL: usize = 64 << 10;

/// What is handed on at once, in bytes: a connection is alive as long as it sends so much now and then.
const PART: usize = 64 << 10;

/// What a body gave when it was asked.
type Asked<B> = Option<Result<Frame<Bytes>, <B as Body>::Error>>;

/// An answer, which takes room until all of it was sent.
pub struct Unsent<B: Body<Data = Bytes>> {
    /// What was asked of the rest already.
    first: Option<Asked<B>>,
    rest: B,
    /// What is known of its size.
    held: Held,
    connection: Option<Arc<Unread>>,
    /// Where something of it is there.
    pending: Option<Pending>,
}

/// What is being sent, until it was.
struct Sent {
    bytes: Bytes,
    _held: Held,
    _pending: Option<Pending>,
}

impl<B: Body<Data = Bytes> + Unpin> Unsent<B> {
    /// Keeps an answer; nothing where it is large and there is no room.
    pub(super) fn keep(rest: B, room: &Arc<Room>, connection: Option<Arc<Unread>>) -> Option<Self> {
        let kept = Self::made(rest, room, connection);
        let is_kept = match (&kept.connection, kept.size()) {
            (_, size) if size > SMALL => false,
            (Some(connection), size) => connection.bytes().saturating_add(size) <= OF_SMALL,
            (None, _) => true,
        };
        if is_kept { Some(kept.kept()) } else { kept.kept_if_there_is_room() }
    }

    /// Keeps an answer whatever is taken: one that has to be given.
    pub(super) fn keep_always(rest: B, room: &Arc<Room>, connection: Option<Arc<Unread>>) -> Self {
        Self::made(rest, room, connection).kept()
    }

    /// What is there of an answer is made at once, so that its size is known.
    fn made(mut rest: B, room: &Arc<Room>, connection: Option<Arc<Unread>>) -> Self {
        let first = match Pin::new(&mut rest).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(first) => Some(first),
            // Whoever sends it asks again, and is woken.
            Poll::Pending => None,
        };
        Self { first, rest, held: Held::none(room), connection, pending: None }
    }

    fn kept(mut self) -> Self {
        self.held.take(self.size());
        self.waiting()
    }

    fn kept_if_there_is_room(mut self) -> Option<Self> {
        let size = self.size();
        if self.held.grow(size) { Some(self.waiting()) } else { None }
    }

    /// Tells its connection of what is there.
    fn waiting(mut self) -> Self {
        let size = self.size();
        self.pending = self.connection.as_ref().filter(|_| size > 0).map(|connection| Pending::new(connection, size));
        self
    }

    fn size(&self) -> usize {
        usize::try_from(self.there()).unwrap_or(usize::MAX)
    }

    /// What is there of it, in bytes.
    fn there(&self) -> u64 {
        self.first_bytes().saturating_add(self.rest.size_hint().lower())
    }

    fn first_bytes(&self) -> u64 {
        let data = self.first.iter().flatten().flatten().filter_map(Frame::data_ref);
        data.map(|data| data.len() as u64).sum()
    }

    /// Hands `bytes` on, with the room that they take.
    fn send(&mut self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        let mut held = self.held.split(bytes.len());
        // What nobody could know of before, of a stream: it is sent one after the other.
        held.take(bytes.len());
        let pending = self.connection.as_ref().map(|connection| Pending::new(connection, bytes.len()));
        Bytes::from_owner(Sent { bytes, _held: held, _pending: pending })
    }
}

impl<B: Body<Data = Bytes> + Unpin> Unpin for Unsent<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for Unsent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Asked<B>> {
        let frame = match self.first.take() {
            Some(first) => first,
            None => ready!(Pin::new(&mut self.rest).poll_frame(context)),
        };
        let sent = match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(mut data))) => {
                let part = data.split_to(data.len().min(PART));
                if !data.is_empty() {
                    self.first = Some(Some(Ok(Frame::data(data))));
                }
                Some(Ok(Frame::data(self.send(part))))
            }
            Some(Ok(Err(other))) => Some(Ok(other)),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        // What was handed on tells for itself.
        let left = self.size();
        self.pending = match self.pending.take() {
            Some(_) if left == 0 => None,
            Some(pending) => Some(pending.of(left)),
            None => None,
        };
        Poll::Ready(sent)
    }

    fn is_end_stream(&self) -> bool {
        match &self.first {
            Some(first) => first.is_none(),
            None => self.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, first) = (self.rest.size_hint(), self.first_bytes());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(first));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint
    }
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    fn full(size: usize) -> Full<Bytes> {
        Full::new(vec![7; size].into())
    }

    #[tokio::test]
    async fn an_answer_takes_room_until_it_was_sent() {
        let (room, unread) = (Arc::new(Room::new(300_000)), Arc::new(Unread::default()));
        let mut answer = Unsent::keep(full(200_000), &room, Some(Arc::clone(&unread))).unwrap();
        assert_eq!((room.taken(), unread.unsent(), answer.size_hint().exact()), (200_000, 1, Some(200_000)));
        assert!(Unsent::keep(full(200_000), &room, None).is_none(), "there is no room for another");
        let none = Arc::new(Room::new(0));
        assert!(Unsent::keep(full(SMALL), &none, None).is_some(), "a small one needs none");
        let few: Vec<_> = (0..5).map(|_| Unsent::keep(full(SMALL), &none, Some(Arc::clone(&unread)))).collect();
        assert!(few.iter().all(Option::is_none), "its connection has a large one");
        let other = Arc::new(Unread::default());
        let few: Vec<_> = (0..5).map(|_| Unsent::keep(full(SMALL), &none, Some(Arc::clone(&other)))).collect();
        assert_eq!(few.iter().flatten().count(), 4);
        assert!(Unsent::keep_always(full(SMALL * 2), &none, Some(other)).pending.is_some());
        drop(few);
        assert_eq!(none.taken(), 0);
        let mut sent = Vec::new();
        while let Some(frame) = answer.frame().await {
            sent.push(frame.unwrap().into_data().unwrap());
            assert_eq!(room.taken(), 200_000, "it is on its way");
        }
        assert!(answer.is_end_stream());
        drop(answer);
        assert_eq!((sent.len(), unread.unsent()), (4, 4));
        assert_eq!(sent.concat(), vec![7; 200_000]);
        sent.pop();
        assert_eq!((room.taken(), unread.unsent()), (3 * PART, 3));
        drop(sent);
        assert_eq!((room.taken(), unread.unsent()), (0, 0));
    }

    #[tokio::test]
    async fn a_stream_that_has_nothing_to_say_waits_for_nobody() {
        let (room, unread) = (Arc::new(Room::new(10)), Arc::new(Unread::default()));
        let (more, come) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, std::io::Error>>();
        let stream = http_body_util::StreamBody::new(come);
        let mut answer = Unsent::keep(stream, &room, Some(Arc::clone(&unread))).unwrap();
        assert_eq!((room.taken(), unread.unsent(), answer.is_end_stream()), (0, 0, false));
        more.unbounded_send(Ok(Frame::data(Bytes::from_static(b"told")))).unwrap();
        let told = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((told.as_ref(), room.taken(), unread.unsent()), (b"told".as_slice(), 4, 1));
        drop(told);
        assert_eq!((room.taken(), unread.unsent()), (0, 0));
        more.unbounded_send(Err(std::io::Error::other("broken"))).unwrap();
        assert!(answer.frame().await.unwrap().is_err());
        drop(more);
        assert!(answer.frame().await.is_none());
    }

    #[tokio::test]
    async fn an_answer_without_a_body_has_ended() {
        let answer = Unsent::keep(full(0), &Arc::new(Room::new(10)), None).unwrap();
        assert!(answer.is_end_stream());
        assert_eq!(answer.size_hint().exact(), Some(0));
    }
}
