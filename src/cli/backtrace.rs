//! Keeps a debugging variable from making every decision three times as slow.

use std::{env, os::unix::process::CommandExt as _, process::Command};

/// With `RUST_BACKTRACE` set, `anyhow` captures a backtrace for every error, and regorus uses errors as control flow:
/// an evaluation of 8 µs takes 23 µs (measured). `RUST_LIB_BACKTRACE=0` turns just that off, and panics still print
/// theirs; but a process can't safely change a variable that threads may read, so this one starts itself anew with it.
///
/// Returns if there is nothing to do, or if starting anew fails.
pub(super) fn without_library_backtraces() {
    let asked = env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    if !asked || env::var_os("RUST_LIB_BACKTRACE").is_some() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        let mut arguments = env::args_os();
        let mut command = Command::new(program);
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        // Only returns if it failed; then everything works, only slower.
        let _ = command.args(arguments).env("RUST_LIB_BACKTRACE", "0").exec();
    }
}
