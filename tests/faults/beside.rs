//! Another client beside an attack: its p99 idle and beside, in turns, so that whatever else the machine does falls on both.
//!
//! The attacker has a thread and an address of its own (127.0.0.2), and the least priority of the system (nice 19), as it
//! would have a machine of its own: what is measured is what the server does for it, at the server's own priority.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use tokio::net::{TcpSocket, TcpStream};
use tonic::Code;

use crate::{
    sized,
    support::{ALWAYS, Client, Server, to},
};

/// The longest turn.
const TURN: Duration = Duration::from_secs(3);

/// How often the other client asks.
const EVERY: Duration = Duration::from_millis(2);

/// How long each attack goes on: `VERDICT_TEST_ATTACK` milliseconds (1,500).
fn attack() -> Duration {
    Duration::from_millis(sized("VERDICT_TEST_ATTACK", 1_500) as u64)
}

fn is_measured() -> bool {
    std::env::var_os("VERDICT_TEST_ATTACK").is_some()
}

/// Attacks until a moment, and gives how often the server closed a connection.
pub(crate) trait Attack: AsyncFn(SocketAddr, Instant) -> usize {}
impl<A: AsyncFn(SocketAddr, Instant) -> usize> Attack for A {}

/// Runs `attack` in turns, and says how another client fared. Gives how often the server closed.
///
/// Only a measurement (a release build, and `VERDICT_TEST_ATTACK`) holds it to twice the p99.
pub(crate) async fn beside(name: &str, server: &Server, attack_with: impl Attack + Copy + Send + 'static) -> usize {
    let (closed, ratio) = in_turns(name, server, server.grpc.parse().unwrap(), attack_with).await;
    if is_measured() {
        assert!(ratio < 2.0, "p99 beside {name} is {ratio:.2} of what it is idle");
    }
    closed
}

/// The same beside an attack on a listener that does nothing but accept and close: what the machine does, and no server
/// could help. It is held to nothing.
pub(crate) async fn beside_nothing(name: &str, server: &Server, attack_with: impl Attack + Copy + Send + 'static) {
    if !is_measured() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    // Until the process ends.
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            drop(stream);
        }
    });
    in_turns(&format!("{name} at a listener that only closes"), server, at, attack_with).await;
}

/// Gives how often the attacked closed, and the ratio of the other client's two p99.
async fn in_turns(
    name: &str,
    server: &Server,
    at: SocketAddr,
    attack_with: impl Attack + Copy + Send + 'static,
) -> (usize, f64) {
    let time = attack();
    let mut client = server.client().await;
    let (mut idle, mut beside, mut closed) = (Vec::new(), Vec::new(), 0);
    let mut attacked = Duration::ZERO;
    while attacked < time {
        let turn = TURN.min(time.saturating_sub(attacked));
        ask(&mut client, Instant::now() + turn, &mut idle).await;
        let until = Instant::now() + turn;
        let attacker = std::thread::spawn(move || {
            yield_to_others();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(attack_with(at, until))
        });
        ask(&mut client, until, &mut beside).await;
        closed += attacker.join().expect("the attacker ends");
        attacked += turn;
    }
    let (of_idle, of_beside) = (p99(&mut idle), p99(&mut beside));
    let ratio = of_beside.as_secs_f64() / of_idle.as_secs_f64();
    println!(
        "figure: p99 of another client {of_beside:.1?} beside {name}, {of_idle:.1?} idle: {ratio:.2} ({} and {} calls in \
         turns; slowest {:.1?}; closed {closed} times; {} MiB)",
        beside.len(),
        idle.len(),
        beside.last().unwrap(),
        server.resident() >> 20
    );
    (closed, ratio)
}

/// Asks until then, and takes the times. On a busy machine that measures nothing some calls may be refused.
async fn ask(client: &mut Client, until: Instant, times: &mut Vec<Duration>) {
    let (before, mut refused) = (times.len(), 0);
    let mut pace = tokio::time::interval(EVERY);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while Instant::now() < until {
        pace.tick().await;
        let started = Instant::now();
        match client.check(to(ALWAYS)).await {
            Ok(_) => times.push(started.elapsed()),
            // A debug build on a busy machine has enough with what attackers ask.
            Err(status) if status.code() == Code::ResourceExhausted && !is_measured() => {
                refused += 1;
            }
            Err(status) => panic!("no answer beside the attack: {status}"),
        }
    }
    let answered = times.len() - before;
    // A share of a handful tells nothing.
    let is_served = answered > 0 && (refused < answered || refused + answered < 10);
    assert!(is_served, "{refused} calls were refused, {answered} answered");
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

/// Gives this thread the least priority.
fn yield_to_others() {
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let id = thread.file_name().unwrap().to_owned();
    let quiet = std::process::Stdio::null;
    let _ =
        std::process::Command::new("renice").args(["-n", "19", "-p"]).arg(id).stdout(quiet()).stderr(quiet()).status();
}

/// A connection from the attacker's address, which waits a little where there is none.
pub(crate) async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let connected = async {
        socket.bind(([127, 0, 0, 2], 0).into())?;
        socket.connect(to).await
    };
    let connected = connected.await;
    if connected.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    connected
}
