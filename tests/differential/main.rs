//! Generated policies and inputs, answered by us and by the real `opa`.
//!
//! `VERDICT_TEST_OPA` names the program; without it, `opa` on the path is taken, and without that the test is skipped
//! with a word. `VERDICT_DIFFERENTIAL_EVALUATIONS` is how many (policy, input) pairs are evaluated, `…_SEED` where the
//! generator starts. A difference is shrunk and shown; `…_WRITE=1` also adds it to `cases/`, where every file is a
//! policy, an input and OPA's answer that hold without `opa`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_push_string,
    reason = "a test says what is wrong by ending, and need not be the quickest"
)]

mod bodies;
mod canonical;
mod cases;
mod compare;
mod expressions;
mod generate;
mod inputs;
mod known;
mod late;
mod oracle;
mod order;
mod ours;
mod run;
mod tape;
mod words;

use std::{env, thread};

/// Parsers and destructors of nested text recurse.
const STACK: usize = 512 << 20;

#[test]
fn checked_in_cases_have_opas_answers() {
    deep(|| {
        let faults = cases::faults();
        assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    });
}

#[test]
fn generated_policies_have_opas_answers() {
    let Some(program) = oracle::Opa::find() else {
        let required = env::var("VERDICT_TEST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|tool| tool == "opa"), "VERDICT_TEST_OPA names no program");
        println!("skipped: no opa (name it in VERDICT_TEST_OPA)");
        return;
    };
    deep(move || {
        let report = run::run(&program);
        println!("{report}");
        assert!(report.holds(), "there are differences; see above");
    });
}

fn deep(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK).spawn(test).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
