//! Changes of the folder, from the save to the answer.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use verdict::api::grpc::proto::{CheckRequest, Effect};

use crate::support::{Ask as _, Folder, Serve, Server, asking, assert_denied, codes, eventually, to};

/// What the contract says is 500 ms; a busy machine gets more.
const LIVE_WITHIN: Duration = Duration::from_secs(4);

fn policy(code: &str) -> String {
    format!("package authz\n\ndecision := {{\"allow\": false, \"reasons\": [\"{code}\"]}}\n")
}

/// Waits until the answer has `code`, and says how long that took. No other answer than the old one comes before.
async fn live(server: &Server, what: &str, old: &str, code: &str, change: impl FnOnce()) {
    let mut client = server.client().await;
    assert_eq!(codes(&client.ask(to("data.authz")).await), [old], "{what}");
    let started = Instant::now();
    change();
    let took = eventually(what, async || {
        let verdict = client.ask(to("data.authz")).await;
        let codes = codes(&verdict);
        assert!(codes == [old] || codes == [code], "{what}: {codes:?}");
        (codes == [code]).then(|| started.elapsed())
    })
    .await;
    println!("{what}: live after {took:?}");
    assert!(took < LIVE_WITHIN, "{what}: {took:?}");
}

#[tokio::test]
async fn each_way_of_saving_a_file_is_seen_soon() {
    let folder = Folder::with(&[("authz/authz.rego", &policy("first"))]);
    // Longer than this process may stand still between two steps of a change.
    let server = Serve::folder(&folder).env("VERDICT_POLICIES_SETTLE", "500ms").ready().await;
    let file = folder.join("authz/authz.rego");
    live(&server, "write", "first", "written", || fs::write(&file, policy("written")).unwrap()).await;
    live(&server, "rename over", "written", "renamed", || {
        let temporary = folder.join("authz/.authz.rego.swp");
        fs::write(&temporary, policy("renamed")).unwrap();
        fs::rename(&temporary, &file).unwrap();
    })
    .await;
    live(&server, "delete and create", "renamed", "created", || {
        fs::remove_file(&file).unwrap();
        fs::write(&file, policy("created")).unwrap();
    })
    .await;
    live(&server, "backup and create", "created", "backed_up", || {
        fs::rename(&file, folder.join("authz/authz.rego~")).unwrap();
        fs::write(&file, policy("backed_up")).unwrap();
    })
    .await;
    live(&server, "another file", "backed_up", "moved", || {
        fs::write(folder.join("new.rego"), policy("moved")).unwrap();
        fs::remove_file(&file).unwrap();
    })
    .await;
    live(&server, "a new folder", "moved", "deep", || {
        folder.write("a/b/c/deep.rego", &policy("deep"));
        fs::remove_file(folder.join("new.rego")).unwrap();
    })
    .await;
    // The same size, and perhaps the same time to the clock of the file system.
    live(&server, "same length", "deep", "peed", || folder.write("a/b/c/deep.rego", &policy("peed"))).await;
}

#[tokio::test]
async fn a_file_in_the_middle_of_being_written_is_not_published_whole() {
    use std::io::Write as _;

    // Half of it compiles, and would allow what the whole forbids.
    let folder = Folder::with(&[("authz.rego", &policy("first"))]);
    let server = Serve::folder(&folder).env("VERDICT_POLICIES_SETTLE", "1s").ready().await;
    live(&server, "two halves", "first", "whole", || {
        let mut file = fs::File::create(folder.join("authz.rego")).unwrap();
        file.write_all(b"package authz\n\n").unwrap();
        file.write_all(policy("whole").strip_prefix("package authz\n\n").unwrap().as_bytes()).unwrap();
    })
    .await;
    assert_eq!(server.metric(r#"verdict_reloads_total{result="failed"}"#).await, Some(0.0));
}

#[tokio::test]
async fn a_configmap_swap_is_seen_soon_and_never_mixed() {
    // As the kubelet does it: `..data` is a link to a folder of that moment, swapped by a rename.
    let mount = Folder::empty();
    let publish = |moment: &str, code: &str| {
        let text = format!(
            "package authz\n\nimport data.other\n\ndecision := {{\"allow\": false, \"reasons\": [sprintf(\"%s\", [code])]}}\n\ncode := \"{code}\" if other.code == \"{code}\" else := \"mixed\"\n"
        );
        mount.write(&format!("..{moment}/authz.rego"), &text);
        mount.write(&format!("..{moment}/other.rego"), &format!("package other\n\ncode := \"{code}\"\n"));
        let next = mount.join("..data_tmp");
        symlink(format!("..{moment}"), &next).unwrap();
        fs::rename(next, mount.join("..data")).unwrap();
    };
    publish("moment_0", "code_0");
    for name in ["authz.rego", "other.rego"] {
        symlink(Path::new("..data").join(name), mount.join(name)).unwrap();
    }
    let server = Serve::folder(&mount).ready().await;
    for n in 1..=5 {
        let (old, new) = (format!("code_{}", n - 1), format!("code_{n}"));
        live(&server, "ConfigMap swap", &old, &new, || {
            publish(&format!("moment_{n}"), &new);
            fs::remove_dir_all(mount.join(&format!("..moment_{}", n - 1))).unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn a_folder_replaced_whole_is_seen_soon() {
    let parent = Folder::empty();
    parent.write("policies/authz.rego", &policy("first"));
    let path = parent.join("policies");
    let server = Serve::embedded().arg("--policies").arg(path.to_str().unwrap()).ready().await;
    live(&server, "folder replaced", "first", "second", || {
        parent.write("next/authz.rego", &policy("second"));
        fs::rename(&path, parent.join("old")).unwrap();
        fs::rename(parent.join("next"), &path).unwrap();
    })
    .await;
    // And what is in the new one is watched.
    live(&server, "write in it", "second", "third", || fs::write(path.join("authz.rego"), policy("third")).unwrap())
        .await;
    // Taken away, the last good policies go on; given back, they are followed again.
    fs::remove_dir_all(&path).unwrap();
    server.logged("reload failed").await;
    assert_eq!(codes(&server.ask(to("data.authz")).await), ["third"]);
    live(&server, "folder created again", "third", "fourth", || parent.write("policies/authz.rego", &policy("fourth")))
        .await;
}

#[tokio::test]
async fn a_link_to_a_folder_is_followed_where_it_leads() {
    let parent = Folder::empty();
    parent.write("v1/authz.rego", &policy("one"));
    parent.write("v2/authz.rego", &policy("two"));
    let current = parent.join("current");
    symlink("v1", &current).unwrap();
    let server = Serve::embedded().arg("--policies").arg(current.to_str().unwrap()).ready().await;
    live(&server, "link swapped", "one", "two", || {
        symlink("v2", parent.join("next")).unwrap();
        fs::rename(parent.join("next"), &current).unwrap();
    })
    .await;
}

#[tokio::test]
async fn data_files_are_followed_and_their_folders_are_their_path() {
    let text = "package authz\n\ndecision := {\"allow\": data.users.staff[input.subject.id].active, \"reasons\": [data.said.why]}\n";
    let folder = Folder::with(&[
        ("authz.rego", text),
        ("users/staff/data.json", r#"{"alice": {"active": true}}"#),
        ("said/data.yaml", "why: hired\n"),
    ]);
    let server = Serve::folder(&folder).ready().await;
    let verdict = server.ask(to("data.authz")).await;
    assert_eq!((verdict.effect(), codes(&verdict)), (Effect::Allow, vec!["hired"]));
    let started = Instant::now();
    folder.write("users/staff/data.json", r#"{"alice": {"active": false}}"#);
    folder.write("said/data.yaml", "why: left\n");
    let took = eventually("the data is live", async || {
        let verdict = server.ask(to("data.authz")).await;
        (codes(&verdict) == ["left"]).then(|| (started.elapsed(), verdict.effect()))
    })
    .await;
    println!("data: live after {:?}", took.0);
    assert_eq!(took.1, Effect::Deny);
    assert!(took.0 < LIVE_WITHIN);
    // Broken data is a fault like any other, with its place.
    folder.write("said/data.yaml", "why: [\n");
    let line = server.logged("reload failed").await;
    assert!(line["message"].as_str().unwrap().contains("said/data.yaml"), "{line}");
    assert_denied(&server.ask(to("data.authz")).await, "left");
}

#[tokio::test]
async fn tests_are_not_served() {
    let folder = Folder::with(&[
        ("authz.rego", &policy("served")),
        ("authz_test.rego", "package authz\n\ntest_allow := true\n\nbackdoor := true\n"),
        ("only_test.rego", "package only\n\ndecision := true\n\nallow := true\n"),
    ]);
    let server = Serve::folder(&folder).ready().await;
    for policy in ["data.only", "data.only.decision", "data.only.allow", "data.authz.backdoor", "data.authz.test_allow"]
    {
        assert_denied(&server.ask(to(policy)).await, "no_decision");
    }
    let line = server.logged("policies active").await;
    assert_eq!((&line["entry_points"], &line["modules"]), (&"data.authz".into(), &1.into()));
}

#[tokio::test]
async fn no_answer_contradicts_the_revision_that_it_names() {
    let version =
        |allow: bool| format!("package authz\n\ndecision := {{\"allow\": {allow}, \"reasons\": [\"is_{allow}\"]}}\n");
    let folder = Folder::with(&[("authz.rego", &version(true))]);
    let server = Serve::folder(&folder).env("VERDICT_POLICIES_SETTLE", "1ms").ready().await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let client = server.client().await;
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let (mut client, stop) = (client.clone(), std::sync::Arc::clone(&stop));
            tokio::spawn(async move {
                let mut said = std::collections::HashMap::new();
                let mut newest = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let question = CheckRequest { policy: "data.authz".into(), ..asking("user:a", "read", "x:1") };
                    let verdict = client.ask(question).await;
                    let revision = verdict.revision.clone().unwrap();
                    // A question that is asked after an answer is decided on nothing older.
                    assert!(revision.sequence >= newest, "{} after {newest}", revision.sequence);
                    newest = revision.sequence;
                    let known = said.entry(revision.digest).or_insert(verdict.effect);
                    assert_eq!(*known, verdict.effect);
                }
                (newest, said)
            })
        })
        .collect();
    let mut turn = 0_u64;
    eventually("twenty revisions", async || {
        turn += 1;
        folder.write("authz.rego", &version(turn.is_multiple_of(2)));
        let sequence = server.metric("verdict_active_revision").await;
        (sequence >= Some(20.0)).then_some(())
    })
    .await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut all = std::collections::HashMap::new();
    for asker in askers {
        for (digest, effect) in asker.await.unwrap().1 {
            assert_eq!(*all.entry(digest).or_insert(effect), effect);
        }
    }
    assert_eq!(all.len(), 2);
    assert_eq!(
        server.metric(r#"verdict_reloads_total{result="failed"}"#).await.map(|failed| failed < 20.0),
        Some(true)
    );
}
