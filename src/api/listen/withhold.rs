//! A connection whose answers are withheld until what they wait for is kept.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::call::withheld::{Commit, Withheld};

/// The most bytes that are withheld.
const MOST: usize = 256 << 10;

/// What is written to it, once it may be.
pub(super) struct Withholding<T> {
    stream: T,
    withheld: Arc<Withheld>,
    segments: VecDeque<Segment>,
    bytes: usize,
    cut: bool,
}

/// Bytes that go out together.
struct Segment {
    bytes: Vec<u8>,
    written: usize,
    waits: Vec<Wait>,
}

struct Wait {
    commit: Arc<dyn Commit>,
    answers: u64,
    outcome: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
}

impl<T: AsyncWrite + Unpin> Withholding<T> {
    pub(super) fn new(stream: T, withheld: Arc<Withheld>) -> Self {
        Self { stream, withheld, segments: VecDeque::new(), bytes: 0, cut: false }
    }

    /// Has what comes next wait for what answers were made for.
    fn look(&mut self) {
        for (commit, answers) in self.withheld.take() {
            if commit.known() == Some(true) {
                continue;
            }
            let last = self.segments.back_mut();
            if let Some(last) = last
                && let Some(wait) = last.waits.iter_mut().find(|wait| Arc::ptr_eq(&wait.commit, &commit))
            {
                wait.answers += answers;
                continue;
            }
            let wait = Wait { commit, answers, outcome: None };
            match self.segments.back_mut() {
                Some(last) if last.bytes.is_empty() => last.waits.push(wait),
                _ => self.segments.push_back(Segment { bytes: Vec::new(), written: 0, waits: vec![wait] }),
            }
        }
    }

    fn drive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        while let Some(first) = self.segments.front_mut() {
            while let Some(wait) = first.waits.last_mut() {
                let outcome = wait.outcome.get_or_insert_with(|| Arc::clone(&wait.commit).outcome());
                if !ready!(outcome.as_mut().poll(context)) {
                    self.cut = true;
                    for wait in self.segments.drain(..).flat_map(|segment| segment.waits) {
                        wait.commit.refused(wait.answers);
                    }
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                first.waits.pop();
            }
            while let Some(rest) = first.bytes.get(first.written..).filter(|rest| !rest.is_empty()) {
                let written = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                first.written += written;
            }
            self.bytes -= first.bytes.len();
            self.segments.pop_front();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether what is written now is withheld.
    fn withholds(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.look();
        if self.segments.is_empty() && !self.cut {
            return Poll::Ready(Ok(false));
        }
        if self.bytes >= MOST || self.cut {
            ready!(self.drive(context))?;
            return Poll::Ready(Ok(false));
        }
        Poll::Ready(Ok(true))
    }

    fn withhold(&mut self, bytes: &[u8]) {
        if let Some(last) = self.segments.back_mut() {
            last.bytes.extend_from_slice(bytes);
            self.bytes += bytes.len();
        }
    }
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

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drive(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drive(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.withholds(context))? {
            parts.iter().for_each(|part| self.withhold(part));
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
