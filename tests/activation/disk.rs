//! A store on a disk that is full, or can only be read. The disk is a file system in memory that only the server sees.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use verdict::api::grpc::proto::{Effect, Verdict};

use crate::support::{Place, archive, ask, question};

/// How large the disk is, and how much of it a bundle takes.
const DISK: &str = "1m";
const BUNDLE: usize = 600_000;

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server on the disk, again and again, until a file `stop` is there; the disk becomes read-only when a file
/// `read-only` is there.
const SCRIPT: &str = r#"
cd "$1"
mount -t tmpfs -o size="$2" tmpfs store || exit 9
( while [ ! -e read-only ]; do [ -e stop ] && exit; sleep 0.02; done; until mount -o remount,ro "$1/store"; do [ -e stop ] && exit; sleep 0.02; done; touch is-read-only ) &
while [ ! -e stop ]; do "$3" serve --log-format json --config verdict.yaml; done
wait
"#;

/// A server on a disk of its own.
struct Disk {
    place: Place,
    shell: Child,
    lines: Receiver<serde_json::Value>,
    address: String,
}

impl Disk {
    /// `None` where this system lets nobody mount.
    fn new() -> Option<Self> {
        let tried = Command::new("unshare").args(["-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            println!("skipped: `unshare -m` can't mount here (it needs root on Linux)");
            return None;
        }
        let place = Place::new().stored().bundle("one", "");
        fs::create_dir(place.path("store")).unwrap();
        place.config();
        place.put("one", &generation(0));
        let mut shell = Command::new("unshare")
            .args(["-m", "sh", "-c", SCRIPT, "sh"])
            .arg(place.folder.path())
            .args([DISK, env!("CARGO_BIN_EXE_verdict")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(shell.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Ok(line) = serde_json::from_str(&line) {
                    let _ = sender.send(line);
                }
            }
        });
        let mut disk = Self { place, shell, lines, address: String::new() };
        disk.find();
        Some(disk)
    }

    /// Waits for a line of the log that has this.
    fn line(&self, has: &str) -> serde_json::Value {
        let since = Instant::now();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE.saturating_sub(since.elapsed())) {
            if line.to_string().contains(has) {
                return line;
            }
        }
        panic!("the log has no `{has}`");
    }

    fn find(&mut self) {
        let line = self.line("\"listening\"");
        line["grpc"].as_str().unwrap().clone_into(&mut self.address);
    }

    async fn verdict(&self) -> Verdict {
        let since = Instant::now();
        loop {
            match ask(&self.address, question()).await {
                Ok(verdict) => return verdict,
                Err(status) => assert!(since.elapsed() < PATIENCE, "{status:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it serves a generation, whole.
    async fn serves(&self, number: usize) {
        let since = Instant::now();
        loop {
            let verdict = self.verdict().await;
            assert_eq!(verdict.effect(), Effect::Allow, "a mix of two sets");
            if verdict.revision.unwrap().bundles["one"] == number.to_string() {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "generation {number} does not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `kill -9`, and the start after it.
    fn kill(&mut self) {
        let shell = self.shell.id().to_string();
        let killed = Command::new("pkill").args(["-9", "-P", &shell, "-x", "verdict"]).status().unwrap();
        assert!(killed.success());
        self.find();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::write(self.place.path("stop"), "");
        let _ = Command::new("pkill").args(["-9", "-P", &self.shell.id().to_string(), "-x", "verdict"]).status();
        let _ = self.shell.wait();
    }
}

/// Answers `allow` only if policy and data are of one generation; no two compress to less than they are.
fn generation(number: usize) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "{number}"}}"#);
    let rego = format!("package a\n\nallow if data.generation == {number}\n");
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number as u64 + 1);
    let noise: String = (0..BUNDLE * 4 / 3)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(state >> 58) as usize])
        })
        .collect();
    let data = format!(r#"{{"generation": {number}, "noise": "{noise}"}}"#);
    archive(&[(".manifest", &manifest), ("p.rego", &rego), ("data.json", &data)])
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_it_decides_on_and_starts_on_the_last_whole_set() {
    let Some(mut disk) = Disk::new() else { return };
    disk.serves(0).await;
    // Two such bundles don't fit.
    disk.place.put("one", &generation(1));
    let line = disk.line("can't be written to `bundles.store`");
    assert!(line.to_string().contains("No space left"), "{line}");
    disk.serves(1).await;
    disk.place.take_away("one");
    disk.kill();
    disk.serves(0).await;
    disk.place.put("one", &generation(2));
    disk.serves(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_that_can_only_be_read_it_decides_on_and_starts_on_the_last_whole_set() {
    let Some(mut disk) = Disk::new() else { return };
    disk.serves(0).await;
    disk.line("policies active");
    // What is written last is the set, so it is whole when the answer to a second is there.
    tokio::time::sleep(Duration::from_millis(300)).await;
    fs::write(disk.place.path("read-only"), "").unwrap();
    let since = Instant::now();
    while !disk.place.path("is-read-only").exists() {
        assert!(since.elapsed() < PATIENCE, "the disk can still be written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    disk.place.put("one", &generation(1));
    let line = disk.line("can't be written to `bundles.store`");
    assert!(line.to_string().contains("Read-only"), "{line}");
    disk.serves(1).await;
    disk.place.take_away("one");
    disk.kill();
    disk.serves(0).await;
    disk.place.put("one", &generation(2));
    disk.serves(2).await;
}
