use std::{convert::Infallible, time::Duration};

use http_body_util::{BodyExt as _, Full, StreamBody};
use tokio::sync::mpsc;

use super::*;

const MOST: u64 = 1 << 20;

fn room() -> Arc<Room> {
    Arc::new(Room::new(1 << 20))
}

fn body(frames: mpsc::UnboundedReceiver<Bytes>) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
    let next = |mut frames: mpsc::UnboundedReceiver<Bytes>| async {
        frames.recv().await.map(|data| (Ok(Frame::data(data)), frames))
    };
    StreamBody::new(Box::pin(futures::stream::unfold(frames, next)))
}

async fn waits<B: Body<Data = Bytes> + Unpin>(ahead: &mut Ahead<B>, room: &Arc<Room>) -> bool {
    tokio::time::timeout(Duration::from_millis(10), ahead.fill(MOST, room)).await.is_err()
}

#[tokio::test]
async fn what_was_read_ahead_comes_before_the_rest() {
    let (sender, frames) = mpsc::unbounded_channel();
    let (mut ahead, room) = (Ahead::new(body(frames)), room());
    assert!(!ahead.is_there(MOST, &room));
    for part in ["one ", "two "] {
        sender.send(part.into()).unwrap();
    }
    assert!(waits(&mut ahead, &room).await, "it has no end yet");
    assert_eq!(ahead.size_hint().lower(), 8);
    sender.send(Bytes::new()).unwrap();
    sender.send("three".into()).unwrap();
    drop(sender);
    assert_eq!(ahead.fill(MOST, &room).await, Come::Whole);
    assert!(ahead.is_there(MOST, &room));
    assert_eq!(ahead.collect().await.unwrap().to_bytes(), "one two three");
    assert_eq!(room.taken(), 0);
}

#[tokio::test]
async fn no_more_is_read_ahead_than_a_message_may_be() {
    let (sender, frames) = mpsc::unbounded_channel();
    let (mut ahead, room) = (Ahead::new(body(frames)), room());
    for _ in 0..4 {
        sender.send(vec![0; 1_000].into()).unwrap();
    }
    assert_eq!(ahead.fill(1_999, &room).await, Come::TooMuch);
    assert_eq!((ahead.size(), ahead.is_end_stream()), (2_000, false));
    drop(sender);
    assert_eq!(ahead.collect().await.unwrap().to_bytes().len(), 4_000);
}

#[tokio::test]
async fn parts_take_room_while_the_rest_does_not_come() {
    let (sender, frames) = mpsc::unbounded_channel();
    let room = Arc::new(Room::new(1_000));
    let mut ahead = Ahead::new(body(frames));
    assert!(waits(&mut ahead, &room).await);
    assert_eq!(room.taken(), 0, "nothing came yet");
    sender.send(vec![0; 600].into()).unwrap();
    assert!(waits(&mut ahead, &room).await);
    assert_eq!(room.taken(), 600);
    let (other, frames) = mpsc::unbounded_channel();
    let mut second = Ahead::new(body(frames));
    other.send(vec![0; 600].into()).unwrap();
    assert_eq!(second.fill(MOST, &room).await, Come::NoRoom);
    // What comes whole needs none.
    drop(other);
    assert_eq!(second.fill(MOST, &room).await, Come::Whole);
    drop(ahead);
    assert_eq!(room.taken(), 0);
}

#[tokio::test]
async fn a_large_message_takes_room_until_it_is_read() {
    let room = Arc::new(Room::new(150_000));
    let large = || Ahead::new(Full::new(Bytes::from(vec![0; 100_000])));
    let (mut first, mut second) = (large(), large());
    assert!(first.is_there(MOST, &room));
    assert_eq!(second.fill(MOST, &room).await, Come::NoRoom);
    assert!(Ahead::new(Full::new(Bytes::from(vec![0; SMALL]))).is_there(MOST, &room));
    assert_eq!(first.collect().await.unwrap().to_bytes().len(), 100_000);
    assert_eq!((room.taken(), second.fill(MOST, &room).await), (0, Come::Whole));
}

#[tokio::test]
async fn nothing_comes_of_what_is_held() {
    let (mut ahead, room) = (Ahead::new(Full::new(Bytes::from(vec![0; 100_000]))), room());
    assert!(ahead.is_there(MOST, &room));
    ahead.hold();
    assert_eq!(room.taken(), 0);
    assert!(tokio::time::timeout(Duration::from_millis(10), ahead.collect()).await.is_err());
}

#[tokio::test]
async fn a_byte_a_frame_takes_a_byte() {
    let (sender, frames) = mpsc::unbounded_channel();
    let (mut ahead, room) = (Ahead::new(body(frames)), room());
    // A part of a large buffer keeps all of it.
    (0..10_000).for_each(|_| sender.send(Bytes::from(vec![7; 1 << 10]).slice(..1)).unwrap());
    assert!(waits(&mut ahead, &room).await);
    assert!(ahead.first.is_empty() && ahead.size() == 10_000);
    assert!((10_000..=20_000).contains(&room.taken()), "{}", room.taken());
    drop(sender);
    assert_eq!(ahead.collect().await.unwrap().to_bytes().len(), 10_000);
}

#[tokio::test]
async fn what_breaks_off_is_broken_however_much_came() {
    for data in [None, Some("all of it")] {
        let frames = data.map(|data| Ok(Frame::data(Bytes::from(data)))).into_iter().chain([Err("it broke off")]);
        let (mut ahead, room) = (Ahead::new(StreamBody::new(futures::stream::iter(frames))), room());
        assert_eq!((ahead.is_there(MOST, &room), ahead.fill(MOST, &room).await), (false, Come::Broken));
        assert_eq!(ahead.collect().await.unwrap_err().to_string(), "it broke off");
    }
}

#[tokio::test]
async fn what_is_all_there_has_its_size() {
    let (mut ahead, room) = (Ahead::new(Full::new(Bytes::from_static(b"all"))), room());
    assert!(ahead.is_there(MOST, &room));
    assert_eq!((ahead.size_hint().exact(), ahead.is_end_stream()), (Some(3), false));
    assert_eq!(ahead.collect().await.unwrap().to_bytes(), "all");
}

#[tokio::test]
async fn what_is_replaced_has_nothing_of_what_was_sent() {
    let (sender, frames) = mpsc::unbounded_channel();
    let (mut ahead, room) = (Ahead::new(body(frames)), room());
    sender.send("a part".into()).unwrap();
    assert!(waits(&mut ahead, &room).await);
    ahead.replace(b"other");
    sender.send("more".into()).unwrap();
    assert_eq!((room.taken(), ahead.size_hint().exact()), (0, None));
    assert_eq!(ahead.collect().await.unwrap().to_bytes(), "other");
}

/// A message of gRPC of that length, whose bytes are `len` of it.
fn message(length: u32, len: usize) -> Bytes {
    let mut bytes = [&[0][..], &length.to_be_bytes()].concat();
    bytes.resize(5 + len, 7);
    bytes.into()
}

fn load(most: usize) -> Arc<Load> {
    Arc::new(Load::new(crate::api::caller::LoadConfig { max_unfinished_bytes: most, ..Default::default() }))
}

const READING: Reading = Reading { longest: Duration::from_millis(20), most: 1_000 };

#[tokio::test]
async fn a_stream_s_messages_take_room_while_they_are_not_all_there() {
    let (sender, frames) = mpsc::unbounded_channel();
    let (mut ahead, load) = (Ahead::new(body(frames)), load(2_000));
    ahead.follow(READING, &load);
    let taken = || load.room().taken();
    for (sent, takes) in [
        (message(3, 3), 0),
        // Several in one frame, the last of which is not all there.
        ([&message(0, 0)[..], &message(1, 1), &message(600, 10)].concat().into(), 600),
        (vec![7; 500].into(), 600),
        // Its end, and a part of the next one's prefix.
        ([&[7; 90][..], &[0, 0]].concat().into(), 5),
        (Bytes::from_static(&[0, 0]), 5),
        (Bytes::from_static(&[2]), 5),
        (Bytes::from_static(&[7, 7]), 0),
        // Too long, which is for its reader to say.
        (message(1 << 30, 1), 1_000),
    ] {
        sender.send(sent.clone()).unwrap();
        let frame = ahead.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((frame, taken()), (sent, takes));
    }
    drop(ahead);
    assert_eq!(taken(), 0);
}

#[tokio::test]
async fn a_stream_ends_whose_message_finds_no_room_or_does_not_come() {
    let load = load(1_000);
    let stream = || {
        let (sender, frames) = mpsc::unbounded_channel();
        let mut ahead = Ahead::new(body(frames));
        ahead.follow(READING, &load);
        (sender, ahead)
    };
    let ((first, mut one), (second, mut other)) = (stream(), stream());
    first.send(message(900, 1)).unwrap();
    assert!(one.frame().await.unwrap().is_ok());
    second.send(message(900, 1)).unwrap();
    assert!(other.frame().await.unwrap().is_ok(), "there may be a whole one before it");
    let refused = |refused: BoxError| refused.downcast::<Status>().expect("a status").code();
    let no_room = other.frame().await.unwrap().unwrap_err();
    assert_eq!(refused(no_room), tonic::Code::ResourceExhausted);
    let late = one.frame().await.unwrap().unwrap_err();
    assert_eq!((refused(late), load.room().taken()), (tonic::Code::DeadlineExceeded, 0));
    // Between two messages there is all the time.
    let (third, mut slow) = stream();
    third.send(message(1, 1)).unwrap();
    assert!(slow.frame().await.unwrap().is_ok());
    assert!(tokio::time::timeout(Duration::from_millis(60), slow.frame()).await.is_err());
}

#[tokio::test]
async fn nobody_is_late_whose_bytes_lie_unread() {
    let load = load(1_000);
    let (sender, frames) = mpsc::unbounded_channel();
    let mut ahead = Ahead::new(body(frames));
    ahead.follow(READING, &load);
    for part in [message(900, 100), vec![7; 400].into(), vec![7; 400].into()] {
        sender.send(part).unwrap();
    }
    assert!(ahead.frame().await.unwrap().is_ok());
    // Whoever reads has other things to do for longer than a message may take to come.
    tokio::time::sleep(READING.longest * 3).await;
    for _ in 0..2 {
        assert!(ahead.frame().await.unwrap().is_ok());
    }
    assert_eq!(load.room().taken(), 0);
    // Who owes the rest then, has as long as anybody.
    sender.send(message(900, 100)).unwrap();
    assert!(ahead.frame().await.unwrap().is_ok());
    tokio::time::sleep(READING.longest * 3).await;
    sender.send(vec![7; 10].into()).unwrap();
    assert!(ahead.frame().await.unwrap().is_ok());
    assert!(ahead.frame().await.unwrap().is_err(), "but no longer");
}
