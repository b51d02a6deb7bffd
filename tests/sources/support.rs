//! Sources made from the configuration's text, and servers that answer as they are told.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use verdict::source::{Content, Error, Report, Source, Spec};

/// Waits and delays that let a test end soon.
pub(crate) const FAST: &str = "
polling = { min = '10ms', max = '20ms' }
back_off = { min = '10ms', max = '20ms' }
";
const PATIENCE: Duration = Duration::from_secs(60);

/// A source of this URL, with these further lines of TOML.
pub(crate) fn source(url: &str, more: &str) -> Box<dyn Source> {
    let spec: Spec = toml::from_str(&format!("url = '{url}'\n{FAST}{more}")).unwrap();
    assert_eq!(spec.check(), []);
    spec.open().unwrap()
}

/// What it gives next.
pub(crate) async fn next(source: &mut Box<dyn Source>) -> Result<Vec<u8>, Error> {
    match timeout(PATIENCE, source.next()).await.expect("something within ten seconds")? {
        Content::Archive(bytes) => Ok(bytes),
        Content::Files(_) => panic!("an archive"),
    }
}

/// The words of its next failure.
pub(crate) async fn failure(source: &mut Box<dyn Source>) -> String {
    next(source).await.expect_err("a failure").to_string()
}

/// It gives nothing for so long.
pub(crate) async fn silent(source: &mut Box<dyn Source>, time: Duration) {
    if let Ok(given) = timeout(time, source.next()).await {
        panic!("gave {given:?}");
    }
}

/// It gives nothing until it was asked so often.
pub(crate) async fn asked(source: &mut Box<dyn Source>, times: u64) {
    let mut status = source.status().unwrap();
    let attempts = async {
        while status.report().attempts < times {
            status.changed().await;
        }
    };
    tokio::select! {
        given = source.next() => panic!("gave {given:?}"),
        ended = timeout(PATIENCE, attempts) => ended.expect("attempts within ten seconds"),
    }
}

/// How it fares.
pub(crate) fn report(source: &dyn Source) -> Report {
    source.status().unwrap().report()
}

/// A part of an answer.
pub(crate) enum Step {
    Send(Vec<u8>),
    Pause(Duration),
}

/// A server that answers the n-th request, by its head, with these steps, and hangs up.
pub(crate) async fn server(
    tls: Option<TlsAcceptor>,
    answer: impl Fn(usize, &str) -> Vec<Step> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, answer, count) = (tls.clone(), Arc::clone(&answer), Arc::clone(&count));
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, &*answer, &count).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, &*answer, &count).await;
                        }
                    }
                }
            });
        }
    });
    address
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &(dyn Fn(usize, &str) -> Vec<Step> + Send + Sync),
    count: &AtomicUsize,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).await.is_err() {
            return;
        }
        head.push(byte[0]);
    }
    for step in answer(count.fetch_add(1, Ordering::SeqCst), &String::from_utf8_lossy(&head)) {
        match step {
            Step::Pause(time) => sleep(time).await,
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = stream.shutdown().await;
}

/// A whole answer: the status line's end, more headers, and the body with its length.
pub(crate) fn whole(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    vec![Step::Send(text.into_bytes())]
}

/// A program that another test server is; `None`, after saying so, where it is not installed.
///
/// The variable names it, or else it is looked for on the path. `VERDICT_TEST_REQUIRE` makes its absence a failure.
pub(crate) fn tool(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.contains(name));
        assert!(!required, "VERDICT_TEST_REQUIRE asks for {name}, which is neither in {variable} nor on the path");
        println!("skipped: {name} is neither in {variable} nor on the path");
    }
    found
}

/// A port of this machine that nobody has.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server of somebody else's, which ends with the test.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it and waits until it listens.
    pub(crate) async fn start(command: &mut Command, port: u16) -> Self {
        let running = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(60), listens).await.expect("the server listens");
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
