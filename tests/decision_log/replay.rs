//! `verdict log replay`: what a server recorded, decided again on other policies.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    time::Instant,
};

use serde_json::{Value as Json, json};
use verdict::api::grpc::proto::{BatchCheckItem, BatchCheckRequest};

use crate::{
    rig::{Rig, ask, post_to, question, skipped, stop},
    support::{Ended, eventually, object, question as check, run, verdict},
};

const BEFORE: &str = "package levels

decision := {\"allow\": true, \"reasons\": [\"low\"]} if input.context.level < 50

else := {\"allow\": false, \"reasons\": [\"high\"]}
";

const AFTER: &str = "package levels

# Other lines, so that rules stand elsewhere.

decision := {\"allow\": true, \"reasons\": [\"low\"]} if input.context.level < 40

else := {\"allow\": true, \"reasons\": [\"special\"]} if input.context.level == 77

else := {\"allow\": false, \"reasons\": [\"very_high\"]} if input.context.level >= 90

else := {\"allow\": false, \"reasons\": [\"high\"]}
";

/// Effect and reasons before, and after, as the policies above mean them.
type Answer = (&'static str, &'static str);

fn expected(level: u32) -> (Answer, Answer) {
    let before = if level < 50 { ("allow", "low") } else { ("deny", "high") };
    let after = match level {
        ..40 => ("allow", "low"),
        77 => ("allow", "special"),
        90.. => ("deny", "very_high"),
        _ => ("deny", "high"),
    };
    (before, after)
}

fn replayed(rig: &Rig, more: &[&str]) -> (Ended, Json) {
    let ended = rig.log(&[&["replay", "all.log", "--format", "json"], more].concat());
    let json = serde_json::from_str(&ended.stdout).unwrap_or(Json::Null);
    (ended, json)
}

/// Asks in batches of a hundred; the ids with their levels.
async fn ask_many(rig: &Rig, count: u32) -> BTreeMap<String, u32> {
    let mut server = rig.ready().await;
    let mut client = server.client().await;
    let level = |number: u32| number * 7919 % 100;
    let mut ids = BTreeMap::new();
    for begin in (0..count).step_by(100) {
        let numbers = begin..(begin + 100).min(count);
        let item = |number: u32| BatchCheckItem {
            subject: check().subject,
            action: check().action,
            resource: check().resource,
            // Every thousandth can't be put again: what it had is erased.
            context: Some(object(match number % 1_000 {
                7 => json!({"level": level(number), "password": "hunter22"}),
                _ => json!({"level": level(number)}),
            })),
            ..BatchCheckItem::default()
        };
        let items = numbers.clone().map(item).collect();
        let batch = BatchCheckRequest { policy: "data.levels".to_owned(), items, ..BatchCheckRequest::default() };
        let verdicts = client.batch_check(batch).await.unwrap().into_inner().verdicts;
        ids.extend(verdicts.into_iter().zip(numbers).map(|(verdict, number)| (verdict.decision_id, level(number))));
    }
    eventually("all are in the file", async || {
        let spooled = server.metric("verdict_decision_log_spooled{sink=\"all\"}").await?;
        (spooled.abs() < 0.5).then_some(())
    })
    .await;
    stop(&mut server).await;
    ids
}

#[tokio::test]
async fn ten_thousand_decisions_change_where_the_policies_say_so_and_nowhere_else() {
    let sinks = "all: {type: file, path: DIR/all.log, mode: durable, spool: {path: DIR/all.redb}, \
                 rotate: {max_bytes: 1MiB, compression: zstd}}";
    let rig = Rig::new(sinks, &[("levels.rego", BEFORE)]);
    let count: u32 = std::env::var("VERDICT_TEST_REPLAY").map_or(10_000, |count| count.parse().unwrap());
    let ids = ask_many(&rig, count).await;
    rig.folder.write("after/levels.rego", AFTER);
    let built = run(verdict().args(["bundle", "build", "after", "-o", "after.tar.gz"]).current_dir(rig.folder.path()));
    assert_eq!(built.code, Some(0), "{}", built.stderr);

    let began = Instant::now();
    let (ended, found) = replayed(&rig, &["--bundle", "after.tar.gz"]);
    println!("{count} records in {:?}", began.elapsed());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(found["records"], count);
    let erased: BTreeSet<&str> =
        found["not_replayed"].as_array().unwrap().iter().map(|one| one["decision_id"].as_str().unwrap()).collect();
    assert_eq!(erased.len(), usize::try_from(count.div_ceil(1_000)).unwrap());
    assert_eq!(found["not_replayed"][0]["cause"], "hidden");
    assert_eq!(found["not_replayed"][0]["message"], "masked or erased: /input/context/password");
    let mut changes: BTreeMap<&str, &Json> = BTreeMap::new();
    for change in found["changed"].as_array().unwrap() {
        assert!(changes.insert(change["decision_id"].as_str().unwrap(), change).is_none(), "{change}");
    }
    let mut unchanged = 0;
    for (id, level) in &ids {
        let (before, after) = expected(*level);
        if erased.contains(id.as_str()) {
            assert!(!changes.contains_key(id.as_str()));
        } else if before == after {
            unchanged += 1;
            assert!(!changes.contains_key(id.as_str()), "{level}");
        } else {
            let change = changes.remove(id.as_str()).unwrap_or_else(|| panic!("{level} is not told"));
            assert_eq!(change["effect"], json!({"was": before.0, "is": after.0}), "{level}");
            assert_eq!(change["reasons"], json!({"was": [before.1], "is": [after.1]}), "{level}");
            assert!(change.get("members").is_none(), "{change}");
        }
    }
    assert!(changes.is_empty(), "changes that are none: {changes:?}");
    assert_eq!(found["unchanged"], unchanged);
}

#[tokio::test]
async fn folders_filters_and_both_formats_say_the_same() {
    let rig = Rig::new("all: {type: file, path: DIR/all.log}", &[("levels.rego", BEFORE)]);
    let count = 600;
    let ids = ask_many(&rig, count).await;
    rig.folder.write("after/levels.rego", AFTER);
    let (ended, found) = replayed(&rig, &["--policies", "after"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let (unchanged, erased) = (&found["unchanged"], found["not_replayed"].as_array().unwrap().len());
    assert_eq!(erased, 1);
    let (ended, again) = replayed(&rig, &["--bundle", "levels=after", "--parallel", "3"]);
    assert_eq!((ended.code, &again["changed"]), (Some(1), &found["changed"]), "{}", ended.stderr);
    let (ended, same) = replayed(&rig, &["--policies", "policies"]);
    assert_eq!((ended.code, same["changed"].as_array().unwrap().len()), (Some(3), 0), "{same}");
    let (_, denies) = replayed(&rig, &["--policies", "after", "--effect", "deny", "--parallel", "1"]);
    let by = &denies["counts"]["by"];
    assert_eq!((&by["allow_to_deny"], by["deny_to_allow"].as_u64() > Some(0)), (&json!(0), true), "{by}");
    let (ended, _) = replayed(&rig, &["--policies", "after", "--until", "2001-01-01T00:00:00Z"]);
    assert_eq!(ended.code, Some(2), "nothing to decide is no success");
    let text = rig.log(&["replay", "all.log", "--policies", "after"]);
    assert_eq!(text.code, Some(1));
    let lines = |part: &str| text.stdout.lines().filter(|line| line.contains(part)).count();
    assert_eq!(
        lines("allow -> deny  reasons low -> high"),
        ids.values().filter(|level| (40..50).contains(*level)).count()
    );
    assert_eq!(lines("not replayable: masked or erased: /input/context/password"), erased);
    assert!(text.stdout.contains(&format!("{count} records: {unchanged} unchanged")), "{}", text.stdout);
    let summary = rig.log(&["replay", "all.log", "--policies", "after", "--summary"]).stdout;
    assert!(summary.lines().count() < 10 && summary.contains("reasons only"), "{summary}");
}

#[tokio::test]
async fn a_progress_bar_is_shown_on_a_terminal_only() {
    let rig = Rig::new("all: {type: file, path: DIR/all.log}", &[("levels.rego", BEFORE)]);
    ask_many(&rig, 300).await;
    let (ended, _) = replayed(&rig, &["--policies", "policies"]);
    assert_eq!(ended.stderr, "");
    // `script` gives a command a terminal.
    let command =
        format!("{} log replay all.log --policies policies --summary > out.txt", env!("CARGO_BIN_EXE_verdict"));
    let output =
        Command::new("script").args(["-qec", &command, "terminal.txt"]).current_dir(rig.folder.path()).output();
    let Ok(output) = output else { return skipped("script", "there is no `script` to give a terminal") };
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("deciding again"), "{shown}");
    assert!(std::fs::read_to_string(rig.path("out.txt")).unwrap().contains("300 records"));
}

#[tokio::test]
async fn every_door_and_form_of_record_is_put_again() {
    let policies = [
        ("levels.rego", BEFORE),
        ("documents.rego", "package documents\n\ntotal := sum(input.items)\n\nnothing := input.absent\n"),
        (
            "night.rego",
            "package night\n\ndecision := {\"allow\": true, \"reasons\": [\"now\"], \"context\": {\"at\": round(time.now_ns() / 1e9)}}\n",
        ),
    ];
    let sinks = "native: {type: file, path: DIR/native.log}\nopa: {type: file, path: DIR/opa.log, format: opa}";
    let rig = Rig::new(sinks, &policies);
    let mut server = rig.ready().await;
    ask(&server, "alice", &json!({"level": 1, "exact": 12_345_678_901_234_567_890_u64})).await;
    ask(&server, "alice", &json!({"cookie": "session=1"})).await;
    for (path, body) in [
        ("/v1/data/documents/total", json!({"input": {"items": [1, 2.5, 3]}})),
        ("/v1/data/documents", json!({"input": {"items": [1]}})),
        ("/v1/data/documents/nothing", json!({"input": {"items": []}})),
        ("/v1/data/levels/decision", json!({"input": question("x", &json!({"level": 60}))})),
    ] {
        post_to(&server, path, "", &body.to_string()).await;
    }
    let night = format!("{}", json!({"input": {}}));
    post_to(&server, "/v1/data/night/decision", "", &night).await;
    post_to(&server, "/access/v1/evaluation", "", "{\"subject\": {}}").await;
    let batch = json!({"evaluations": [question("a", &json!({"level": 2})), {"subject": {"type": "user"}}]});
    post_to(&server, "/access/v1/evaluations", "", &batch.to_string()).await;
    stop(&mut server).await;
    // What is told by the clock of now would not be what it was then.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    rig.folder.write("changed/documents.rego", "package documents\n\ntotal := sum(input.items) + 1\n");
    for log in ["native.log", "opa.log"] {
        let replay = |policies: &str| {
            let ended = rig.log(&["replay", log, "--policies", policies, "--format", "json"]);
            let found: Json = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
            (ended.code, found)
        };
        let (code, same) = replay("policies");
        assert_eq!((code, &same["changed"]), (Some(3), &json!([])), "{log}: {same:#}");
        let causes: Vec<&str> =
            same["not_replayed"].as_array().unwrap().iter().map(|one| one["cause"].as_str().unwrap()).collect();
        assert_eq!(causes, ["hidden", "no_question"], "{log}: {same:#}");
        assert_eq!(same["unchanged"], 7, "{log}: {same:#}");
        let (code, changed) = replay("changed");
        assert_eq!(code, Some(1));
        let told: Vec<&Json> = changed["changed"].as_array().unwrap().iter().map(|one| &one["members"]).collect();
        assert!(told.contains(&&json!(["document"])), "{log}: {changed:#}");
        let effects = changed["counts"]["by"]["allow_to_deny"].as_u64().unwrap();
        assert!(effects >= 2, "there is no policy that allows: {changed:#}");
    }
    let id = rig.lines("native.log")[0]["decision_id"].as_str().unwrap().to_owned();
    for (policies, says) in
        [("policies", "on the policies that it was decided on: the same verdict"), ("changed", "on other policies")]
    {
        let shown = rig.log(&["show", &id, "native.log", "--explain", "--policies", policies]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains(says), "{says}: {}", shown.stdout);
    }
    let broken = rig.log(&["replay", "native.log", "--policies", "nowhere"]);
    assert_eq!(broken.code, Some(2), "{}", broken.stderr);
    rig.folder.write("bad/x.rego", "package x\nallow if\n");
    let broken = rig.log(&["replay", "native.log", "--policies", "bad"]);
    assert_eq!(broken.code, Some(2), "{}", broken.stderr);
}
