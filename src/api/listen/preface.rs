//! Which HTTP a connection speaks, by its first bytes, and the stream with those bytes still in it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// How HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.
    One,
    /// HTTP/2.
    Two,
}

/// A stream whose first bytes were read already.
pub(super) struct Begun<T> {
    stream: T,
    first: io::Cursor<Vec<u8>>,
}

/// Reads until it is clear which HTTP this is; `None` where the client leaves before.
pub(super) async fn read<T: AsyncRead + Unpin>(mut stream: T) -> io::Result<Option<(Version, Begun<T>)>> {
    let mut first = Vec::with_capacity(PREFACE.len());
    let version = loop {
        let mut part = [0; PREFACE.len()];
        let room = PREFACE.len() - first.len();
        let read = stream.read(part.get_mut(..room).unwrap_or_default()).await?;
        first.extend(part.iter().take(read));
        if !PREFACE.starts_with(&first) {
            break Version::One;
        }
        if read == 0 {
            return Ok(None);
        }
        if first.len() == PREFACE.len() {
            break Version::Two;
        }
    };
    Ok(Some((version, Begun { stream, first: io::Cursor::new(first) })))
}

impl<T: AsyncRead + Unpin> AsyncRead for Begun<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.get_ref().is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        ready!(Pin::new(&mut self.first).poll_read(context, into))?;
        if self.first.position() >= self.first.get_ref().len() as u64 {
            self.first = io::Cursor::default();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Begun<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tells_the_versions_apart_and_loses_nothing() {
        let http1: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let http2 = [PREFACE.as_slice(), b"settings"].concat();
        for (sent, expected) in [(http1, Version::One), (&http2, Version::Two), (b"PRI * HTTP/1.1\r\n", Version::One)] {
            for piece in [1, 5, 100] {
                let mut stream = tokio_test_stream(sent, piece);
                let (version, mut begun) = read(&mut stream).await.unwrap().unwrap();
                assert_eq!(version, expected);
                let mut all = Vec::new();
                begun.read_to_end(&mut all).await.unwrap();
                assert_eq!(all, sent);
            }
        }
        for left in [b"".as_slice(), b"PRI * HTTP/2.0\r\n"] {
            assert!(read(tokio_test_stream(left, 3)).await.unwrap().is_none());
        }
    }

    fn tokio_test_stream(bytes: &[u8], piece: usize) -> impl AsyncRead + Unpin {
        let (mut writer, reader) = tokio::io::duplex(piece);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await });
        reader
    }
}
