//! The linters, if this machine has them.

use std::process::{Command, Stdio};

use crate::support::{Ended, run};

/// A linter to be run; `None`, having said so, where there is none.
pub(crate) fn tool(name: &str) -> Option<Command> {
    let variable = format!("VERDICT_TEST_{}", name.to_ascii_uppercase().replace('-', "_"));
    let program = std::env::var(variable).unwrap_or_else(|_| name.to_owned());
    let found = Command::new(&program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() {
        let mut command = Command::new(program);
        command.current_dir(crate::repository()).stdin(Stdio::null());
        return Some(command);
    }
    skipped(name, &format!("there is no `{name}`"));
    None
}

pub(crate) fn skipped(name: &str, why: &str) {
    let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.split(',').any(|word| word == name));
    assert!(!required, "VERDICT_TEST_REQUIRE asks for {name}: {why}");
    println!("skipped: {why}");
}

/// It has nothing to say against it.
#[track_caller]
pub(crate) fn content(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{command:?}\n{}\n{}", ended.stdout, ended.stderr);
    ended
}
