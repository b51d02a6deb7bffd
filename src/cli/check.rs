//! `verdict check`: asks a running server.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use verdict::api::grpc::{
    proto::{CheckRequest, ExplainMode, decision_service_client::DecisionServiceClient},
    received,
};

use super::{
    client::{self, ServerArgs},
    colour, complain, exit,
    question::{Question, QuestionArgs},
    say, verdict_text,
};

/// Ask a running server whether an identity may take an action on a resource
///
/// Exits with 0 for allow, 1 for deny, and 2 if it could not ask.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict check --subject user:alice --action read --resource document:handbook
  verdict check --server unix:/run/verdict.sock --query question.json --json
  echo '{\"subject\":{\"type\":\"user\",\"id\":\"bob\"},\"action\":{\"name\":\"delete\"},
         \"resource\":{\"type\":\"document\",\"id\":\"handbook\"}}' | verdict check --query - --explain")]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    question: QuestionArgs,
    /// Your own id of the question; the answer repeats it
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request_id: String,
    /// Show the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let question = args.question.read()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start a runtime")?;
    runtime.block_on(ask(args, question))
}

async fn ask(args: &Args, question: Question) -> anyhow::Result<ExitCode> {
    let mut client = DecisionServiceClient::new(args.server.connect().await?);
    let Question { json, policy, explain } = question;
    let message = CheckRequest {
        query_json: json,
        policy: policy.unwrap_or_default(),
        request_id: args.request_id.clone(),
        explain: if explain { ExplainMode::On } else { ExplainMode::Off }.into(),
        ..CheckRequest::default()
    };
    let mut request = tonic::Request::new(message);
    request.set_timeout(args.server.patience()?);
    args.server.show(&mut request)?;
    let response = match client.check(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => {
            complain(&client::describe(&status));
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    let message = response.verdict.context("the server's answer has no verdict; is it a Verdict server?")?;
    let (decision_id, request_id) = (message.decision_id.clone(), message.request_id.clone());
    let verdict = received::verdict(message);
    if args.json {
        let mut shown = verdict_text::json(&verdict);
        if let Some(members) = shown.as_object_mut() {
            members.insert("decision_id".to_owned(), json!(decision_id));
            members.insert("request_id".to_owned(), json!(request_id));
        }
        say(&format!("{shown:#}"));
    } else {
        say(&verdict_text::text(&verdict, colour()));
        say(&format!("decision    {}", verdict::policy::printable(&decision_id)));
    }
    Ok(if verdict.is_allow() { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}
