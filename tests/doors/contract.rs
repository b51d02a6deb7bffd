//! What a client of OPA's API makes of the document that it gets, by the decision contract (`docs/policies.md`).

use serde_json::Value as Json;

use crate::http_client::Answer;

/// Whether the answer allows, and the reasons' codes.
pub(crate) fn decision(answer: &Answer, document: Option<&Json>) -> (bool, Vec<String>) {
    let deny = |code: &str| (false, vec![code.to_owned()]);
    if answer.status == 500 {
        let code = &answer.json()["errors"][0]["code"];
        return deny(if code == "eval_cancel_error" { "budget_exceeded" } else { "evaluation_error" });
    }
    match document {
        None => deny("no_decision"),
        Some(Json::Bool(true)) => (true, Vec::new()),
        Some(Json::Bool(false)) => deny("policy_denied"),
        Some(Json::Object(members)) => {
            let codes = |name: &str| -> Option<Vec<String>> {
                let list = members.get(name).map_or(Some(&[][..]), |list| list.as_array().map(Vec::as_slice))?;
                list.iter().map(|one| one.as_str().or_else(|| one["code"].as_str()).map(str::to_owned)).collect()
            };
            // Of a package, `deny` is a rule; of a rule's value it is nothing that a decision has.
            let package = members.get("deny").is_some_and(|_| members.contains_key("reasons"));
            let said: Vec<&Json> =
                ["allow", "allowed", "decision"].iter().filter_map(|name| members.get(*name)).collect();
            let (Some(reasons), Some(denied)) = (codes("reasons"), codes("deny")) else {
                return deny("invalid_decision");
            };
            match said.as_slice() {
                [Json::Bool(allow)] if package || !members.contains_key("deny") => {
                    let all: Vec<String> = denied.iter().cloned().chain(reasons).collect();
                    let allow = *allow && denied.is_empty();
                    if all.is_empty() && !allow { deny("policy_denied") } else { (allow, all) }
                }
                _ => deny("invalid_decision"),
            }
        }
        Some(_) => deny("invalid_decision"),
    }
}
