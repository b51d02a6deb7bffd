//! Decision logs to be measured, and what became of their records.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use verdict::{
    api::Address,
    audit::{
        Compression, Config, Filter, Format, Mask, Mode, Place, QueueLimits, Rotation, SinkConfig, SpoolConfig,
        WhenFull,
    },
};

/// The name of the only sink.
const SINK: &str = "measured";

/// Records that a sink was offered, and what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    pub(super) offered: u64,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
    /// In memory, or in the spool.
    pub(super) waiting: u64,
}

/// Records to a file below `folder`, as they are by default.
pub(super) fn file(folder: &Path, durable: bool) -> Config {
    let rotation =
        Rotation { max_bytes: 100 << 20, max_age: Duration::from_hours(24), keep: 2, compression: Compression::Gzip };
    let path = folder.join(if durable { "durable.log" } else { "best-effort.log" });
    log(Place::File { path, rotation, chain: None }, Format::Verdict, mode(folder, durable))
}

/// Records to a server that takes OPA's decision logs.
pub(super) fn http(url: String, folder: &Path, durable: bool) -> Config {
    let place = Place::Http {
        url,
        token_file: None,
        ca_file: None,
        chunk_bytes: 32 << 10,
        delay: Duration::from_secs(1),
        timeout: Duration::from_secs(10),
    };
    log(place, Format::Opa, mode(folder, durable))
}

fn mode(folder: &Path, durable: bool) -> Mode {
    if !durable {
        return Mode::BestEffort;
    }
    Mode::Durable(SpoolConfig {
        path: folder.join("spool.redb"),
        max_bytes: 1 << 30,
        max_age: Duration::from_hours(168),
        when_full: WhenFull::FailClosed,
    })
}

fn log(place: Place, format: Format, mode: Mode) -> Config {
    let sink = SinkConfig {
        place,
        format,
        mode,
        queue: QueueLimits::default(),
        filter: Filter::default(),
        mask: Mask::default(),
    };
    Config { sinks: [(SINK.to_owned(), sink)].into(), ..Config::default() }
}

/// How long the records that are left may take to be delivered.
const REST: Duration = Duration::from_secs(60);

/// Waits until nothing waits any more, and says what became of the records.
pub(super) async fn rest(http: Option<&Address>) -> anyhow::Result<Fate> {
    let begin = Instant::now();
    loop {
        let fate = fate(http).await?;
        if fate.waiting == 0 || begin.elapsed() > REST {
            return Ok(fate);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What a server says of its sink.
async fn fate(http: Option<&Address>) -> anyhow::Result<Fate> {
    let Some(Address::Tcp(address)) = http else { bail!("the server has no metrics") };
    let asked = reqwest::get(format!("http://{address}/metrics")).await.context("can't read the server's metrics")?;
    let text = asked.text().await?;
    let sum = |name: &str, label: &str| {
        let of = format!("verdict_decision_log_{name}{{");
        let lines = text.lines().filter(|line| line.starts_with(&of) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    Ok(Fate {
        offered: sum("records_total", "result=\"offered\""),
        delivered: sum("records_total", "result=\"delivered\""),
        dropped: sum("dropped_total", ""),
        waiting: sum("queued", "") + sum("spooled", ""),
    })
}
