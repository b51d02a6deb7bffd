//! What a decision costs without a network: evaluation, the Decider on one thread and on many, reading a question off
//! the wire, and the gRPC service as a whole. Run by `cargo bench`; tried out by `cargo bench -- --test`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that can't run should say where")]

use std::{
    env, fs,
    hint::black_box,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use verdict::{
    api::{
        self,
        credentials::Nobody,
        grpc::{
            self,
            proto::{self, CheckRequest, decision_service_server::DecisionService as _},
        },
        settle::{Decided, Kept, SearchEnded, Settled},
    },
    bundle::Bundle,
    clock,
    decision::{Decider, EntryPoint, Evaluator as _, Query, Time, Verdict},
    policy::{Options, Snapshot},
    source::Embedded,
};

#[path = "../src/cli/bench/generated.rs"]
mod generated;

use generated::Directory;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BUDGET: Duration = Duration::from_millis(50);
const TIME: Time = Time { budget: BUDGET, patience: Duration::MAX };

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn compile(bundle: &Bundle) -> Snapshot {
    Snapshot::compile(bundle, 1, Options { rego_v0: false, evaluators: cores(), tests: false, ..Options::default() })
        .unwrap()
}

fn generated_bundle(directory: &Directory) -> Bundle {
    Bundle::from_files(directory.files().map(|(path, text)| (path.to_owned(), text.into_bytes()))).unwrap()
}

fn default_policy() -> EntryPoint {
    "data.authz".parse().unwrap()
}

/// The generated questions that are allowed, and those that are not.
fn by_effect(directory: &Directory) -> [(&'static str, Vec<Query>); 2] {
    [("allow", true), ("deny", false)].map(|(name, effect)| {
        let questions = directory.questions().into_iter().filter(|(_, allowed)| *allowed == effect);
        (name, questions.map(|(query, _)| query).collect())
    })
}

/// The embedded policies; or those in the folder that `VERDICT_BENCH_POLICIES` names, to compare two versions of the
/// program on the same policies.
fn worked_examples() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = env::var_os("VERDICT_BENCH_POLICIES").map(PathBuf::from) else {
        return Embedded::files().into_iter().map(|file| (file.path, file.bytes)).collect();
    };
    let (mut files, mut open) = (Vec::new(), vec![folder.clone()]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|kind| kind == "rego") || path.ends_with("data.json") {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            files.push((name, fs::read(&path).unwrap()));
        }
    }
    files
}

fn evaluation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluate");
    group.throughput(Throughput::Elements(1));
    let directory = Directory::generate();
    let snapshot = compile(&generated_bundle(&directory));
    let entry = default_policy();
    for (name, queries) in by_effect(&directory) {
        assert!(queries.iter().all(|query| snapshot.evaluate(query, &entry, TIME).is_allow() == (name == "allow")));
        let mut queries = queries.iter().cycle();
        group.bench_function(BenchmarkId::new("generated", name), |bencher| {
            bencher.iter(|| snapshot.evaluate(queries.next().unwrap(), &entry, TIME));
        });
    }

    let snapshot = compile(&Bundle::from_files(worked_examples()).unwrap());
    let text = include_str!("../policies/questions.json");
    for corpus in serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap() {
        let query = api::json::query(corpus["query"].to_string().as_bytes()).unwrap();
        group.bench_function(BenchmarkId::new("embedded", corpus["name"].as_str().unwrap()), |bencher| {
            bencher.iter(|| snapshot.evaluate(&query, &entry, TIME));
        });
    }
    group.finish();
}

fn decider(directory: &Directory) -> Arc<Decider> {
    let decider = Arc::new(Decider::new(default_policy(), BUDGET));
    decider.publish(Arc::new(compile(&generated_bundle(directory))));
    decider
}

fn deciding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    let directory = Directory::generate();
    let decider = decider(&directory);
    let queries: Vec<Query> = directory.questions().into_iter().map(|(query, _)| query).collect();
    let mut threads = 1;
    while threads <= cores() {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
            bencher.iter_custom(|rounds| {
                let started = Instant::now();
                thread::scope(|scope| {
                    for number in 0..threads {
                        let queries = queries.iter().cycle().skip(number * queries.len() / threads);
                        let decider = &decider;
                        scope.spawn(move || {
                            for query in queries.take(usize::try_from(rounds).unwrap()) {
                                black_box(decider.decide_blocking(query, Duration::MAX));
                            }
                        });
                    }
                });
                started.elapsed()
            });
        });
        threads *= 2;
    }
    group.finish();
}

/// A question as the message that a client sends.
fn message(query: Query) -> CheckRequest {
    let Query { subject, action, resource, context, .. } = query;
    CheckRequest {
        subject: Some(proto::Subject {
            r#type: subject.kind,
            id: subject.id,
            properties: Some(subject.properties.into()),
        }),
        action: Some(proto::Action { name: action.name, properties: None }),
        resource: Some(proto::Resource { r#type: resource.kind, id: resource.id, properties: None }),
        context: Some(context.into()),
        ..CheckRequest::default()
    }
}

struct Unobserved;

impl api::Observer for Unobserved {
    fn decided(&self, _: &Decided<'_>, verdict: Verdict) -> Settled {
        Settled::Now(verdict)
    }
    fn searched(&self, _: &SearchEnded<'_>) -> Kept {
        Kept::Now(true)
    }

    fn failed(&self, _: &'static str) {}
    fn in_flight(&self) -> Box<dyn Send + Sync> {
        Box::new(())
    }
}

fn service(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("service");
    group.throughput(Throughput::Elements(1));
    let directory = Directory::generate();
    let bytes: Vec<Vec<u8>> =
        directory.questions().into_iter().map(|(query, _)| message(query).encode_to_vec()).collect();

    let mut encoded = bytes.iter().cycle();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| CheckRequest::decode(encoded.next().unwrap().as_slice()).unwrap());
    });

    let ids = Arc::new(clock::decision_id);
    let config = grpc::Config::default();
    let service = grpc::Service::new(
        decider(&directory),
        Arc::new(Nobody),
        Arc::new(Unobserved),
        ids,
        config,
        CancellationToken::new(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    group.bench_function("decode, check, encode", |bencher| {
        bencher.iter(|| {
            let request = CheckRequest::decode(encoded.next().unwrap().as_slice()).unwrap();
            let response = runtime.block_on(service.check(Request::new(request))).unwrap();
            response.into_inner().encode_to_vec()
        });
    });
    group.bench_function("decision id", |bencher| bencher.iter(clock::decision_id));
    group.finish();
}

criterion_group!(benches, evaluation, deciding, service);
criterion_main!(benches);
