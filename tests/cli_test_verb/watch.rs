//! `--watch`: again on each change, until Ctrl-C.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use crate::{
    POLICY,
    common::{code, folder, verdict},
};

const TESTS: &str = "package t\n\ntest_a if data.authz.allow with input as {\"x\": 1}\n\ntest_b if true\n";

struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(folder: &Path, path: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_verdict"))
            .args([&["test", "--watch"], path].concat())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let other = sender.clone();
        thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        thread::spawn(move || BufReader::new(err).lines().map_while(Result::ok).try_for_each(|line| other.send(line)));
        Self { child, lines }
    }

    /// Everything up to a line with `part` in it.
    fn until(&self, part: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut seen = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no `{part}` in {seen}"));
            seen.push_str(&line);
            seen.push('\n');
            if line.contains(part) {
                return seen;
            }
        }
    }

    fn interrupt(mut self) -> Option<i32> {
        let kill = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().unwrap();
        panic!("it did not end");
    }
}

#[test]
fn shows_what_a_change_changed_and_outlives_faults() {
    let folder = folder(&[("p/a.rego", POLICY), ("p/a_test.rego", TESTS)]);
    let watching = Watching::start(folder.path(), &["p"]);
    watching.until("PASS: 2/2");
    watching.until("Ctrl-C ends");
    fs::write(folder.path().join("p/a.rego"), POLICY.replace("== 1", "== 7")).unwrap();
    let seen = watching.until("Ctrl-C ends");
    for part in ["p/a.rego changed", "data.t.test_a: FAIL", "changed:", "  data.t.test_a: PASS -> FAIL"] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    assert!(!seen.contains("test_b:"), "{seen}");
    fs::write(folder.path().join("p/a.rego"), "package authz\n\nallow if {\n").unwrap();
    let seen = watching.until("Ctrl-C ends");
    assert!(seen.contains("p/a.rego changed"), "{seen}");
    fs::write(folder.path().join("p/a.rego"), POLICY).unwrap();
    fs::write(folder.path().join("p/b_test.rego"), "package u\n\ntest_new if true\n").unwrap();
    let seen = watching.until("data.u.test_new: new -> PASS");
    assert!(seen.contains("data.t.test_a: FAIL -> PASS"), "{seen}");
    assert_eq!(watching.interrupt(), Some(0));
}

#[test]
fn watches_several_folders_and_single_files() {
    let folder = folder(&[("p/a.rego", POLICY), ("q/a_test.rego", TESTS), ("r/x.rego", "package x\n")]);
    let watching = Watching::start(folder.path(), &["p", "q/a_test.rego", "r"]);
    watching.until("Ctrl-C ends");
    fs::write(folder.path().join("q/a_test.rego"), TESTS.replace("if true", "if false")).unwrap();
    let seen = watching.until("Ctrl-C ends");
    assert!(seen.contains("q/a_test.rego changed") && seen.contains("data.t.test_b: PASS -> FAIL"), "{seen}");
    assert_eq!(watching.interrupt(), Some(0));
}

#[test]
fn ends_in_the_middle_of_a_test_too() {
    let long = "package t\n\ntest_long if count([1 | some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a + b > 0]) > 0\n";
    let folder = folder(&[("a_test.rego", long)]);
    let watching = Watching::start(folder.path(), &[".", "--timeout", "5m"]);
    thread::sleep(Duration::from_secs(5));
    assert_eq!(watching.interrupt(), Some(0));
}

#[test]
fn is_for_people() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    assert_eq!(code(&verdict(folder.path(), &["test", ".", "--watch", "--format", "json"], "")), 64);
}
