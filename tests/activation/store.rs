//! What a restart finds.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use verdict::api::{
    administration::{Administration as _, Cause, Persistence},
    grpc::proto::Effect,
};

use crate::support::{Place, archive, ask, count, policy, question};

/// How often the server is killed, unless `VERDICT_TEST_KILLS` says otherwise.
const KILLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_serves_the_last_good_set_while_sources_are_down() {
    let place = Place::new().stored().bundle("one", "").bundle("two", "");
    place.put("one", &policy("a", "r1", true));
    place.put("two", &policy("b", "s1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1"), ("two", "s1")]).await;
    place.put("one", &policy("a", "r2", false));
    server.serves(&[("one", "r2")]).await;
    let before = server.sequence();
    assert_eq!(server.handle.status().persistence, Persistence::Done);
    server.stop().await;
    place.take_away("one");
    place.take_away("two");
    let server = place.serve().await;
    server.serves(&[("one", "r2"), ("two", "s1")]).await;
    let active = server.handle.status().active.unwrap();
    assert_eq!((active.revision.sequence, active.cause), (before + 1, Cause::Restored));
    assert!(!server.allows().await);
    place.put("one", &policy("a", "r3", true));
    server.serves(&[("one", "r3"), ("two", "s1")]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_broken_is_passed_over() {
    let place = Place::new().stored().bundle("one", "");
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    server.stop().await;
    let archives = place.path("store").join("bundles");
    assert_eq!(count(&archives), 1);
    let archive = fs::read_dir(&archives).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&archive).unwrap();
    fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    place.put("one", &policy("a", "r2", true));
    let server = place.serve().await;
    server.serves(&[("one", "r2")]).await;
    assert_eq!(server.sequence(), 1, "nothing was restored");
    assert_eq!(server.handle.status().persistence, Persistence::Done);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_keeps_nobody_from_deciding() {
    let place = Place::new().bundle("one", "");
    // A file where the folder should be: as root, permissions would not keep us out.
    fs::write(place.path("store"), "no folder").unwrap();
    let place = place.stored();
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    assert!(server.allows().await);
    assert!(matches!(server.handle.status().persistence, Persistence::Failed(_)));
    server.stop().await;
}

/// Answers `allow` only if policy and data are of one generation, which the revision names.
fn generation(number: usize) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "{number}"}}"#);
    let rego = format!("package a\n\nallow if data.generation == {number}\n");
    let filler = "x".repeat(200_000 + number);
    let data = format!(r#"{{"generation": {number}, "filler": "{filler}"}}"#);
    archive(&[(".manifest", &manifest), ("p.rego", &rego), ("data.json", &data)])
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_is_killed_it_starts_on_one_whole_set() {
    let kills = std::env::var("VERDICT_TEST_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let place = Place::new().stored().bundle("one", "");
    let config = place.config();
    place.put("one", &generation(0));
    let (mut number, mut last) = (0, 0);
    for kill in 0..kills {
        let mut server = Command::new(env!("CARGO_BIN_EXE_verdict"))
            .args(["serve", "--log-format", "json", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines
            .find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                line["grpc"].as_str().map(str::to_owned)
            })
            .unwrap();
        let broken = std::thread::spawn(move || lines.any(|line| line.contains("passed over")));
        let since = Instant::now();
        let verdict = loop {
            match ask(&address, question()).await {
                Ok(verdict) => break verdict,
                Err(status) => assert!(since.elapsed() < Duration::from_secs(30), "{status:?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let revision = verdict.revision.clone().unwrap();
        assert_eq!(verdict.effect(), Effect::Allow, "a mix after kill {kill}: {revision:?}");
        assert!(revision.sequence > last, "kill {kill}: {} after {last}", revision.sequence);
        last = revision.sequence;
        // Different moments each time, from before it is read to after it is written.
        let patience = Duration::from_micros((kill as u64 * 7_919) % 150_000);
        let until = Instant::now() + patience;
        while Instant::now() < until || number == 0 {
            number += 1;
            place.put("one", &generation(number));
            tokio::time::sleep(Duration::from_millis(17)).await;
        }
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(!broken.join().unwrap(), "a broken store after kill {kill}");
        // Down at the next start, every other time.
        if kill % 2 == 0 {
            place.take_away("one");
        }
    }
}
