//! The fuzz targets of the decoders, without libFuzzer: each on its seeds, and for a while on what is made of them.
//!
//! libFuzzer, which follows what it reaches, is for longer runs: `docs/fuzzing.md`. What is run here needs no other compiler
//! flags, and so nothing but what the other tests are built of. `VERDICT_TEST_FUZZ=10` has each run for ten seconds.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::format_push_string,
    reason = "a test that can't go on should say where"
)]

mod mutate;
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the targets are also a crate of their own")]
mod targets;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use self::{mutate::Mutations, targets::TARGETS};

/// The folder of a target's seeds.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name)
}

/// The seeds as they are checked in, in an order that is always the same.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn the_seeds_are_those_of_the_targets() {
    let bless = std::env::var_os("VERDICT_TEST_BLESS").is_some();
    for target in TARGETS {
        for (name, bytes) in (target.seeds)() {
            let path = folder(target.name).join(name);
            if bless {
                fs::create_dir_all(folder(target.name)).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
            let kept = fs::read(&path).unwrap_or_default();
            assert!(kept == bytes, "{}: write it by `VERDICT_TEST_BLESS=1 cargo test --test fuzz`", path.display());
        }
    }
}

#[test]
fn what_says_the_word_is_allowed() {
    for name in ["authzen", "ext_authz", "grpc", "mcp", "opa"] {
        let target = TARGETS.iter().find(|target| target.name == name).unwrap();
        // A busy machine may deny for a while.
        let before = targets::allowed();
        let allows = || seeds(name).iter().for_each(|seed| (target.run)(seed));
        assert!(
            (0..100).any(|_| (allows(), targets::allowed() > before).1),
            "{name} allows nothing, so it tells nothing"
        );
    }
}

/// Runs a target on its seeds, and on mutations of them for the time that is given to it.
fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = seeds(name);
    let seconds = std::env::var("VERDICT_TEST_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let run = |bytes: &[u8]| {
        let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
        assert!(ended.is_ok(), "{name} fails on {}", bytes.escape_ascii());
    };
    for seed in &seeds {
        run(seed);
    }
    let (started, mut runs) = (Instant::now(), 0);
    let mut mutations = Mutations::new(&seeds, name);
    while started.elapsed() < Duration::from_secs(seconds) {
        run(&mutations.next());
        runs += 1;
    }
    println!("{name}: {} seeds, {runs} mutations", seeds.len());
}

macro_rules! each {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            assert_eq!([$(stringify!($name)),*], *TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
        }
    };
}

each! {
    archive authzen config data_json data_yaml ext_authz grpc mcp opa rego_query rego_text security_event signature token
}
