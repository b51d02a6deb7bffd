//! Tampering with a chained log, in every way that there is, and what `verdict log verify` says of it.

use std::fs;

use serde_json::json;

use crate::rig::{Rig, ask, keys, stop};

const CHAINED: &str = "audit:
  type: file
  path: DIR/audit.log
  mode: durable
  spool: {path: DIR/audit.redb}
  chain: {key_file: DIR/key.pem, every: 4, interval: 1h}";

/// A chain of 10 records, sealed.
async fn chained() -> Rig {
    let rig = Rig::new("x: {type: stdout}", &[]);
    keys(&rig.folder);
    rig.configure(CHAINED);
    for _ in 0..2 {
        // Over a restart.
        let mut server = rig.ready().await;
        for _ in 0..5 {
            ask(&server, "alice", &json!({"ip": "10.0.0.1"})).await;
        }
        stop(&mut server).await;
    }
    rig
}

fn verify(rig: &Rig) -> (Option<i32>, String) {
    let ended = rig.log(&["verify", "audit.log", "--key", "public.pem"]);
    (ended.code, ended.stdout + &ended.stderr)
}

#[tokio::test]
async fn every_way_to_tamper_is_found() {
    let rig = chained().await;
    let path = rig.path("audit.log");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (code, said) = verify(&rig);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("10 records") && said.contains("nothing is changed or missing"), "{said}");
    let sealed = rig.log(&["verify", "audit.log", "--key", "public.pem", "--sealed"]);
    assert_eq!(sealed.code, Some(0), "{}", sealed.stdout);

    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let without = |at: usize| {
        let mut rest = lines.clone();
        rest.remove(at);
        joined(&rest)
    };
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let mut twice = lines.clone();
    twice.insert(3, lines[2]);
    let last = lines.len() - 1;
    let no_checkpoints: Vec<&str> = lines.iter().copied().filter(|line| !line.contains("\"signature\"")).collect();
    for (what, tampered, says) in [
        ("a changed record", text.replacen("10.0.0.1", "10.0.0.2", 1), "was changed"),
        ("a changed effect in the last record", change_last(&lines), "was changed"),
        ("a missing record", without(1), "missing"),
        ("two records in another order", joined(&swapped), "moved, or twice"),
        ("a record twice", joined(&twice), "moved, or twice"),
        ("the end cut in a line", text[..text.len() - 20].to_owned(), "in the middle of this line"),
        ("the end cut after a line", joined(&lines[..last]), "is gone"),
        ("the end cut after a checkpoint", joined(&lines[..5]), "is gone"),
        ("no checkpoints", joined(&no_checkpoints), "missing"),
        ("a line of something else", text.replacen('\n', "\n{\"decision_id\":\"x\"}\n", 1), "no record of a chain"),
        ("nothing at all", String::new(), "is gone"),
        ("a changed checkpoint", text.replacen("\"time\":\"20", "\"time\":\"19", 1), "was changed"),
    ] {
        assert_ne!(tampered, text, "{what}");
        fs::write(&path, &tampered).unwrap();
        let (code, said) = verify(&rig);
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains(says), "{what}: {said}");
    }
}

#[tokio::test]
async fn a_log_that_was_cut_while_no_server_ran_stays_so() {
    let rig = chained().await;
    let path = rig.path("audit.log");
    let text = fs::read_to_string(&path).unwrap();
    let first: Vec<&str> = text.lines().take(3).collect();
    fs::write(&path, first.join("\n") + "\n").unwrap();
    let mut server = rig.ready().await;
    server.logged("the decision log was sealed up to line").await;
    ask(&server, "alice", &json!({})).await;
    stop(&mut server).await;
    let (code, said) = verify(&rig);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the log ended at line 3, and had been sealed up to line"), "{said}");
}

/// The last record has another effect, and nothing but a checkpoint comes after it.
fn change_last(lines: &[&str]) -> String {
    let at = lines.iter().rposition(|line| line.contains("\"effect\"")).unwrap();
    let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    changed[at] = changed[at].replace("\"effect\":\"allow\"", "\"effect\":\"deny\"");
    changed.join("\n") + "\n"
}

#[tokio::test]
async fn a_chain_that_somebody_makes_anew_is_not_signed_by_the_key() {
    let rig = chained().await;
    let theirs = Rig::new("x: {type: stdout}", &[]);
    keys(&theirs.folder);
    theirs.configure(CHAINED);
    let mut server = theirs.ready().await;
    ask(&server, "mallory", &json!({})).await;
    stop(&mut server).await;
    for name in ["audit.log", "audit.log.head"] {
        fs::copy(theirs.path(name), rig.path(name)).unwrap();
    }
    let (code, said) = verify(&rig);
    assert!(code == Some(1) && said.contains("a key that was not given"), "{said}");
    let unchecked = rig.log(&["verify", "audit.log"]);
    assert!(unchecked.stdout.contains("were not checked"), "{}", unchecked.stdout);
}

#[tokio::test]
async fn a_chain_goes_on_over_rotated_and_compressed_files() {
    for compression in ["none", "gzip", "zstd"] {
        let rig = Rig::new("x: {type: stdout}", &[]);
        keys(&rig.folder);
        rig.configure(&format!("{CHAINED}\n  rotate: {{max_bytes: 2KiB, compression: {compression}, keep: 3}}"));
        for _ in 0..2 {
            let mut server = rig.ready().await;
            for _ in 0..12 {
                ask(&server, "alice", &json!({"ip": "10.0.0.1"})).await;
                rig.logged("audit.log", 0).await;
            }
            crate::support::eventually("all are delivered", async || {
                let spooled = server.metric("verdict_decision_log_spooled{sink=\"audit\"}").await?;
                (spooled.abs() < 0.5).then_some(())
            })
            .await;
            stop(&mut server).await;
        }
        let (code, said) = verify(&rig);
        assert_eq!(code, Some(0), "{compression}: {said}");
        let names: Vec<String> = fs::read_dir(rig.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("audit.log.0"))
            .collect();
        assert!((1..=4).contains(&names.len()), "the oldest go: {names:?}");
        if compression != "none" {
            let ending = if compression == "gzip" { ".gz" } else { ".zst" };
            assert!(names.iter().any(|name| name.ends_with(ending)), "{names:?}");
        }
    }
}
