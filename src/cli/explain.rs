//! `verdict explain`: why policies answer a question the way they do, without a server.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use verdict::{decision::Query, policy::Hosts};

use super::{
    eval::{self, How},
    question::QuestionArgs,
};

const EXAMPLES: &str = "\
Examples:
  verdict explain --subject user:bob --action delete --resource document:handbook
  verdict explain --policies policies/ --policy data.abac --query question.json
  echo '{\"subject\": …}' | verdict explain --policies policies/ --query - --json | jq .explanation.missed[0]

Exit: 0 allow, 1 deny, 2 it could not be asked.";

/// Say why the policies in a folder answer a question the way they do, without a server
///
/// For an allow: the rules that held, with the values that satisfied them. For a deny: what did not hold, with the
/// values that it saw, the nearest miss first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder of policies, or a single file [default: the embedded policies]
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Show the answer as JSON
    #[arg(long)]
    json: bool,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
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
    let Args { policies, json, rego_v0, timeout_ms, network_allow, question } = args;
    let query = Query { explain: true, ..eval::query(question)? };
    let capabilities = verdict::policy::Capabilities::default();
    let how = How {
        json: *json,
        rego_v0: *rego_v0,
        capabilities,
        network: eval::network(network_allow.as_ref(), capabilities),
        budget: Duration::from_millis(*timeout_ms),
    };
    eval::on_policies(policies.as_deref(), |bundle| how.decide(bundle, &query))
}
