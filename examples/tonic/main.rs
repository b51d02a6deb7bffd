//! Starts Verdict and the notes service on free ports, calls, and checks the answers; README.md has more.
//!
//! Verdict is the program that the variable VERDICT names, or the one that cargo built.

mod pdp;
mod service;

use std::process::ExitCode;

use anyhow::Context as _;
use service::proto::{DeleteNoteRequest, GetNoteRequest, notes_service_client::NotesServiceClient};
use tonic::{Code, Request, Status, transport::Channel};
use verdict::client::{Client, Settings};

use crate::pdp::Pdp;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut pdp = Pdp::start().await?;
    let client = Client::lazy(&pdp.address, Settings { deadline: pdp::PATIENCE, ..Settings::default() })?;
    let address = service::serve(client).await?;
    let mut notes = Notes(NotesServiceClient::connect(format!("http://{address}")).await.context("the service")?);
    let mut wrong = 0;
    for (key, method, note, code, text) in [
        ("key-of-bob", "GetNote", "recipe", Code::Ok, "the text of `recipe`"),
        ("key-of-alice", "GetNote", "diary", Code::Ok, "the text of `diary`"),
        ("key-of-bob", "GetNote", "diary", Code::PermissionDenied, "This note is not for you."),
        ("key-of-bob", "DeleteNote", "recipe", Code::PermissionDenied, "Your role does not allow this."),
        ("key-of-alice", "DeleteNote", "recipe", Code::Ok, "deleted"),
        ("no-key", "GetNote", "recipe", Code::PermissionDenied, "this is not allowed"),
    ] {
        wrong += notes.expect(key, method, note, (code, text)).await?;
    }
    pdp.kill()?;
    println!("     Verdict is killed");
    let unavailable = (Code::Unavailable, "this can't be decided now; try again later");
    wrong += notes.expect("key-of-alice", "GetNote", "diary", unavailable).await?;
    wrong += notes.expect("key-of-alice", "DeleteNote", "recipe", unavailable).await?;
    Ok(ExitCode::from(wrong))
}

/// A client of the service.
struct Notes(NotesServiceClient<Channel>);

impl Notes {
    /// Calls, and counts what is not as it should be.
    async fn expect(&mut self, key: &str, method: &str, note: &str, wanted: (Code, &str)) -> anyhow::Result<u8> {
        let told = match self.call(key, method, note).await? {
            Ok(text) => (Code::Ok, text),
            Err(status) => (status.code(), status.message().to_owned()),
        };
        let good = (told.0, told.1.as_str()) == wanted;
        let mark = if good { "ok  " } else { "BAD " };
        println!("{mark} {method:10} {note:8} {key:14} {:17} {}", format!("{:?}", told.0), told.1);
        Ok(u8::from(!good))
    }

    async fn call(&mut self, key: &str, method: &str, note: &str) -> anyhow::Result<Result<String, Status>> {
        let id = note.to_owned();
        let key = format!("Bearer {key}").parse()?;
        if method == "GetNote" {
            let mut request = Request::new(GetNoteRequest { id });
            request.metadata_mut().insert("authorization", key);
            return Ok(self.0.get_note(request).await.map(|answer| answer.into_inner().text));
        }
        let mut request = Request::new(DeleteNoteRequest { id });
        request.metadata_mut().insert("authorization", key);
        Ok(self.0.delete_note(request).await.map(|_| "deleted".to_owned()))
    }
}
