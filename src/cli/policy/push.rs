//! Putting a bundle: `verdict bundle push`. The archive is streamed, with its progress on standard error.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use futures::{Stream, StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{fs::File, io::AsyncReadExt as _};
use tonic_types::StatusExt as _;
use verdict::api::grpc::proto::{PutBundleHeader, PutBundleRequest, put_bundle_request::Part};

use super::{
    Format, block_on,
    connect::{self, Expect},
    refused, shown,
};
use crate::cli::{exit, say};

/// How much of the archive one message has.
const CHUNK: usize = 64 << 10;

/// Reasons of refusals that are about the bundle: the answer to it is no.
const NO: [&str; 4] = ["INVALID_BUNDLE", "BUNDLES_OVERLAP", "TESTS_FAILED", "DOWNGRADE"];

/// A bundle, and where it goes.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Push {
    /// The server's socket; the usual one if none is named.
    pub(in crate::cli) server: Option<String>,
    /// Which of the server's bundles it is.
    pub(in crate::cli) name: String,
    /// The archive.
    pub(in crate::cli) archive: PathBuf,
    /// Whether it is only tried.
    pub(in crate::cli) dry_run: bool,
    /// Whether a lower revision will do.
    pub(in crate::cli) allow_downgrade: bool,
    /// What must be active (`cli::policy::expect` reads it).
    pub(in crate::cli) expect: Option<Expect>,
    /// The longest to wait.
    pub(in crate::cli) timeout: Duration,
    /// How the answer is shown.
    pub(in crate::cli) format: Format,
}

/// Sends it, shows the server's answer, and says how it went: 0 taken (of a dry run, would be), 1 refused, 2 could not
/// be done.
pub(in crate::cli) fn push(push: &Push) -> anyhow::Result<ExitCode> {
    block_on(send(push))
}

async fn send(push: &Push) -> anyhow::Result<ExitCode> {
    let path = push.archive.as_path();
    let unread = || format!("can't read `{}`", path.display());
    let file = File::open(path).await.with_context(unread)?;
    let size = file.metadata().await.with_context(unread)?.len();
    let (_, mut client) = connect::client(push.server.as_deref()).await?;
    let header = PutBundleHeader {
        bundle: push.name.clone(),
        dry_run: push.dry_run,
        expected: push.expect.clone().map(|Expect(expected)| expected),
        size,
        allow_downgrade: push.allow_downgrade,
    };
    let header = PutBundleRequest { part: Some(Part::Header(header)) };
    let failed = Arc::new(Mutex::new(None));
    let bar = progress(path, size);
    let chunks = chunks(file, bar.clone(), Arc::clone(&failed));
    let mut request = tonic::Request::new(stream::once(async move { header }).chain(chunks));
    request.set_timeout(push.timeout);
    let answer = client.put_bundle(request).await;
    bar.finish_and_clear();
    if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(anyhow::Error::from(error).context(unread()));
    }
    let report = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            let is_no = status.get_details_error_info().is_some_and(|info| NO.contains(&info.reason.as_str()));
            let code = refused(&status);
            return Ok(if is_no { ExitCode::from(exit::NO) } else { code });
        }
    };
    say(&match push.format {
        Format::Human => shown::text::report(&push.name, push.dry_run, &report),
        Format::Json => format!("{:#}", shown::json::report(&report)),
    });
    Ok(if report.accepted { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

/// The file's content, message by message. It ends where the file can't be read; the server sees that by the size.
fn chunks(
    file: File,
    bar: ProgressBar,
    failed: Arc<Mutex<Option<std::io::Error>>>,
) -> impl Stream<Item = PutBundleRequest> {
    stream::unfold((file, bar, failed), |(mut file, bar, failed)| async move {
        let mut chunk = vec![0; CHUNK];
        match file.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                bar.inc(u64::try_from(read).unwrap_or(0));
                Some((PutBundleRequest { part: Some(Part::Chunk(chunk)) }, (file, bar, failed)))
            }
            Err(error) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    })
}

/// Shown on a terminal only.
fn progress(path: &Path, size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size).with_message(path.display().to_string());
    match ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
