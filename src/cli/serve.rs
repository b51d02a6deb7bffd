//! `verdict serve`: the server.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use verdict::{
    app::{self, App},
    config::{self, Config, Flags},
    telemetry,
};

use super::{complain, exit, say};

/// Decide questions over gRPC, on policies that are reloaded while it runs
///
/// Without --policies it serves the example policies that are in the binary. Health and metrics are on the HTTP port.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict serve                                     the example policies, on 127.0.0.1:9191 and :8181
  verdict serve --policies ./policies               a folder, reloaded when it changes
  verdict serve --policies ./policies --strict      exits with 64 if they don't compile
  verdict serve --config verdict.yaml --check-config
  VERDICT_LOG_FORMAT=json verdict serve --grpc unix:/run/verdict.sock

Every setting is also a key of the configuration file and a VERDICT_… variable: docs/configuration.md.")]
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
    /// Listen for health and metrics here [default: 127.0.0.1:8181]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
    /// Exit with 64 if the policies don't compile at start, instead of waiting until they do
    #[arg(long)]
    strict: bool,
    /// Log this much, e.g. `debug` or `warn,verdict::reload=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    log_level: Option<String>,
    /// Log for people (human) or programs (json) [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Check the configuration, print what would be in force, and exit
    #[arg(long)]
    check_config: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let check_only = args.check_config;
    let config = match config::load(&flags(args), std::env::vars_os()) {
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
    if let Err(error) = telemetry::logs::init(&config.log) {
        complain(&error.to_string());
        return Ok(ExitCode::from(exit::CONFIG));
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if config.server.worker_threads > 0 {
        runtime.worker_threads(config.server.worker_threads);
    }
    let runtime = runtime.enable_all().thread_name("worker").thread_stack_size(app::STACK).build();
    let runtime = runtime.context("can't start threads")?;
    let code = runtime.block_on(serve(config))?;
    // What is still blocked (a compilation, say) must not keep the process.
    runtime.shutdown_background();
    Ok(code)
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let stop = stop_signal().context("can't listen for signals")?;
    let app = match App::start(config).await {
        Ok(app) => app,
        Err(error @ (app::Error::Bind(_) | app::Error::Strict(_))) => {
            complain(&error.to_string());
            return Ok(ExitCode::from(exit::CONFIG));
        }
        Err(error) => return Err(error.into()),
    };
    app.run(stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Ready at the first SIGTERM or SIGINT; the second ends the process at once.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let next = async |terminate: &mut tokio::signal::unix::Signal, interrupt: &mut tokio::signal::unix::Signal| {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            next(&mut terminate, &mut interrupt).await;
            tracing::warn!("second signal: ending at once");
            std::process::exit(exit::FAILED.into());
        });
    })
}

fn flags(args: Args) -> Flags {
    let Args { config, policies, default_policy, grpc, http, rego_v0, strict, log_level, log_format, check_config: _ } =
        args;
    let truth = |set: bool| set.then(|| "true".to_owned());
    let given = [
        ("policies.path", "--policies", policies),
        ("policies.default", "--default-policy", default_policy),
        ("grpc.address", "--grpc", grpc),
        ("http.address", "--http", http),
        ("policies.rego_v0", "--rego-v0", truth(rego_v0)),
        ("policies.strict", "--strict", truth(strict)),
        ("log.level", "--log-level", log_level),
        ("log.format", "--log-format", log_format),
    ];
    let values = given.into_iter().filter_map(|(key, flag, value)| value.map(|value| (key, flag, value))).collect();
    Flags { file: config, values }
}
