//! A connection whose answers are withheld until what they wait for is kept.
//!
//! Answers are bytes here, in the order in which they were written. No byte goes out before all is kept that was said to be
//! awaited ([`Withheld::until`]) before it was written; what is said later holds up nothing that was written earlier. If one
//! of these is lost, nothing more goes out: the connection ends with an error.
//!
//! So no answer goes out before its record is kept. The call says what it awaits before it gives its answer to who writes;
//! that hands it on by a lock, writes some of it at the earliest then, and each write begins with a look at what was said.
//! Bytes are opaque here: frames of several calls may be in one write, and what belongs to no answer (acknowledgements,
//! windows, pings) waits as well, in its place. Nothing of that is held up for longer than a commit's own time, as a byte
//! waits only for commits that began before it was written, and each of them ends by that time, kept or lost. What is read
//! is never held up. Encryption is below: of what is cut off, nothing was encrypted.
//!
//! What is kept back is bounded ([`MOST`]); beyond, who writes waits, and so in the end does who asks. Where it is the
//! client that reads too slowly, nothing more is kept for it than a commit had held up.

#[cfg(test)]
pub(super) mod tests;

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::call::withheld::{Awaited, Commit, Outcome, Withheld, is_same};

/// The most bytes that are withheld, and what one write has beyond.
const MOST: usize = 64 << 10;

/// A stream that withholds.
pub(super) struct Withholding<T> {
    stream: T,
    withheld: Arc<Withheld>,
    /// What is withheld, the oldest first.
    parts: VecDeque<Part>,
    /// Of all parts, in bytes.
    size: usize,
    /// Something is lost.
    cut: bool,
}

/// What goes out together.
struct Part {
    bytes: Vec<u8>,
    /// How many of them went out.
    gone: usize,
    /// What they wait for, still.
    waits: Vec<Wait>,
}

struct Wait {
    commit: Arc<dyn Commit>,
    answers: u64,
    /// From when on somebody waits for it.
    outcome: Option<Outcome>,
}

impl<T> Withholding<T> {
    /// Withholds what is written to `stream` as `withheld` says.
    pub(super) fn new(stream: T, withheld: Arc<Withheld>) -> Self {
        Self { stream, withheld, parts: VecDeque::new(), size: 0, cut: false }
    }

    /// Has what is written from now on wait for what is to be awaited since the last look.
    fn look(&mut self) {
        for (commit, answers) in self.withheld.take() {
            self.await_too((commit, answers));
        }
    }

    fn await_too(&mut self, (commit, answers): Awaited) {
        if commit.known() == Some(true) {
            return;
        }
        if let Some(last) = self.parts.back_mut() {
            if let Some(wait) = last.waits.iter_mut().find(|wait| is_same(&wait.commit, &commit)) {
                wait.answers += answers;
                return;
            }
            if last.bytes.is_empty() {
                last.waits.push(Wait { commit, answers, outcome: None });
                return;
            }
        }
        let waits = vec![Wait { commit, answers, outcome: None }];
        self.parts.push_back(Part { bytes: Vec::new(), gone: 0, waits });
    }

    fn withhold(&mut self, bytes: &[u8]) {
        if let Some(last) = self.parts.back_mut() {
            last.bytes.extend_from_slice(bytes);
            self.size += bytes.len();
        }
    }

    /// Nothing more goes out.
    fn cut(&mut self) {
        self.cut = true;
        self.look();
        self.size = 0;
        for Wait { commit, answers, .. } in self.parts.drain(..).flat_map(|part| part.waits) {
            if commit.known() == Some(false) {
                commit.refused(answers);
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> Withholding<T> {
    /// Writes what may go out; ready once that is all.
    fn release(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut {
            return Poll::Ready(Err(lost()));
        }
        while let Some(first) = self.parts.front_mut() {
            while let Some(Wait { commit, outcome, .. }) = first.waits.last_mut() {
                let outcome = outcome.get_or_insert_with(|| Arc::clone(commit).outcome());
                if !ready!(outcome.as_mut().poll(context)) {
                    self.cut();
                    return Poll::Ready(Err(lost()));
                }
                first.waits.pop();
            }
            while let Some(rest) = first.bytes.get(first.gone..).filter(|rest| !rest.is_empty()) {
                let gone = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
                if gone == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                first.gone += gone;
            }
            self.size -= first.bytes.len();
            self.parts.pop_front();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether what is to be written now is withheld, once there is room for it.
    fn withholds(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.look();
        if (self.cut || self.has_enough()) && self.release(context)?.is_pending() && self.has_enough() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(!self.parts.is_empty()))
    }

    /// Whether what would go out next waits for a commit.
    fn awaits(&self) -> bool {
        self.parts.front().is_some_and(|first| !first.waits.is_empty())
    }

    /// Whether nothing more is to be withheld: there is too much, or what is there could go out, and is not read.
    fn has_enough(&self) -> bool {
        self.size >= MOST || !(self.parts.is_empty() || self.awaits())
    }
}

fn lost() -> io::Error {
    io::Error::other("what was to be answered could not be recorded")
}

impl<T: AsyncRead + Unpin> AsyncRead for Withholding<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Withholding<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if ready!(self.withholds(context))? {
            self.withhold(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.withholds(context))? {
            for slice in slices {
                self.withhold(slice);
            }
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // Whoever writes goes on while a commit is waited for, or what it has still to write would wait for later commits, too; it
    // is woken once the commit ends. The end of the connection waits (`poll_shutdown`).
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.release(context)?.is_pending() && (self.size >= MOST || !self.awaits()) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.release(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
