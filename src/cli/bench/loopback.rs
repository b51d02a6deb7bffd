//! Servers in this process, each with threads of its own.

use std::{
    net::Ipv4Addr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use verdict::{
    api::{
        Address,
        grpc::{self, Health},
        listen,
    },
    app::{self, App},
    audit,
    config::Config,
};

use super::{generated::Directory, null::Null, write_generated};

/// A running server; stops when dropped.
pub(super) struct Loopback {
    /// What its threads are called.
    pub(super) name: &'static str,
    pub(super) address: Address,
    /// Where its metrics are; `None` of one that has none.
    pub(super) http: Option<Address>,
    closing: CancellationToken,
    // `None` once it has stopped.
    running: Option<(Runtime, JoinHandle<()>)>,
    _folder: Option<Folder>,
}

/// A folder that goes away with this.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// A new name below `parent`; nothing is made.
    pub(super) fn below(parent: &Path) -> Self {
        Self(parent.join(format!("verdict-bench-{}", uuid::Uuid::now_v7())))
    }
}

impl Loopback {
    /// The null service, behind the same stack as the real one.
    pub(super) fn null(threads: NonZeroUsize) -> anyhow::Result<Self> {
        let name = "null-server";
        let runtime = runtime(name, threads)?;
        let closing = CancellationToken::new();
        let (address, serving) = runtime.block_on(async {
            let config = grpc::Config::default();
            let listener = listen::bind(&loopback())?;
            let address = listener.address()?;
            let routes = grpc::routes(Null::new(), None, None, None, None, Health::new().await, &config)?;
            let options = listen::Options {
                max_concurrent_streams: config.max_concurrent_streams,
                drain_timeout: Duration::from_secs(1),
                connections: listen::Connections::default(),
                tls: None,
                figures: std::sync::Arc::default(),
            };
            let serving = tokio::spawn(listen::serve(listener, routes, options, closing.clone()));
            anyhow::Ok((address, serving))
        })?;
        Ok(Self { name, address, http: None, closing, running: Some((runtime, serving)), _folder: None })
    }

    /// What `verdict serve` runs, with the generated policy and this decision log; `name` has at most 15 bytes.
    pub(super) fn real(
        name: &'static str,
        threads: NonZeroUsize,
        directory: &Directory,
        decision_log: audit::Config,
    ) -> anyhow::Result<Self> {
        Self::serving(name, threads, directory, Config { decision_log, ..Config::default() })
    }

    /// The same, with these settings.
    pub(super) fn serving(
        name: &'static str,
        threads: NonZeroUsize,
        directory: &Directory,
        mut config: Config,
    ) -> anyhow::Result<Self> {
        let runtime = runtime(name, threads)?;
        let folder = Folder::below(&std::env::temp_dir());
        write_generated(directory, &folder.0)?;
        let closing = CancellationToken::new();
        config.grpc.address = loopback();
        config.http.address = loopback();
        config.source.path = Some(folder.0.clone());
        config.reload.strict = true;
        let (address, http, serving) = runtime.block_on(async {
            let app = Box::pin(App::start(config)).await.context("can't start the server")?;
            let (address, http) = (app.grpc().clone(), app.http().clone());
            let closing = closing.clone();
            let serving = tokio::spawn(async move {
                let _ = app.run(closing.cancelled()).await;
            });
            anyhow::Ok((address, http, serving))
        })?;
        let http = Some(http);
        Ok(Self { name, address, http, closing, running: Some((runtime, serving)), _folder: Some(folder) })
    }
}

fn runtime(name: &'static str, threads: NonZeroUsize) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads.get()).thread_stack_size(app::STACK).thread_name(name).enable_all();
    builder.build().context("can't start threads")
}

fn loopback() -> Address {
    Address::Tcp((Ipv4Addr::LOCALHOST, 0).into())
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.closing.cancel();
        if let Some((runtime, serving)) = self.running.take() {
            // Its connections' clients are gone, so there is nothing to wait long for.
            let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), serving).await });
            runtime.shutdown_background();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
