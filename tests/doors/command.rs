//! `verdict eval`: the same policies without a server.

use std::{process::Command, sync::Arc};

use serde_json::Value as Json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    BUDGET_MS, Question, Told,
    support::{Ended, Folder, run, verdict},
};

pub(crate) async fn eval(folder: &Folder, questions: &[Question]) -> Vec<Option<Told>> {
    let files = Folder::empty();
    // As many at once as there are cores on the smallest machine.
    let permits = Arc::new(Semaphore::new(2));
    let mut running = JoinSet::new();
    for (number, question) in questions.iter().enumerate() {
        files.write(&format!("{number}.json"), question.query.get());
        let mut command = verdict();
        command.args(["eval", "--json", "--timeout-ms", BUDGET_MS, "--policy", &question.policy, "--policies"]);
        command.arg(folder.path()).arg("--query").arg(files.join(&format!("{number}.json")));
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            (number, tokio::task::spawn_blocking(move || told(&mut command)).await.unwrap())
        });
    }
    let mut answers = vec![None; questions.len()];
    while let Some(ended) = running.join_next().await {
        let (number, told) = ended.unwrap();
        answers[number] = Some(told);
    }
    answers
}

fn told(command: &mut Command) -> Told {
    let Ended { code, stdout, stderr } = run(command);
    let verdict: Json = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    let allowed = verdict["effect"] == "ALLOW";
    assert_eq!(code, Some(i32::from(!allowed)), "{stdout}{stderr}");
    let codes = verdict["reasons"].as_array().into_iter().flatten().map(|one| one["code"].as_str().unwrap().to_owned());
    Told::new(allowed, codes, verdict["revision"]["digest"].as_str().unwrap())
}
