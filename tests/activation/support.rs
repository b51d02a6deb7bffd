//! Bundles on disk, and a server in this process that serves them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::Status;
use verdict::{
    api::{
        administration::{Administration as _, Expected, Put},
        grpc::proto::{
            Action, CheckRequest, Effect, Resource, Subject, Verdict, decision_service_client::DecisionServiceClient,
        },
    },
    app::App,
    bundle::{Compression, File, Package},
    config::{self, Flags},
    reload::Handle,
};

/// A bundle's archive.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    package(files).write(Compression::Gzip)
}

pub(crate) fn package(files: &[(&str, &str)]) -> Package {
    let files = files.iter().map(|(path, text)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() });
    Package::from_files(files).unwrap()
}

/// One with the package `root`, that allows or not.
pub(crate) fn policy(root: &str, revision: &str, allow: bool) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "{revision}", "roots": ["{root}"]}}"#);
    archive(&[(".manifest", &manifest), ("p.rego", &format!("package {root}\n\nallow := {allow}\n"))])
}

/// A folder with bundles and a configuration.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    settings: String,
    bundles: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), settings: String::new(), bundles: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Settings of `bundles`, as lines of YAML.
    pub(crate) fn setting(mut self, line: &str) -> Self {
        self.settings.extend(["  ", line, "\n"]);
        self
    }

    /// Keeps the last good set.
    pub(crate) fn stored(self) -> Self {
        let line = format!("store: {}", self.path("store").display());
        self.setting(&line)
    }

    /// A bundle of a file, with more settings.
    pub(crate) fn bundle(mut self, name: &str, more: &str) -> Self {
        self.bundles.push((name.to_owned(), more.to_owned()));
        self
    }

    /// Puts an archive where its source finds it.
    pub(crate) fn put(&self, name: &str, archive: &[u8]) {
        let path = self.path(&format!("{name}.tar.gz"));
        let beside = path.with_extension("new");
        fs::write(&beside, archive).unwrap();
        fs::rename(&beside, path).unwrap();
    }

    pub(crate) fn take_away(&self, name: &str) {
        fs::remove_file(self.path(&format!("{name}.tar.gz"))).unwrap();
    }

    /// The configuration's file.
    pub(crate) fn config(&self) -> PathBuf {
        let mut text = "grpc: {address: '127.0.0.1:0', request_timeout: 30s}\nhttp: {address: '127.0.0.1:0'}\nadmin: {address: 'off'}\n".to_owned();
        text.push_str("policies: {evaluation_budget: 5s, default: data.a}\nserver: {drain_timeout: 1s}\nbundles:\n");
        text.push_str(&self.settings);
        for (name, more) in &self.bundles {
            let url = self.path(&format!("{name}.tar.gz"));
            let lines =
                format!("  {name}:\n    url: 'file://{}'\n    polling: {{min: 50ms, max: 100ms}}\n", url.display());
            text.push_str(&lines);
            for line in more.lines() {
                text.extend(["    ", line, "\n"]);
            }
        }
        let path = self.path("verdict.yaml");
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) async fn serve(&self) -> Server {
        let flags = Flags { file: Some(self.config()), values: Vec::new() };
        let config = config::load(&flags, std::iter::empty()).unwrap_or_else(|faults| panic!("{faults}"));
        let app = Box::pin(App::start(config)).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (grpc, handle) = (app.grpc().to_string(), app.administration().clone());
        let http = app.http().to_string();
        let running = tokio::spawn(async move {
            app.run(async {
                let _ = stopped.await;
            })
            .await
            .unwrap();
        });
        Server { grpc, http, handle, stop, running }
    }
}

pub(crate) struct Server {
    pub(crate) grpc: String,
    pub(crate) http: String,
    pub(crate) handle: Handle,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.running.await.unwrap();
    }

    pub(crate) async fn try_ask(&self, question: CheckRequest) -> Result<Verdict, Status> {
        ask(&self.grpc, question).await
    }

    pub(crate) async fn ask(&self) -> Verdict {
        self.try_ask(question()).await.unwrap()
    }

    pub(crate) async fn allows(&self) -> bool {
        self.ask().await.effect() == Effect::Allow
    }

    /// Waits until that is so.
    pub(crate) async fn until(&self, what: &str, mut is: impl FnMut(&Handle) -> bool) {
        let since = Instant::now();
        while !is(&self.handle) {
            assert!(since.elapsed() < Duration::from_secs(30), "{what}: {:#?}", self.handle.status());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until bundles have these revisions.
    pub(crate) async fn serves(&self, bundles: &[(&str, &str)]) {
        self.until(&format!("serves {bundles:?}"), |handle| {
            let active = handle.status().active;
            active.is_some_and(|active| {
                bundles
                    .iter()
                    .all(|(name, revision)| active.revision.bundles.get(*name).is_some_and(|is| is == revision))
            })
        })
        .await;
    }

    pub(crate) fn failure(&self, bundle: &str) -> Option<String> {
        let bundles = self.handle.status().bundles;
        let bundle = bundles.into_iter().find(|known| known.name == bundle).unwrap();
        bundle.failure.map(|failure| format!("{}: {}", failure.step, failure.message))
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.handle.status().active.unwrap().revision.sequence
    }
}

pub(crate) async fn ask(address: &str, question: CheckRequest) -> Result<Verdict, Status> {
    let mut client = DecisionServiceClient::connect(format!("http://{address}")).await.unwrap();
    client.check(question).await.map(|answer| answer.into_inner().verdict.unwrap())
}

pub(crate) fn question() -> CheckRequest {
    CheckRequest {
        subject: Some(Subject { r#type: "user".into(), id: "alice".into(), properties: None }),
        action: Some(Action { name: "read".into(), properties: None }),
        resource: Some(Resource { r#type: "doc".into(), id: "1".into(), properties: None }),
        ..CheckRequest::default()
    }
}

pub(crate) fn put(name: &str, archive: Vec<u8>) -> Put {
    Put { name: name.to_owned(), archive, dry_run: false, expected: Expected::default(), allow_downgrade: false }
}

/// Every file below a folder.
pub(crate) fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
