//! Envoy's external authorization, where requests are asked as questions.

use serde_json::Value as Json;

use crate::{
    Question, Told,
    envoy_client::{check as ask, http, of},
    support::Server,
};

pub(crate) async fn check(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut answers = Vec::new();
    for question in questions {
        let query: Json = serde_json::from_str(question.query.get()).unwrap();
        let text = |entity: &str, member: &str| query[entity][member].as_str().unwrap_or_default().to_owned();
        if text("resource", "type") != "path" || query.get("context").is_some() {
            answers.push(None);
            continue;
        }
        let request = http(&text("action", "name"), &text("resource", "id"), &[("x-user", &text("subject", "id"))]);
        let answer = ask(server, of(request)).await;
        let verdict = &answer.metadata["verdict"];
        assert_eq!(verdict["effect"] == "allow", answer.allowed);
        let codes = verdict["reasons"].as_array().into_iter().flatten().map(|code| code.as_str().unwrap().to_owned());
        let digest = verdict["revision"].to_string();
        let digest =
            digest.split("sha256:").nth(1).map(|rest| format!("sha256:{}", &rest[..64])).unwrap_or(digest.clone());
        answers.push(Some(Told::new(answer.allowed, codes, &digest)));
    }
    answers
}
