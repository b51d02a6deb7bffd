//! Decision logs to be measured, and what became of their records.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::{Value as Json, json};
use verdict::{
    api::Address,
    audit::{Config, Filter, Format, Mask, Mode, Place, QueueLimits, SinkConfig, SpoolConfig, WhenFull},
};

/// The name of the only sink.
const SINK: &str = "measured";

/// A durable sink's spool.
const SPOOL: &str = "spool.redb";

/// Records that a sink was offered, and what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    pub(super) offered: u64,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
    /// In memory, or in the spool.
    pub(super) waiting: u64,
}

/// Settings of a log to a file below `folder`, with what is usual but for what is left behind.
pub(super) fn file(folder: &Path, mode: &str) -> Json {
    let path = folder.join(format!("{mode}.log"));
    json!({ "sinks": { SINK: { "type": "file", "path": path, "rotate": { "keep": 2 }, "mode": mode } } })
}

/// The same, durable by a spool before the file; one that is full lets no decision go on without its record.
pub(super) fn spooled_file(folder: &Path) -> Json {
    let mut log = file(folder, "durable");
    if let Some(sink) = log.pointer_mut(&format!("/sinks/{SINK}")).and_then(Json::as_object_mut) {
        sink.insert("spool".to_owned(), json!({ "path": folder.join(SPOOL), "when_full": "fail_closed" }));
    }
    log
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
        path: folder.join(SPOOL),
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
