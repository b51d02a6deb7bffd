//! Twice the load that saturates the server: how much of it is still answered, and how soon the rest is refused.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::{Code, Request};
use verdict::api::grpc::proto::{CheckRequest, Effect};

use crate::{
    sized,
    support::{Client, Folder, Serve, Server, to},
};

/// A rule that costs enough for a call and its refusal to cost little beside it; and little enough to end in its slice
/// (`docs/budgets.md`), as what does not gets only time that nobody wants.
fn work(measured: bool) -> String {
    // A debug build on a busy machine has to get through it, too.
    let size = sized("VERDICT_TEST_WORK", if measured { 1_500 } else { 40 });
    format!("package work\n\ndecision if count([1 | some i in numbers.range(1, {size}); i % 7 == 0]) > 0\n")
}

/// Gives this process, which is the client's, a processor of its own: it would be measured, too, and twice as many calls
/// cost it twice as much.
fn stay_on(processor: &str) {
    let own = std::process::id().to_string();
    let done = std::process::Command::new("taskset").args(["-a", "-c", "-p", processor, &own]).output();
    assert!(done.expect("a measurement needs taskset").status.success(), "taskset can't give it processor {processor}");
}

/// How many ask at once where each waits for its answer.
const CLOSED: usize = 32;
/// How long a client waits.
const DEADLINE: Duration = Duration::from_secs(1);

/// What became of calls: those answered and refused, with how long it took since each was due; and the rest.
#[derive(Default)]
struct Fared {
    answered: Vec<Duration>,
    refused: Vec<Duration>,
    late: usize,
    /// Denied, for want of time: no answer that anybody wanted.
    denied: usize,
    time: Duration,
}

impl Fared {
    fn count(&mut self, (answer, took): (Result<Effect, Code>, Duration)) {
        let Err(code) = answer else {
            if answer == Ok(Effect::Allow) {
                self.answered.push(took);
            } else {
                self.denied += 1;
            }
            return;
        };
        match code {
            Code::ResourceExhausted => self.refused.push(took),
            Code::DeadlineExceeded | Code::Cancelled => self.late += 1,
            other => panic!("neither answered nor refused: {other:?}"),
        }
    }

    fn goodput(&self) -> f64 {
        self.answered.len() as f64 / self.time.as_secs_f64()
    }
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

async fn clients(server: &Server) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..CLOSED {
        clients.push(server.client().await);
    }
    clients
}

fn asked() -> Request<CheckRequest> {
    let mut request = Request::new(to("data.work"));
    request.set_timeout(DEADLINE);
    request
}

async fn ask(mut client: Client, due: Instant) -> (Result<Effect, Code>, Duration) {
    let answer = client.check(asked()).await;
    let answer = answer.map(|answer| answer.into_inner().verdict.unwrap().effect());
    (answer.map_err(|status| status.code()), due.elapsed())
}

/// Each asks again once it is answered.
async fn closed(clients: &[Client], time: Duration, into: &mut Fared) {
    let (began, mut asking) = (Instant::now(), JoinSet::new());
    for client in clients {
        let client = client.clone();
        asking.spawn(async move {
            let mut all = Vec::new();
            while began.elapsed() < time {
                all.push(ask(client.clone(), Instant::now()).await);
            }
            all
        });
    }
    while let Some(all) = asking.join_next().await {
        all.unwrap().into_iter().for_each(|one| into.count(one));
    }
    into.time += began.elapsed();
}

/// So many a second, whether or not the earlier ones are answered.
async fn open(clients: &[Client], rate: f64, time: Duration, into: &mut Fared) {
    let (began, mut asking, mut sent) = (Instant::now(), JoinSet::new(), 0_u32);
    while began.elapsed() < time {
        let due = began + Duration::from_secs_f64(f64::from(sent) / rate);
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
            continue;
        }
        asking.spawn(ask(clients[sent as usize % clients.len()].clone(), due));
        sent += 1;
        if sent % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    into.time += began.elapsed();
    while let Some(one) = asking.join_next().await {
        into.count(one.unwrap());
    }
}

/// `VERDICT_TEST_OVERLOAD` (500) milliseconds each way, in turns of at most 5 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_what_saturates_it_is_answered_as_far_as_it_goes() {
    let measured = std::env::var_os("VERDICT_TEST_OVERLOAD").is_some();
    let time = Duration::from_millis(sized("VERDICT_TEST_OVERLOAD", 500) as u64);
    let folder = Folder::always(&[("work.rego", &work(measured))]);
    let serve = Serve::folder(&folder);
    let serve = if measured { serve.within("taskset", &["-c", "0"]) } else { serve };
    let server = serve.ready().await;
    if measured {
        stay_on("1");
    }
    let clients = clients(&server).await;
    closed(&clients, time.min(Duration::from_secs(2)), &mut Fared::default()).await;
    let (mut peak, mut over) = (Fared::default(), Fared::default());
    let mut offered = 0.0;
    while over.time < time {
        let turn = Duration::from_secs(5).min(time);
        closed(&clients, turn, &mut peak).await;
        offered = 2.0 * peak.goodput();
        open(&clients, offered, turn, &mut over).await;
    }
    let goodput = over.goodput() / peak.goodput();
    let (answered, refused) = (p99(&mut over.answered), p99(&mut over.refused));
    let mut told = Vec::new();
    for cause in ["queue_full", "too_late", "waited"] {
        let shed = server.metric(&format!("verdict_calls_shed_total{{cause=\"{cause}\"}}")).await.unwrap();
        told.push(format!("{shed} {cause}"));
    }
    let isolated = server.metric("verdict_isolated_evaluations_total{result=\"answered\"}").await.unwrap();
    println!(
        "figure: peak {:.0}/s; of {offered:.0}/s offered {:.0}/s answered: goodput {goodput:.2} of peak; p99 of what was \
         answered {answered:.0?}, of refusals {refused:.0?} ({} answered, {} refused ({}), {} late, {} denied; {isolated} isolated of all)",
        peak.goodput(),
        over.goodput(),
        over.answered.len(),
        over.refused.len(),
        told.join(", "),
        over.late,
        over.denied
    );
    if measured {
        assert!(goodput >= 0.9, "goodput is {goodput:.2} of its peak");
        assert!(answered < DEADLINE / 2, "p99 of what was answered: {answered:?}");
        assert!(refused < DEADLINE / 4, "p99 of refusals: {refused:?}");
    }
    server.unharmed().await;
}
