//! Models of what may be written when; `listen/tests.rs` has connections as clients see them.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use proptest::prelude::*;
use tokio::{io::AsyncWriteExt as _, sync::watch};

use super::*;

/// A commit that a test says something of.
pub(in crate::api::listen) struct Said {
    outcome: watch::Sender<Option<bool>>,
    refused: AtomicU64,
}

impl Said {
    pub(in crate::api::listen) fn nothing() -> Arc<Self> {
        Arc::new(Self { outcome: watch::Sender::new(None), refused: AtomicU64::new(0) })
    }

    pub(in crate::api::listen) fn kept(&self, kept: bool) {
        self.outcome.send_replace(Some(kept));
    }
}

impl Commit for Said {
    fn known(&self) -> Option<bool> {
        *self.outcome.borrow()
    }

    fn outcome(self: Arc<Self>) -> Outcome {
        Box::pin(async move {
            self.outcome.subscribe().wait_for(Option::is_some).await.is_ok_and(|kept| *kept == Some(true))
        })
    }

    fn refused(&self, answers: u64) {
        self.refused.fetch_add(answers, Relaxed);
    }
}

/// What came out, of which so many bytes go at once; the rest waits until there is room again.
#[derive(Clone)]
struct Out(Arc<Mutex<(Vec<u8>, usize)>>);

impl Out {
    fn with_room(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new((Vec::new(), bytes))))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().0.clone()
    }
}

impl AsyncWrite for Out {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (out, room) = &mut *self.0.lock().unwrap();
        let some = bytes.len().min(*room);
        if some == 0 && !bytes.is_empty() {
            return Poll::Pending;
        }
        *room -= some;
        out.extend_from_slice(&bytes[..some]);
        Poll::Ready(Ok(some))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn new(room: usize) -> (Withholding<Out>, Arc<Withheld>, Out) {
    let (out, withheld) = (Out::with_room(room), Arc::<Withheld>::default());
    (Withholding::new(out.clone(), Arc::clone(&withheld)), withheld, out)
}

fn now<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}

fn flush(stream: &mut Withholding<Out>) -> Poll<io::Result<()>> {
    now(|context| Pin::new(stream).poll_flush(context))
}

fn until(withheld: &Withheld, said: &Arc<Said>) {
    withheld.until(Arc::clone(said) as Arc<dyn Commit>);
}

#[tokio::test]
async fn nothing_goes_out_before_it_is_kept_and_the_end_waits_for_it() {
    let (mut stream, withheld, out) = new(usize::MAX);
    stream.write_all(b"settings ").await.unwrap();
    assert_eq!(out.bytes(), b"settings ", "nothing is awaited");
    let said = Said::nothing();
    until(&withheld, &said);
    stream.write_all(b"allow").await.unwrap();
    assert!(flush(&mut stream).is_ready(), "more may be written");
    assert_eq!(out.bytes(), b"settings ");
    let ending = tokio::spawn(async move { stream.shutdown().await });
    tokio::task::yield_now().await;
    assert_eq!(out.bytes(), b"settings ");
    said.kept(true);
    ending.await.unwrap().unwrap();
    assert_eq!(out.bytes(), b"settings allow");
}

#[tokio::test]
async fn what_is_lost_ends_it_and_nothing_after_it_goes_out() {
    let (mut stream, withheld, out) = new(usize::MAX);
    let said: Vec<_> = (0..3).map(|_| Said::nothing()).collect();
    for (said, answer) in said.iter().zip([b"one", b"two", b"six"]) {
        until(&withheld, said);
        until(&withheld, said);
        stream.write_all(answer).await.unwrap();
    }
    said[2].kept(true);
    said[0].kept(true);
    assert!(flush(&mut stream).is_ready());
    assert_eq!(out.bytes(), b"one");
    said[1].kept(false);
    assert!(stream.flush().await.is_err());
    assert!(stream.write_all(b"more").await.is_err() && stream.shutdown().await.is_err());
    assert_eq!(out.bytes(), b"one");
    let refused: Vec<u64> = said.iter().map(|said| said.refused.load(Relaxed)).collect();
    assert_eq!(refused, [0, 2, 0]);
}

#[tokio::test]
async fn no_more_is_withheld_than_there_is_room_for() {
    let (mut stream, withheld, out) = new(usize::MAX);
    let said = Said::nothing();
    until(&withheld, &said);
    let part = vec![7; 16 << 10];
    let mut taken = 0;
    while let Poll::Ready(written) = now(|context| Pin::new(&mut stream).poll_write(context, &part)) {
        taken += written.unwrap();
    }
    assert_eq!((taken, out.bytes().len()), (MOST, 0));
    assert!(flush(&mut stream).is_pending());
    let writing = tokio::spawn(async move { stream.write_all(&part).await });
    tokio::task::yield_now().await;
    said.kept(true);
    writing.await.unwrap().unwrap();
    assert_eq!(out.bytes().len(), MOST + (16 << 10));
}

#[tokio::test]
async fn for_a_client_that_does_not_read_nothing_more_is_withheld() {
    let (mut stream, withheld, out) = new(2);
    let [one, two] = [Said::nothing(), Said::nothing()];
    let mut write = |bytes: &[u8]| now(|context| Pin::new(&mut stream).poll_write(context, bytes));
    until(&withheld, &one);
    assert!(write(b"one").is_ready() && write(b"more").is_ready(), "a commit holds it up");
    one.kept(true);
    assert!(flush(&mut stream).is_pending());
    let mut write = |bytes: &[u8]| now(|context| Pin::new(&mut stream).poll_write(context, bytes));
    assert!(write(b"x").is_pending(), "the client holds it up");
    until(&withheld, &two);
    assert!(write(b"y").is_pending());
    assert_eq!(out.bytes(), b"on");
    out.0.lock().unwrap().1 = 100;
    assert!(write(b"two").is_ready(), "and now it is a commit again");
    assert_eq!(out.bytes(), b"onemore");
    two.kept(true);
    stream.flush().await.unwrap();
    assert_eq!(out.bytes(), b"onemoretwo");
}

/// What happens on a connection.
#[derive(Clone, Debug)]
enum Step {
    /// An answer is made that waits for the record of that number.
    Await(usize),
    /// So many bytes are written, in one slice or in two.
    Write(usize, bool),
    /// The record of that number is kept, or lost.
    Settle(usize, bool),
    Flush,
    /// The client reads so many bytes.
    Room(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..8).prop_map(Step::Await),
        4 => (1_usize..40, any::<bool>()).prop_map(|(bytes, two)| Step::Write(bytes, two)),
        2 => (0_usize..8, prop::bool::weighted(0.9)).prop_map(|(at, kept)| Step::Settle(at, kept)),
        3 => Just(Step::Flush),
        2 => (0_usize..60).prop_map(Step::Room),
    ]
}

proptest! {
    #[test]
    fn each_byte_goes_out_in_its_place_once_all_is_kept_that_was_awaited_before_it(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let (mut stream, withheld, out) = new(0);
        let said: Vec<_> = (0..8).map(|_| Said::nothing()).collect();
        // What was written, and for what each byte waits: all that was awaited before.
        let (mut written, mut waits): (Vec<u8>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
        let mut awaited = Vec::new();
        for step in steps {
            match step {
                Step::Await(at) => {
                    until(&withheld, &said[at]);
                    awaited.push(at);
                }
                Step::Write(bytes, two) => {
                    let bytes: Vec<u8> = (written.len()..written.len() + bytes).map(|byte| byte.to_le_bytes()[0]).collect();
                    let done = if two {
                        let (one, other) = bytes.split_at(bytes.len() / 2);
                        let slices = [IoSlice::new(one), IoSlice::new(other)];
                        now(|context| Pin::new(&mut stream).poll_write_vectored(context, &slices))
                    } else {
                        now(|context| Pin::new(&mut stream).poll_write(context, &bytes))
                    };
                    if let Poll::Ready(Ok(taken)) = done {
                        written.extend(&bytes[..taken]);
                        waits.extend((0..taken).map(|_| awaited.clone()));
                    }
                }
                Step::Settle(at, kept) => if said[at].known().is_none() {
                    said[at].kept(kept);
                },
                Step::Flush => {
                    let flushed = flush(&mut stream);
                    if let Poll::Ready(Ok(())) = flushed {
                        let next = waits.get(out.bytes().len());
                        let is_kept = |at: &usize| said[*at].known() == Some(true);
                        prop_assert!(next.is_none_or(|waits| !waits.iter().all(is_kept)));
                    }
                }
                Step::Room(bytes) => out.0.lock().unwrap().1 += bytes,
            }
            let gone = out.bytes();
            prop_assert!(written.starts_with(&gone));
            for waits in &waits[..gone.len()] {
                prop_assert!(waits.iter().all(|at| said[*at].known() == Some(true)));
            }
        }
        // Where nothing is lost, all of it goes out in the end.
        if awaited.iter().all(|at| said[*at].known() != Some(false)) {
            for said in &said {
                said.kept(true);
            }
            out.0.lock().unwrap().1 = usize::MAX;
            prop_assert!(matches!(flush(&mut stream), Poll::Ready(Ok(()))));
            prop_assert_eq!(out.bytes(), written);
        }
    }
}
