//! Servers in this process, each with threads of its own.

use std::{net::Ipv4Addr, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use verdict::{
    api::{
        Address, Observer,
        grpc::{self, Health, proto::decision_service_server::DecisionService},
        listen,
    },
    clock,
    decision::{Decider, Verdict},
    policy::{self, Options, Snapshot},
};

use super::{generated::Directory, null::Null};

/// The stack of each server thread, as in `verdict serve`.
const STACK: usize = 64 << 20;

/// A running server; stops when dropped.
pub(super) struct Loopback {
    /// What its threads are called.
    pub(super) name: &'static str,
    pub(super) address: Address,
    runtime: Option<Runtime>,
    closing: CancellationToken,
}

impl Loopback {
    /// The null service.
    pub(super) fn null(threads: NonZeroUsize) -> anyhow::Result<Self> {
        Self::start("null-server", threads, Null::new(), CancellationToken::new())
    }

    /// The decision service, with the generated policy.
    pub(super) fn real(threads: NonZeroUsize, directory: &Directory) -> anyhow::Result<Self> {
        let options = Options { rego_v0: false, evaluators: threads.get(), tests: false };
        let snapshot = Snapshot::compile(&directory.bundle()?, 1, options)?;
        let policy = policy::Config::default();
        let decider = Arc::new(Decider::new(policy.default_policy, policy.evaluation_budget));
        decider.publish(Arc::new(snapshot));
        let closing = CancellationToken::new();
        let ids = Arc::new(clock::decision_id);
        let service = grpc::Service::new(decider, Arc::new(Unobserved), ids, grpc::Config::default(), closing.clone());
        Self::start("real-server", threads, service, closing)
    }

    fn start<S: DecisionService>(
        name: &'static str,
        threads: NonZeroUsize,
        service: S,
        closing: CancellationToken,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.get())
            .thread_stack_size(STACK)
            .thread_name(name)
            .enable_all()
            .build()?;
        let address = runtime.block_on(async {
            let config = grpc::Config::default();
            let listener = listen::bind(&Address::Tcp((Ipv4Addr::LOCALHOST, 0).into()))?;
            let address = listener.address()?;
            let routes = grpc::routes(service, Health::new().await, &config)?;
            let options = listen::Options {
                max_concurrent_streams: config.max_concurrent_streams,
                drain_timeout: Duration::from_millis(100),
            };
            tokio::spawn(listen::serve(listener, routes, options, closing.clone()));
            anyhow::Ok(address)
        })?;
        Ok(Self { name, address, runtime: Some(runtime), closing })
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.closing.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Metrics are the same for both servers: none.
struct Unobserved;

impl Observer for Unobserved {
    fn decided(&self, _: &Verdict, _: Duration) {}
    fn failed(&self, _: &'static str) {}
    fn in_flight(&self, _: i64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::{
        client,
        load::{self, Plan},
        questions::{Method, Requests},
        tally::Tally,
    };

    fn load(server: &Loopback, directory: &Directory, method: Method, rate: Option<u32>) -> Tally {
        let queries = directory.questions().into_iter().map(|(query, _)| query).take(200).collect();
        let requests = Arc::new(Requests::encode(queries, method, None));
        let (warmup, duration) = (Duration::from_millis(20), Duration::from_millis(300));
        let plan = Plan { concurrency: 2, warmup, duration, rate };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let channels = client::connect(&server.address, 2).await.unwrap();
            load::run(&channels, &requests, plan).await.unwrap()
        })
    }

    #[test]
    fn both_servers_answer_every_way_of_asking() {
        let directory = Directory::generate();
        let threads = NonZeroUsize::MIN;
        let (null, real) = (Loopback::null(threads).unwrap(), Loopback::real(threads, &directory).unwrap());
        for method in [Method::Check, Method::BatchCheck(10)] {
            for rate in [None, Some(100)] {
                let tally = load(&null, &directory, method, rate);
                assert!(tally.errors.is_empty() && tally.said.allow > 0 && tally.said.deny == 0, "{tally:?}");
                let tally = load(&real, &directory, method, rate);
                assert!(tally.errors.is_empty() && tally.said.allow > 0 && tally.said.deny > 0, "{tally:?}");
                assert_eq!((tally.said.failed, tally.unanswered), (0, 0));
            }
        }
    }
}
