//! A server that takes OPA's decision logs, or holds its tongue.

use std::{
    collections::HashMap,
    io::Read as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::post,
};
use flate2::read::GzDecoder;
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinHandle};

/// The server; gone when dropped.
pub(super) struct Receiver {
    pub(super) url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    silent: AtomicBool,
    /// How often each decision came.
    seen: Mutex<HashMap<String, u64>>,
}

#[derive(Deserialize)]
struct Record {
    decision_id: String,
}

impl Receiver {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/logs", listener.local_addr()?);
        let shared = Arc::new(Shared::default());
        let routes = Router::new().route("/logs", post(take)).layer(DefaultBodyLimit::disable());
        let routes = routes.with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, shared, serving })
    }

    /// While it is silent it takes connections and requests, and answers nothing.
    pub(super) fn fall_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Relaxed);
    }

    /// How many records it has, and how many of them came more than once.
    pub(super) fn received(&self) -> (u64, u64) {
        let seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.len() as u64, seen.values().filter(|times| **times > 1).count() as u64)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    if shared.silent.load(Relaxed) {
        std::future::pending::<()>().await;
    }
    let mut text = Vec::new();
    let read = GzDecoder::new(&*body).read_to_end(&mut text).is_ok();
    let Some(records) = read.then(|| serde_json::from_slice::<Vec<Record>>(&text).ok()).flatten() else {
        return StatusCode::BAD_REQUEST;
    };
    let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
    for Record { decision_id } in records {
        *seen.entry(decision_id).or_default() += 1;
    }
    StatusCode::OK
}
