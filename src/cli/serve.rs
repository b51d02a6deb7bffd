//! `verdict serve`: the server.

use std::{path::PathBuf, process::ExitCode, sync::Arc, thread, time::Duration};

use anyhow::Context as _;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
    iterator::Signals,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use verdict::{
    app::{self, Again, App},
    audit::DRAIN,
    config::{self, Config, Flags},
    telemetry,
};

use super::{complain, exit, say};

/// Decide questions over gRPC and AuthZEN, on policies that are reloaded while it runs
///
/// Without --policies it serves the example policies that are in the binary. AuthZEN, health and metrics are on the HTTP port.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict serve                                     the example policies, on 127.0.0.1:9191 and :8181
  verdict serve --policies ./policies               a folder, reloaded when it changes
  verdict serve --policies ./policies --strict      exits with 64 if they don't compile
  verdict serve --config verdict.yaml --check-config
  VERDICT_LOG_FORMAT=json verdict serve --grpc unix:/run/verdict.sock

Every setting is also a key of the configuration file and a VERDICT_… variable: docs/configuration.md.")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// Read settings from this YAML or TOML file [env: `VERDICT_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve the policies in this folder [default: the embedded examples]
    #[arg(long, value_name = "DIR")]
    policies: Option<String>,
    /// Ask this rule or package where a question names none [default: data.authz]
    #[arg(long, value_name = "REF")]
    default_policy: Option<String>,
    /// Listen for gRPC here [default: 127.0.0.1:9191]
    #[arg(long, value_name = "ADDR")]
    grpc: Option<String>,
    /// Listen for AuthZEN, health and metrics here [default: 127.0.0.1:8181]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Listen for `verdict policy` here [default: `unix:$XDG_RUNTIME_DIR/verdict/admin.sock` or
    /// `unix:/run/verdict/admin.sock`; `off` for nowhere]
    #[arg(long, value_name = "SOCKET")]
    admin: Option<String>,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
    /// The built-ins that policies may call, in OPA's format [default: all]
    #[arg(long, value_name = "FILE")]
    capabilities: Option<String>,
    /// Exit with 64 if the policies don't compile at start, instead of waiting until they do
    #[arg(long)]
    strict: bool,
    /// Log this much, e.g. `debug` or `warn,verdict::reload=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    log_level: Option<String>,
    /// Log for people (human) or programs (json) [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Let plain text leave this machine: something else protects the network
    #[arg(long)]
    insecure: bool,
    /// Check the configuration, print what would be in force, and exit
    #[arg(long)]
    check_config: bool,
    /// End once standard input does, so that no server outlives the program that started it
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (check_only, until_stdin_ends) = (args.check_config, args.until_stdin_ends);
    let flags = flags(args);
    let config = match config::load(&flags, std::env::vars_os()) {
        Ok(config) => config,
        Err(faults) => {
            complain(&format!("the configuration has faults; `docs/configuration.md` has every key\n{faults}"));
            return Ok(ExitCode::from(exit::CONFIG));
        }
    };
    if check_only {
        say(config.describe().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let exports = match telemetry::export::Exports::open(config.telemetry.clone()) {
        Ok(exports) => exports,
        Err(error) => {
            complain(&error.to_string());
            return Ok(ExitCode::from(exit::CONFIG));
        }
    };
    if let Err(error) = telemetry::logs::init(&config.log, &exports) {
        complain(&error.to_string());
        return Ok(ExitCode::from(exit::CONFIG));
    }
    raise_open_files();
    outlive_file_sizes();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if config.server.worker_threads > 0 {
        runtime.worker_threads(config.server.worker_threads);
    }
    // Sockets are looked at again after so many tasks, each of which may evaluate: a call is to be refused soon.
    runtime.enable_all().event_interval(16).thread_name("worker").thread_stack_size(app::STACK);
    let runtime = runtime.build();
    let runtime = runtime.context("can't start threads")?;
    let code = runtime.block_on(serve(config, flags, exports, until_stdin_ends))?;
    // What is still blocked (a compilation, say) must not keep the process.
    runtime.shutdown_background();
    Ok(code)
}

/// Lets this process open as many files as the system allows it: the usual limit of 1,024 is less than the connections
/// that the doors take. Without that, the lower limit holds, and the doors wait at it.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Has a write beyond the limit of a file's size (`ulimit -f`) fail, as on a full disk, instead of ending this process.
fn outlive_file_sizes() {
    // Whoever hears the signal, its default is off.
    let heard = signal_hook::flag::register(SIGXFSZ, Arc::default());
    if let Err(error) = heard {
        tracing::warn!("a file that reaches the limit of its size will end this process: {error}");
    }
}

async fn serve(
    config: Config,
    flags: Flags,
    exports: telemetry::export::Exports,
    until_stdin_ends: bool,
) -> anyhow::Result<ExitCode> {
    let hangup = Arc::new(Notify::new());
    let running = config.clone();
    // Past the drain timeouts, and past what `App::run` adds to them.
    let stop = stop_signal(
        Arc::clone(&hangup),
        config.server.drain_timeout + DRAIN + telemetry::export::FLUSH + Duration::from_secs(5),
    )
    .context("can't listen for signals")?;
    if until_stdin_ends {
        let stop = stop.clone();
        let wait = move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            stop.cancel();
        };
        thread::Builder::new().name("standard input".to_owned()).spawn(wait).context("can't start a thread")?;
    }
    let started = tokio::select! {
        biased;
        // What it waits for, a source of bundles under `--strict`, is nobody's business any more.
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
        started = App::start_telling(config, exports) => started,
    };
    let app = match started {
        Ok(app) => app,
        Err(
            error @ (app::Error::Bind(_)
            | app::Error::Inherited(_)
            | app::Error::Admin(_)
            | app::Error::Tls(_)
            | app::Error::Callers(_)
            | app::Error::Strict(_)
            | app::Error::Capabilities(_)
            | app::Error::DecisionLog(_)
            | app::Error::Bundles(_)),
        ) => {
            complain(&error.to_string());
            return Ok(ExitCode::from(exit::CONFIG));
        }
        Err(error) => return Err(error.into()),
    };
    tokio::spawn(look_again(hangup, app.again(), (running, flags)));
    app.run(stop.cancelled_owned()).await?;
    Ok(ExitCode::SUCCESS)
}

/// At each SIGHUP, has everything looked at that is followed, and says which settings would need a restart.
async fn look_again(hangup: Arc<Notify>, again: Again, (running, flags): (Config, Flags)) {
    loop {
        hangup.notified().await;
        again.look();
        match config::load(&flags, std::env::vars_os()) {
            Ok(config) => {
                let changes = running.changes(&config);
                if !changes.is_empty() {
                    let settings = changes.join(" ");
                    tracing::warn!(settings, "settings have changed that are in force only after a restart");
                }
            }
            Err(faults) => tracing::error!("with this configuration, the server would not start again:\n{faults}\n"),
        }
    }
}

/// Cancelled at the first SIGTERM or SIGINT. The second ends the process at once, and so does `patience`. Each SIGHUP before
/// is told to `hangup`.
///
/// On a thread of its own: an evaluation that the time limit does not reach can hold every thread that serves, and then
/// nothing of the runtime, signals and timers included, goes on.
fn stop_signal(hangup: Arc<Notify>, patience: Duration) -> std::io::Result<CancellationToken> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let end = |why: &str| -> ! {
        complain(why);
        std::process::exit(exit::FAILED.into());
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut ends = signals.forever().filter(|signal| {
            if *signal == SIGHUP {
                hangup.notify_one();
            }
            *signal != SIGHUP
        });
        if ends.next().is_none() {
            return;
        }
        stopped.cancel();
        let timer = thread::Builder::new().name("hard exit".to_owned()).spawn(move || {
            thread::sleep(patience);
            end("the server did not stop in time; ending it");
        });
        if timer.is_err() || ends.next().is_some() {
            end("second signal: ending at once");
        }
    })?;
    Ok(stop)
}

fn flags(args: Args) -> Flags {
    let Args {
        config,
        policies,
        default_policy,
        grpc,
        http,
        admin,
        rego_v0,
        capabilities,
        strict,
        insecure,
        log_level,
        log_format,
        check_config: _,
        until_stdin_ends: _,
    } = args;
    let truth = |set: bool| set.then(|| "true".to_owned());
    let given = [
        ("policies.path", "--policies", policies),
        ("policies.default", "--default-policy", default_policy),
        ("grpc.address", "--grpc", grpc),
        ("http.address", "--http", http),
        ("admin.address", "--admin", admin),
        ("policies.rego_v0", "--rego-v0", truth(rego_v0)),
        ("policies.strict", "--strict", truth(strict)),
        ("policies.capabilities", "--capabilities", capabilities),
        ("server.insecure", "--insecure", truth(insecure)),
        ("log.level", "--log-level", log_level),
        ("log.format", "--log-format", log_format),
    ];
    let values = given.into_iter().filter_map(|(key, flag, value)| value.map(|value| (key, flag, value))).collect();
    Flags { file: config, values }
}
