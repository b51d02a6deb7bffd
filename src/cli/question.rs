//! The question that flags or a file ask, for `verdict eval` and `verdict check`.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value as Json, json};

/// How a question is put on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Question")]
pub(super) struct QuestionArgs {
    /// Who asks: `user:alice`
    #[arg(long, value_name = "TYPE:ID")]
    pub(super) subject: Option<String>,
    /// What is to be done: `read`
    #[arg(long, value_name = "NAME")]
    pub(super) action: Option<String>,
    /// What it is done to: `document:42`
    #[arg(long, value_name = "TYPE:ID")]
    pub(super) resource: Option<String>,
    /// The circumstances, a JSON object: `{"time": "2026-03-03T10:00:00Z"}`
    #[arg(long, value_name = "JSON")]
    pub(super) context: Option<String>,
    /// A file with the whole question as AuthZEN JSON instead, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "action", "resource", "context"])]
    pub(super) query: Option<PathBuf>,
    /// Whom to ask: a package or a rule, like `data.authz` [default: the default policy]
    #[arg(long, value_name = "REF")]
    pub(super) policy: Option<String>,
    /// Tell which rules held, and what kept the others from holding
    #[arg(long)]
    pub(super) explain: bool,
}

/// A question, as it will be sent or decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// AuthZEN JSON: `subject`, `action`, `resource` and `context`.
    pub(super) json: Vec<u8>,
    /// The entry point, as it was written.
    pub(super) policy: Option<String>,
    /// Whether to tell why.
    pub(super) explain: bool,
}

impl QuestionArgs {
    /// The question, or everything that is wrong with the flags.
    pub(super) fn read(&self) -> anyhow::Result<Question> {
        let json = match &self.query {
            Some(path) => input(path)?,
            None => self.flags()?,
        };
        Ok(Question { json, policy: self.policy.clone(), explain: self.explain })
    }

    fn flags(&self) -> anyhow::Result<Vec<u8>> {
        let mut faults = Vec::new();
        let mut question = Map::new();
        for (name, flag, example) in
            [("subject", &self.subject, "user:alice"), ("resource", &self.resource, "document:42")]
        {
            match flag.as_deref().map(|text| (text, text.split_once(':'))) {
                Some((_, Some((kind, id)))) if !kind.is_empty() && !id.is_empty() => {
                    question.insert(name.to_owned(), json!({"type": kind, "id": id}));
                }
                Some((text, _)) => {
                    faults.push(format!("--{name}: `{text}` is not a type and an id; write it like `{example}`"));
                }
                None => faults.push(format!("--{name} is missing; write it like `--{name} {example}`")),
            }
        }
        match self.action.as_deref() {
            Some("") => faults.push("--action is empty; write it like `--action read`".to_owned()),
            Some(action) => {
                question.insert("action".to_owned(), json!({"name": action}));
            }
            None => faults.push("--action is missing; write it like `--action read`".to_owned()),
        }
        match self.context.as_deref().map(serde_json::from_str::<Json>) {
            None => {}
            Some(Ok(context @ Json::Object(_))) => {
                question.insert("context".to_owned(), context);
            }
            Some(Ok(_)) => {
                faults.push("--context: not a JSON object; write it like `{\"ip\": \"10.0.0.1\"}`".to_owned());
            }
            Some(Err(error)) => faults.push(format!("--context: not JSON: {error}")),
        }
        if self.subject.is_none() && self.action.is_none() && self.resource.is_none() {
            bail!(
                "no question; ask it with `--subject user:alice --action read --resource document:42`, or with `--query \
                 FILE`"
            );
        }
        if !faults.is_empty() {
            bail!("{}", faults.join("\nverdict: "));
        }
        Ok(serde_json::to_vec(&Json::Object(question))?)
    }
}

/// The content of a file, or of standard input for `-`.
pub(super) fn input(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(subject: &str, action: &str, resource: &str, context: &str) -> QuestionArgs {
        let some = |text: &str| Some(text.to_owned());
        QuestionArgs {
            subject: some(subject),
            action: some(action),
            resource: some(resource),
            context: some(context),
            ..QuestionArgs::default()
        }
    }

    #[test]
    fn an_id_may_have_colons_and_numbers_keep_their_digits() {
        let digits = "123456789012345678901234567890.10";
        let question = args("user:a:b", "read", "doc:urn:x", &format!("{{\"n\": {digits}}}")).read().unwrap();
        let text = String::from_utf8(question.json).unwrap();
        assert!(text.contains(r#""id":"a:b""#) && text.contains(r#""id":"urn:x""#) && text.contains(digits), "{text}");
    }

    #[test]
    fn tells_everything_that_is_wrong_with_the_flags() {
        let message = args("alice", "", ":42", "[1]").read().unwrap_err().to_string();
        for part in ["--subject: `alice`", "--action is empty", "--resource: `:42`", "--context: not a JSON object"] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(QuestionArgs::default().read().unwrap_err().to_string().contains("no question"));
    }
}
