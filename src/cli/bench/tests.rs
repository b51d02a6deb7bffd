use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::runtime::Builder;
use verdict::{
    audit,
    bundle::Bundle,
    decision::{Evaluator as _, Time},
    policy::{Options, Snapshot},
};

use super::{
    client::{self, Connection, http1},
    generated::Directory,
    load::{self, Plan},
    loopback::Loopback,
    questions::{Method, Requests},
    tally::Tally,
    time,
};

#[test]
fn the_generated_policy_answers_as_its_questions_expect() {
    let directory = Directory::generate();
    let files = directory.files().map(|(path, text)| (path.to_owned(), text.into_bytes()));
    let bundle = Bundle::from_files(files).unwrap();
    let snapshot =
        Snapshot::compile(&bundle, 1, Options { rego_v0: false, evaluators: 1, tests: false, ..Options::default() })
            .unwrap();
    let entry = "data.authz".parse().unwrap();
    let questions = directory.questions();
    for (query, allowed) in questions.iter().step_by(37) {
        let verdict =
            snapshot.evaluate(query, &entry, Time { budget: Duration::from_mins(1), patience: Duration::MAX });
        assert_eq!(verdict.is_allow(), *allowed, "{query:?}: {verdict:?}");
        assert!(verdict.diagnostics.is_empty(), "{verdict:?}");
    }
    let allowed = questions.iter().filter(|(_, allowed)| *allowed).count();
    assert!((9_000..11_000).contains(&allowed), "{allowed}");
}

#[test]
fn the_generated_data_has_the_size_that_it_says_and_is_always_the_same() {
    let [_, (_, text)] = Directory::generate().files();
    assert_eq!(text, Directory::generate().files()[1].1);
    let data: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(data["users"].as_object().unwrap().len(), 10_000);
    let roles = data["grants"].as_object().unwrap();
    let types = roles.values().flat_map(|role| role.as_object().unwrap().values());
    assert_eq!((roles.len(), types.map(|actions| actions.as_array().unwrap().len()).sum::<usize>()), (50, 500));
}

fn load(server: &Loopback, directory: &Directory, method: Method, rate: Option<u32>) -> Tally {
    let http = matches!(method, Method::Evaluation | Method::Document);
    let queries = directory.questions().into_iter().map(|(query, _)| query).take(200).collect();
    let requests = Arc::new(Requests::encode(queries, method, None));
    let (warmup, duration) = (Duration::from_millis(20), Duration::from_millis(300));
    let plan = Plan { concurrency: 2, warmup, duration, rate };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let connections = if http {
            let connections = http1::connect(server.http.as_ref().unwrap(), method, 2).await.unwrap();
            connections.into_iter().map(Connection::Http).collect()
        } else {
            let channels = client::connect(&server.address.to_string(), 2).await.unwrap();
            channels.into_iter().map(Connection::Grpc).collect()
        };
        load::run(connections, &requests, plan).await.unwrap()
    })
}

#[test]
fn both_servers_answer_every_way_of_asking() {
    let directory = Directory::generate();
    let threads = NonZeroUsize::MIN;
    let (null, real) = (
        Loopback::null(threads).unwrap(),
        Loopback::real("real-server", threads, &directory, audit::Config::default()).unwrap(),
    );
    for method in [Method::Check, Method::BatchCheck(10)] {
        for rate in [None, Some(100)] {
            let tally = load(&null, &directory, method, rate);
            assert!(tally.errors.is_empty() && tally.said.allow > 0 && tally.said.deny == 0, "{tally:?}");
            let tally = load(&real, &directory, method, rate);
            assert!(tally.errors.is_empty() && tally.said.allow > 0 && tally.said.deny > 0, "{tally:?}");
            assert_eq!((tally.said.failed, tally.unanswered), (0, 0));
        }
    }
    for method in [Method::Evaluation, Method::Document] {
        let tally = load(&real, &directory, method, None);
        assert!(tally.errors.is_empty() && tally.said.allow > 0 && tally.said.deny > 0, "{tally:?}");
        assert_eq!((tally.said.failed, tally.unanswered), (0, 0));
    }
}

#[test]
fn reads_durations() {
    assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(time("2m"), Ok(Duration::from_mins(2)));
    for text in ["", "10", "s", "1h", "-1s", "0s", "9999999m", "1.5s"] {
        assert!(time(text).is_err(), "{text}");
    }
}
