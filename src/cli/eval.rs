//! `verdict eval`: one question, or one Rego query, answered from a folder without a server.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use verdict::{
    api,
    bundle::Bundle,
    decision::{Decider, Query},
    policy::{self, Capabilities, Faults, Hosts, Network, NetworkSettings, Options, Snapshot, adhoc},
};

use super::{capabilities, colour, exit, folder, question, question::QuestionArgs, say, verdict_text};

const EXAMPLES: &str = "\
Examples:
  verdict eval --subject user:alice --action read --resource document:handbook
  verdict eval --policies policies/ --subject user:alice --action read --resource document:handbook
  verdict eval --policies policies/ --policy data.abac --query question.json --explain
  echo '{\"subject\": …}' | verdict eval --policies policies/ --query - --json
  verdict eval --policies policies/ --query-rego 'data.rbac.effective_roles' --input input.json

Exit: 0 allow, or the query has results; 1 deny, or it is undefined; 2 it could not be asked.";

/// Evaluation recurses into expressions and calls: their depth is bounded, but a thread's usual stack may be less.
const STACK: usize = 256 << 20;

/// Ask one question of the policies in a folder, without a server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder of policies, or a single file [default: the embedded policies]
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// A Rego query to evaluate instead: `data.authz.decision.reasons`
    #[arg(long, value_name = "REGO", conflicts_with_all = ["subject", "action", "resource", "context", "query", "policy", "explain"])]
    query_rego: Option<String>,
    /// A file with the JSON that `--query-rego` sees as `input`, `-` for standard input
    #[arg(long, value_name = "FILE", requires = "query_rego")]
    input: Option<PathBuf>,
    /// Show the answer as JSON
    #[arg(long)]
    json: bool,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
    /// The built-ins that policies may call, in OPA's format (`opa capabilities --current`) [default: all]
    #[arg(long, value_name = "FILE", value_parser = capabilities)]
    capabilities: Option<Capabilities>,
    /// The hosts that policies may ask, as in `network.allow`, joined by commas [default: none]
    #[arg(long, value_name = "HOSTS", env = "VERDICT_NETWORK_ALLOW")]
    network_allow: Option<Hosts>,
    /// The most milliseconds that the evaluation may take
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    timeout_ms: u64,
    // Last, as its heading holds for all after it.
    #[command(flatten)]
    question: QuestionArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Args { policies, query_rego, input, json, rego_v0, timeout_ms, capabilities, network_allow, question } = args;
    // What is asked is read first: a fault in it is no reason to compile.
    let asked = match query_rego {
        Some(query) => Asked::Rego(query, input.as_deref().map(question::input).transpose()?),
        None => Asked::Question(Box::new(query(question)?)),
    };
    let capabilities = capabilities.unwrap_or_default();
    let how = How {
        json: *json,
        rego_v0: *rego_v0,
        capabilities,
        network: network(network_allow.as_ref(), capabilities),
        budget: Duration::from_millis(*timeout_ms),
    };
    on_policies(policies.as_deref(), |bundle| match &asked {
        Asked::Question(query) => how.decide(bundle, query),
        Asked::Rego(query, input) => how.evaluate(bundle, query, input.as_deref()),
    })
}

/// Reads the policies of a folder, or the embedded ones, and does that with them on a thread with a deep stack.
pub(super) fn on_policies(
    policies: Option<&Path>,
    ask: impl FnOnce(&Bundle) -> anyhow::Result<ExitCode> + Send,
) -> anyhow::Result<ExitCode> {
    let read = policies.map_or_else(folder::embedded, folder::read_one)?;
    let bundle = match read.whole() {
        Ok(bundle) => bundle,
        Err(faults) => return Ok(refuse(&faults)),
    };
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("eval".to_owned()).stack_size(STACK);
        let worker = worker.spawn_scoped(scope, || ask(&bundle))?;
        worker.join().unwrap_or_else(|_| Err(anyhow!("the evaluation panicked; please report it")))
    })
}

enum Asked<'a> {
    Question(Box<Query>),
    Rego(&'a str, Option<Vec<u8>>),
}

/// The question that the flags ask.
pub(super) fn query(args: &QuestionArgs) -> anyhow::Result<Query> {
    let question = args.read()?;
    let query = api::json::query(&question.json).map_err(|violations| {
        let faults: Vec<String> =
            violations.iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect();
        anyhow!("{}", faults.join("\nverdict: "))
    })?;
    let policy = question.policy.as_deref().map(str::parse).transpose().context("--policy")?;
    Ok(Query { policy, explain: question.explain, ..query })
}

/// The access to these hosts, as far as the capabilities have them.
pub(super) fn network(allow: Option<&Hosts>, capabilities: Capabilities) -> Network {
    let allow = capabilities.hosts(allow.cloned().unwrap_or_default());
    Network::new(NetworkSettings { allow, ..NetworkSettings::default() })
}

/// How a question is answered, and shown.
pub(super) struct How {
    pub(super) json: bool,
    pub(super) rego_v0: bool,
    pub(super) capabilities: Capabilities,
    pub(super) network: Network,
    pub(super) budget: Duration,
}

impl How {
    fn options(&self) -> Options {
        Options { rego_v0: self.rego_v0, capabilities: self.capabilities, network: self.network, ..Options::default() }
    }

    pub(super) fn decide(&self, bundle: &Bundle, query: &Query) -> anyhow::Result<ExitCode> {
        let options = self.options();
        let snapshot = match Snapshot::compile(bundle, 1, options) {
            Ok(snapshot) => snapshot,
            Err(faults) => return Ok(refuse(&faults)),
        };
        let decider = Decider::new(policy::Config::default().default_policy, self.budget);
        decider.publish(Arc::new(snapshot));
        let verdict = decider.decide_blocking(query, self.budget).context("there is nothing to decide on")?;
        if self.json {
            say(&format!("{:#}", verdict_text::json(&verdict)));
        } else {
            say(&verdict_text::text(&verdict, colour()));
        }
        Ok(if verdict.is_allow() { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
    }

    fn evaluate(&self, bundle: &Bundle, query: &str, input: Option<&[u8]>) -> anyhow::Result<ExitCode> {
        let input = input.map(std::str::from_utf8).transpose().context("the input is not UTF-8")?;
        let input = input.map_or(adhoc::Input::Undefined, adhoc::Input::Json);
        let options = self.options();
        match adhoc::query(bundle, options, query, input, self.budget) {
            Ok(answer) => {
                for line in &answer.prints {
                    super::complain(line);
                }
                say(&answer.json);
                Ok(if answer.defined { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
            }
            Err(faults) => Ok(refuse(&faults)),
        }
    }
}

fn refuse(faults: &Faults) -> ExitCode {
    super::show_faults(faults);
    ExitCode::from(exit::FAILED)
}
