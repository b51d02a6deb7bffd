//! A service behind Verdict's tower layer. The layer asks, before each call, whether the caller may call this method;
//! the service asks about the note, which only it knows.

use std::net::SocketAddr;

use axum::http::request::Parts;
use proto::{
    DeleteNoteRequest, DeleteNoteResponse, GetNoteRequest, GetNoteResponse,
    notes_service_server::{NotesService, NotesServiceServer},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use tower::Layer as _;
use verdict::client::{
    Client, Question,
    layer::{Guard, NoQuestion},
};

/// What `notes.proto` says, generated.
#[allow(clippy::pedantic, clippy::allow_attributes_without_reason, unreachable_pub, reason = "generated")]
pub(crate) mod proto {
    tonic::include_proto!("notes.v1");
}

/// Whose key it is. In a real service, this comes from whatever authenticates callers.
fn user_of(key: &str) -> Option<&'static str> {
    match key.strip_prefix("Bearer ")? {
        "key-of-alice" => Some("alice"),
        "key-of-bob" => Some("bob"),
        _ => None,
    }
}

/// The layer's question: may this user call this method of this service?
fn question(head: &Parts) -> Result<Question, NoQuestion> {
    let no = |why: &str| NoQuestion(why.to_owned());
    let key = head.headers.get("authorization").and_then(|key| key.to_str().ok());
    let user = key.and_then(user_of).ok_or_else(|| no("the caller has no key that is known"))?;
    let (service, method) =
        head.uri.path().trim_start_matches('/').split_once('/').ok_or_else(|| no("the path has no method"))?;
    Ok(Question::may(("user", user), method, ("service", service)))
}

/// The service.
struct Notes {
    verdict: Client,
}

#[tonic::async_trait]
impl NotesService for Notes {
    async fn get_note(&self, request: Request<GetNoteRequest>) -> Result<Response<GetNoteResponse>, Status> {
        let key = request.metadata().get("authorization").and_then(|key| key.to_str().ok());
        let user = key.and_then(user_of).unwrap_or_default();
        let note = &request.get_ref().id;
        // Whatever is not an allow ends here.
        let _permit = self.verdict.check(&Question::may(("user", user), "read", ("note", note))).await?;
        Ok(Response::new(GetNoteResponse { text: format!("the text of `{note}`") }))
    }

    async fn delete_note(&self, _: Request<DeleteNoteRequest>) -> Result<Response<DeleteNoteResponse>, Status> {
        Ok(Response::new(DeleteNoteResponse {}))
    }
}

/// Serves until the runtime ends; says where.
pub(crate) async fn serve(verdict: Client) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let guarded = Guard::new(verdict.clone(), question).layer(NotesServiceServer::new(Notes { verdict }));
    tokio::spawn(Server::builder().add_service(guarded).serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(address)
}
