//! The log and the panic hook are the process's own: these tests run themselves again, as children that set them up.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
};

use super::*;

const CHILD: &str = "VERDICT_TEST_LOG";
const SECRET: &str = "the-token-of-alice";

/// Starts the test `name` again, as a child that is told `format`.
fn child(name: &str, format: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([&format!("telemetry::logs::tests::{name}"), "--exact", "--nocapture"])
        .env(CHILD, format)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child is to be, in the child.
fn told() -> Option<Config> {
    let format = env::var(CHILD).ok()?;
    let format = if format == "json" { Format::Json } else { Format::Human };
    Some(Config { level: "info".to_owned(), format })
}

fn unpushed() -> Exports {
    Exports::open(crate::telemetry::export::Config::default()).unwrap()
}

fn log_of(name: &str, format: &str) -> String {
    let output = child(name, format).wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    log
}

#[test]
fn logs_where_a_panic_was_and_not_what_it_said() {
    if let Some(config) = told() {
        init(&config, &unpushed()).unwrap();
        thread::Builder::new().name("asker".to_owned()).spawn(|| panic!("{SECRET}")).unwrap().join().unwrap_err();
        thread::spawn(|| panic::panic_any(SECRET)).join().unwrap_err();
        return;
    }
    let name = "logs_where_a_panic_was_and_not_what_it_said";
    let human = log_of(name, "human");
    assert!(!human.contains(SECRET), "{human}");
    assert!(!human.contains('\u{1b}'), "{human}");
    let lines: Vec<_> = human.lines().collect();
    assert_eq!(lines.len(), 2, "{human}");
    assert!(lines[0].contains("ERROR") && lines[0].contains("a thread panicked"), "{human}");
    assert!(lines[0].contains(r#"thread="asker""#) && lines[1].contains(r#"thread="unnamed""#), "{human}");
    assert!(lines[0].contains("src/telemetry/logs/tests.rs:"), "{human}");

    let json = log_of(name, "json");
    assert!(!json.contains(SECRET), "{json}");
    let line: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["target"], "verdict::panic");
    assert_eq!(line["message"], "a thread panicked");
    assert_eq!(line["thread"], "asker");
    let place: Vec<_> = line["place"].as_str().unwrap().rsplitn(3, ':').collect();
    assert_eq!(place[2], "src/telemetry/logs/tests.rs");
    assert!(place[..2].iter().all(|number| number.parse::<u32>().is_ok()), "{json}");
}

#[test]
fn outlives_the_reader_of_the_log() {
    if let Some(config) = told() {
        init(&config, &unpushed()).unwrap();
        // The parent closes this once nobody reads the log.
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
        tracing::info!("nobody reads this");
        thread::spawn(|| panic!("nor this")).join().unwrap_err();
        return;
    }
    let mut child = child("outlives_the_reader_of_the_log", "human");
    drop(child.stderr.take());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn is_set_up_once() {
    if let Some(config) = told() {
        init(&config, &unpushed()).unwrap();
        assert!(matches!(init(&config, &unpushed()), Err(InitError::AlreadySet(_))));
        tracing::info!(answer = 42, "heard");
        tracing::debug!("unheard");
        return;
    }
    let log = log_of("is_set_up_once", "human");
    assert!(log.contains("INFO") && log.contains("heard answer=42") && !log.contains("unheard"), "{log}");
}

#[test]
fn refuses_a_level_that_is_no_filter() {
    let config = Config { level: "a=b=c".to_owned(), format: Format::Human };
    assert_eq!(init(&config, &unpushed()).unwrap_err().to_string(), "`a=b=c` is no log filter");
}

#[test]
fn has_colour_only_on_a_terminal_that_wants_it() {
    assert!(has_colour(true, None));
    assert!(has_colour(true, Some("".into())));
    assert!(!has_colour(true, Some("1".into())));
    assert!(!has_colour(false, None));
}

#[test]
fn a_trace_of_all_has_none_of_the_watching_of_folders() {
    let shown = |level: &str| filter(level).unwrap().to_string();
    assert!(shown("trace").contains("notify=info"), "{}", shown("trace"));
    assert_eq!(shown("notify=trace"), "notify=trace");
    assert!(filter("notify=loud").is_err());
}
