//! Policy sets that nobody would write, for the built program: each works or is refused with a fault, by `verdict lint`,
//! by `verdict eval` and by a server that reloads. Nothing aborts, and nothing takes for ever.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

#[path = "bad_policies/sets.rs"]
mod sets;
#[allow(dead_code, reason = "it is that of the tests of the server, which use all of it")]
#[path = "server/support.rs"]
mod support;

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use sets::Set;
use support::{Folder, Serve, eventually};

/// Far beyond what any of them takes, on a machine that does much else with a build that is not optimised.
const PATIENCE: Duration = Duration::from_secs(300);

fn write(set: &Set, folder: &Path) {
    for (path, bytes) in &set.files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Runs `verdict` in `folder`, and gives its exit code and what it wrote. It must end by itself, and soon enough.
fn run(name: &str, folder: &Path, arguments: &[&str]) -> (i32, String) {
    let beside = tempfile::tempdir().unwrap();
    let [out, err] = ["out", "err"].map(|name| beside.path().join(name));
    let mut command = support::verdict();
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let mut child = command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{name}: `{arguments:?}` did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    println!("{name}: {} {:?}", arguments[0], started.elapsed());
    let (out, err) = (fs::read_to_string(out).unwrap(), fs::read_to_string(err).unwrap());
    for word in ["panicked", "overflowed its stack", "internal_error"] {
        assert!(!err.contains(word) && !out.contains(word), "{name}: {out}{err}");
    }
    (status.code().unwrap_or_else(|| panic!("{name}: {status}: {err}")), format!("{out}{err}"))
}

fn hold(sets: Vec<Set>) {
    for set in sets {
        let folder = tempfile::tempdir().unwrap();
        write(&set, folder.path());
        let (code, said) = run(set.name, folder.path(), &["lint", ".", "--format", "json"]);
        let head: String = said.chars().take(2_000).collect();
        match set.fault {
            Some(fault) => assert!(code == 1 && said.contains(fault), "{}: {code}: {head}", set.name),
            None => assert_eq!(code, 0, "{}: {head}", set.name),
        }
        // What lint does in the same time need not be seen twice.
        if set.slow {
            continue;
        }
        let question = ["--subject", "user:a", "--action", "read", "--resource", "doc:1", "--policy", "data.p"];
        let (code, said) = run(set.name, folder.path(), &[&["eval", "--policies", "."][..], &question].concat());
        let wanted = if set.fault.is_some() { 2 } else { 1 };
        assert_eq!(code, wanted, "{}: {}", set.name, said.chars().take(2_000).collect::<String>());
    }
}

#[test]
fn many_rules_work_or_are_faults() {
    hold(sets::rules());
}

#[test]
fn long_lines_and_files_work_or_are_faults() {
    hold(sets::long());
}

#[test]
fn what_nests_deep_is_a_fault() {
    hold(sets::nested());
}

#[test]
fn bytes_that_are_no_policy_are_faults() {
    hold(sets::bytes());
}

#[test]
fn hostile_metadata_and_data_are_faults() {
    hold(sets::data());
}

#[tokio::test]
async fn a_running_server_outlives_them_all() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let reloads = async || {
        let mut sum = 0.0;
        for result in ["ok", "failed"] {
            sum += server.metric(&format!(r#"verdict_reloads_total{{result="{result}"}}"#)).await.unwrap_or(0.0);
        }
        sum
    };
    let all = [sets::rules(), sets::long(), sets::nested(), sets::bytes(), sets::data()];
    for set in all.into_iter().flatten().filter(|set| !set.slow) {
        // Beside, then moved in: a server reads all of it or nothing.
        let (beside, inside) = (tempfile::tempdir_in(folder.path().parent().unwrap()).unwrap(), folder.join("set"));
        write(&set, &beside.path().join("set"));
        let before = reloads().await;
        fs::rename(beside.path().join("set"), &inside).unwrap();
        eventually(set.name, async || (reloads().await > before).then_some(())).await;
        server.unharmed().await;
        let between = reloads().await;
        fs::remove_dir_all(&inside).unwrap();
        // Back to what is published is no reload where the set was refused.
        if set.fault.is_none() {
            eventually(set.name, async || (reloads().await > between).then_some(())).await;
        } else {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        server.unharmed().await;
    }
    let log = server.lines();
    assert!(log.iter().all(|line| !line.to_string().contains("panicked")), "{log:#?}");
}
