//! An issuer over HTTP on this machine, as good or as bad as a test wants it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What it answers.
#[derive(Clone)]
pub(crate) enum Says {
    /// A status, further lines of the head, and a body.
    Answer(u16, String, String),
    /// Nothing for so long, then this.
    Slow(Duration, Box<Says>),
    /// A body of so many bytes, announced or not.
    Endless(bool),
    /// It closes the connection.
    Nothing,
}

pub(crate) fn json(body: &serde_json::Value) -> Says {
    Says::Answer(200, "content-type: application/json\r\n".to_owned(), body.to_string())
}

type Behaviour = dyn Fn(&str) -> Says + Send + Sync;

/// The issuer.
pub(crate) struct Issuer {
    pub(crate) url: String,
    asked: Arc<AtomicUsize>,
    /// Heads and bodies of what it was asked.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    says: Arc<Mutex<Arc<Behaviour>>>,
}

impl Issuer {
    pub(crate) async fn saying(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            requests: Arc::default(),
            says: Arc::new(Mutex::new(Arc::new(|_: &str| Says::Nothing) as Arc<Behaviour>)),
        };
        issuer.says(says);
        let (asked, requests, behaviour) =
            (Arc::clone(&issuer.asked), Arc::clone(&issuer.requests), Arc::clone(&issuer.says));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, requests, behaviour) = (Arc::clone(&asked), Arc::clone(&requests), Arc::clone(&behaviour));
                tokio::spawn(async move {
                    let mut stream = stream;
                    let Some(request) = read(&mut stream).await else { return };
                    asked.fetch_add(1, SeqCst);
                    requests.lock().unwrap().push(request.clone());
                    let behaviour = Arc::clone(&*behaviour.lock().unwrap());
                    answer(stream, behaviour(&request)).await;
                });
            }
        });
        issuer
    }

    pub(crate) fn says(&self, says: Says) {
        self.does(move |_| says.clone());
    }

    pub(crate) fn does(&self, what: impl Fn(&str) -> Says + Send + Sync + 'static) {
        *self.says.lock().unwrap() = Arc::new(what);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

/// The head and the body of a request.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
    }
}

async fn answer(mut stream: TcpStream, mut says: Says) {
    while let Says::Slow(time, then) = says {
        tokio::time::sleep(time).await;
        says = *then;
    }
    match says {
        Says::Answer(status, head, body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{body}");
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Says::Endless(announced) => {
            let length = if announced { "content-length: 1073741824\r\n" } else { "" };
            let _ = stream.write_all(format!("HTTP/1.1 200 X\r\nconnection: close\r\n{length}\r\n").as_bytes()).await;
            while stream.write_all(&[b' '; 8_192]).await.is_ok() {}
        }
        Says::Slow(..) | Says::Nothing => {}
    }
}
