//! A bundle on its way in: a header, then chunks. What is too large is refused as soon as that is known.

use futures::{Stream, StreamExt as _};
use tonic::Status;

use super::request::{self, violation};
use crate::api::{
    administration::Put,
    grpc::{
        limits::in_our_words,
        proto::{PutBundleHeader, PutBundleRequest, put_bundle_request::Part},
    },
    status::CallError,
};

/// The longest name of a bundle, in bytes.
const MAX_NAME: usize = 256;

/// Reads a bundle of at most `most` bytes.
pub(super) async fn read<S>(messages: &mut S, most: usize, max_message_bytes: usize) -> Result<Put, CallError>
where
    S: Stream<Item = Result<PutBundleRequest, Status>> + Unpin,
{
    let Some(Part::Header(header)) = next(messages, max_message_bytes).await? else {
        return Err(violation("header", "is missing; it goes first"));
    };
    let PutBundleHeader { bundle: name, dry_run, expected, size, allow_downgrade } = header;
    if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) {
        return Err(violation("header.bundle", format!("is no name; one has from 1 to {MAX_NAME} bytes of text")));
    }
    let expected = request::expected(expected)?;
    let told = usize::try_from(size).unwrap_or(usize::MAX);
    if told > most {
        return Err(CallError::BundleTooLarge(most));
    }
    let mut archive = Vec::with_capacity(told);
    while let Some(part) = next(messages, max_message_bytes).await? {
        let Part::Chunk(chunk) = part else {
            return Err(violation("header", "is there twice; only the first message has one"));
        };
        if archive.len() + chunk.len() > most {
            return Err(CallError::BundleTooLarge(most));
        }
        archive.extend_from_slice(&chunk);
    }
    if archive.is_empty() {
        return Err(violation("chunk", "is missing; the archive is empty"));
    }
    // Less than was told may be a client that was cut off.
    if told != 0 && told != archive.len() {
        return Err(violation("header.size", format!("is {told}, but {} bytes came", archive.len())));
    }
    Ok(Put { name, archive, dry_run, expected, allow_downgrade })
}

/// The next message's part; none at the end.
async fn next<S>(messages: &mut S, max_message_bytes: usize) -> Result<Option<Part>, CallError>
where
    S: Stream<Item = Result<PutBundleRequest, Status>> + Unpin,
{
    match messages.next().await {
        Some(Ok(PutBundleRequest { part: Some(part) })) => Ok(Some(part)),
        Some(Ok(PutBundleRequest { part: None })) => Err(violation("part", "is missing")),
        Some(Err(status)) => Err(broken_off(status, max_message_bytes)),
        None => Ok(None),
    }
}

/// Why messages ended before their end.
fn broken_off(status: Status, max_message_bytes: usize) -> CallError {
    let too_large = CallError::MessageTooLarge { limit: max_message_bytes, setting: "grpc.max_message_bytes" };
    let (status, reason) = in_our_words(status, max_message_bytes);
    if reason == Some(too_large.code().1) {
        too_large
    } else {
        CallError::MalformedMessage(status.message().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, stream};

    use super::*;

    const MOST: usize = 10;

    fn header(size: u64) -> Part {
        Part::Header(PutBundleHeader { bundle: "main".to_owned(), dry_run: true, size, ..PutBundleHeader::default() })
    }

    fn chunk(bytes: &[u8]) -> Part {
        Part::Chunk(bytes.to_vec())
    }

    fn given(parts: Vec<Part>) -> Result<Put, CallError> {
        let messages = parts.into_iter().map(|part| Ok(PutBundleRequest { part: Some(part) }));
        block_on(read(&mut stream::iter(messages), MOST, 1 << 20))
    }

    #[test]
    fn chunks_are_put_together_in_order() {
        let put = given(vec![header(0), chunk(b"abc"), chunk(b""), chunk(b"defghij")]).unwrap();
        assert_eq!((put.name.as_str(), put.archive.as_slice(), put.dry_run), ("main", b"abcdefghij".as_slice(), true));
        assert_eq!(given(vec![header(3), chunk(b"abc")]).unwrap().archive, b"abc");
    }

    #[test]
    fn what_is_too_large_is_refused_before_the_rest_is_read() {
        assert_eq!(given(vec![header(11)]).unwrap_err(), CallError::BundleTooLarge(MOST));
        assert_eq!(given(vec![header(u64::MAX)]).unwrap_err(), CallError::BundleTooLarge(MOST));
        let rest =
            stream::iter([header(0), chunk(b"abcdefghijk")].map(|part| Ok(PutBundleRequest { part: Some(part) })));
        let mut endless = rest.chain(stream::pending());
        assert_eq!(block_on(read(&mut endless, MOST, 1 << 20)).unwrap_err(), CallError::BundleTooLarge(MOST));
    }

    #[test]
    fn the_order_of_parts_and_the_size_are_held_to() {
        let unnamed = Part::Header(PutBundleHeader::default());
        let wrong = [vec![], vec![chunk(b"a")], vec![header(0)], vec![header(0), header(0)], vec![unnamed]];
        for parts in wrong.into_iter().chain([vec![header(3), chunk(b"ab")], vec![header(3), chunk(b"abcd")]]) {
            let error = given(parts.clone()).unwrap_err();
            assert!(matches!(error, CallError::InvalidRequest(_)), "{parts:?}: {error}");
        }
        let mut empty = stream::iter([Ok(PutBundleRequest { part: None })]);
        assert!(block_on(read(&mut empty, MOST, 1 << 20)).is_err());
    }

    #[test]
    fn a_client_that_is_cut_off_puts_nothing() {
        let cut = [Ok(PutBundleRequest { part: Some(header(0)) }), Ok(PutBundleRequest { part: Some(chunk(b"a")) })];
        let mut messages = stream::iter(cut.into_iter().chain([Err(Status::cancelled("gone"))]));
        assert!(matches!(block_on(read(&mut messages, MOST, 1 << 20)), Err(CallError::MalformedMessage(_))));
    }
}
