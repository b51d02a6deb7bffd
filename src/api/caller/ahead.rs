//! Messages that are read before their call has its place: who sends heads alone, or parts of messages, holds up nobody.

mod room;
mod stream;

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use tonic::Status;
use tower::BoxError;

pub(super) use self::room::{Held, Room};
use self::stream::Parts;
use super::{Load, Reading};
use crate::api::status::CallError;

/// What a message that is whole may have in bytes without needing room.
pub(super) const SMALL: usize = 32 << 10;

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
    /// The room that it takes until its door reads it: in parts, or large.
    room: Option<Held>,
    /// Of a stream of messages.
    parts: Option<Parts>,
}

/// What has come of a message that is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Come {
    /// All of it.
    Whole,
    /// Its client broke it off.
    Broken,
    /// More than a message may be.
    TooMuch,
    /// There is no room to keep what came.
    NoRoom,
}

impl<B: Body<Data = Bytes> + Unpin> Ahead<B> {
    /// All of it is still to be read.
    pub(super) fn new(rest: B) -> Self {
        let (first, more) = (Bytes::new(), BytesMut::new());
        Self { first, more, behind: None, rest, ended: false, is_held: false, room: None, parts: None }
    }

    /// Whether all of it is there, without waiting.
    pub(super) fn is_there(&mut self, most: u64, room: &Arc<Room>) -> bool {
        self.poll_fill(&mut Context::from_waker(Waker::noop()), most, room) == Poll::Ready(Come::Whole)
    }

    /// Reads it to its end, or until it is larger than `most` bytes. What waits for its rest, or is large,
    /// takes of `room` until its door reads it.
    pub(super) async fn fill(&mut self, most: u64, room: &Arc<Room>) -> Come {
        poll_fn(|context| self.poll_fill(context, most, room)).await
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, most: u64, room: &Arc<Room>) -> Poll<Come> {
        loop {
            if self.size() as u64 > most {
                return Poll::Ready(Come::TooMuch);
            }
            match &self.behind {
                Some(Err(_)) => return Poll::Ready(Come::Broken),
                Some(Ok(_)) => return Poll::Ready(self.whole(room)),
                None if self.is_at_its_end() => return Poll::Ready(self.whole(room)),
                None => {}
            }
            let Poll::Ready(part) = self.poll_rest(context) else {
                return if self.keep(room) { Poll::Pending } else { Poll::Ready(Come::NoRoom) };
            };
            match part.map(|part| part.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if self.size() == 0 => self.first = data,
                Some(Ok(Ok(data))) => self.more.extend_from_slice(&data),
                Some(Ok(Err(other))) => self.behind = Some(Ok(other)),
                Some(Err(error)) => self.behind = Some(Err(error)),
                None => {}
            }
        }
    }

    /// It waits for its turn now, of which there may be many.
    fn whole(&mut self, room: &Arc<Room>) -> Come {
        if self.size() <= SMALL || self.keep(room) { Come::Whole } else { Come::NoRoom }
    }

    /// Keeps what came until the rest does, in no more memory than it needs, if there is room.
    fn keep(&mut self, room: &Arc<Room>) -> bool {
        if !self.first.is_empty() {
            // It is a part of a buffer that may be far larger.
            let mut all = BytesMut::with_capacity(self.size());
            all.extend_from_slice(&mem::take(&mut self.first));
            all.extend_from_slice(&self.more);
            self.more = all;
        }
        let needed = self.more.capacity();
        needed == 0 || self.room.get_or_insert_with(|| Held::none(room)).grow(needed)
    }

    /// It is a stream of messages, whose parts take room of `load` and have as long to come as `reading` says.
    pub(super) fn follow(&mut self, reading: Reading, load: &Arc<Load>) {
        self.parts = Some(Parts::new(reading, load));
    }

    /// Nothing of it comes, nor its end: whoever reads it must see to the time.
    pub(super) fn hold(&mut self) {
        (self.first, self.more) = (Bytes::new(), BytesMut::new());
        (self.behind, self.room, self.parts, self.is_held) = (None, None, None, true);
    }

    /// It is `message` and nothing else, whatever its client sent or sends.
    pub(super) fn replace(&mut self, message: &'static [u8]) {
        (self.first, self.more) = (Bytes::from_static(message), BytesMut::new());
        (self.behind, self.room, self.parts, self.ended) = (None, None, None, true);
    }

    /// Nothing more of it is read.
    fn refuse(&mut self, why: CallError) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.hold();
        Poll::Ready(Some(Err(Status::from(why).into())))
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

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for Ahead<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.first)))));
        }
        if !self.more.is_empty() {
            self.room = None;
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.more).freeze()))));
        }
        if let Some(part) = self.behind.take() {
            return Poll::Ready(Some(part.map_err(Into::into)));
        }
        if let Some(refused) = self.parts.as_mut().and_then(Parts::refused) {
            return self.refuse(refused);
        }
        let Poll::Ready(part) = self.poll_rest(context) else {
            return match self.parts.as_mut().map_or(Poll::Pending, |parts| parts.poll_late(context)) {
                Poll::Ready(late) => self.refuse(late),
                Poll::Pending => Poll::Pending,
            };
        };
        if let (Some(parts), Some(Ok(frame))) = (&mut self.parts, &part)
            && let Some(data) = frame.data_ref()
        {
            parts.come(data);
        }
        Poll::Ready(part.map(|part| part.map_err(Into::into)))
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
mod tests;
