//! The null service: everything that the real one does, except to read the question and to decide it.

use std::pin::Pin;

use futures::Stream;
use tonic::{Request, Response, Status, Streaming};
use verdict::{
    api::grpc::proto::{
        BatchCheckRequest, BatchCheckResponse, CheckRequest, CheckResponse, CheckStreamRequest, CheckStreamResponse,
        Effect, Reason, Revision, SourcePosition, Verdict, decision_service_server::DecisionService,
    },
    clock,
    decision::Digest,
};

/// Allows everything, with an answer of the same size as the generated policy's.
pub(super) struct Null(Verdict);

impl Null {
    pub(super) fn new() -> Self {
        let reason = Reason {
            code: "role_grants_action".to_owned(),
            rule: "data.authz.decision".to_owned(),
            position: Some(SourcePosition { file: "authz.rego".to_owned(), line: 5, column: 1 }),
            ..Reason::default()
        };
        Self(Verdict {
            effect: Effect::Allow.into(),
            reasons: vec![reason],
            entry_point: "data.authz.decision".to_owned(),
            revision: Some(Revision { sequence: 1, digest: Digest::default().to_string(), ..Revision::default() }),
            ..Verdict::default()
        })
    }

    fn verdict(&self, request_id: String) -> Verdict {
        Verdict { decision_id: clock::decision_id(), request_id, ..self.0.clone() }
    }
}

#[tonic::async_trait]
impl DecisionService for Null {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let verdict = self.verdict(request.into_inner().request_id);
        Ok(Response::new(CheckResponse { verdict: Some(verdict) }))
    }

    async fn batch_check(&self, request: Request<BatchCheckRequest>) -> Result<Response<BatchCheckResponse>, Status> {
        let items = request.into_inner().items.into_iter();
        Ok(Response::new(BatchCheckResponse { verdicts: items.map(|item| self.verdict(item.request_id)).collect() }))
    }

    type CheckStreamStream = Pin<Box<dyn Stream<Item = Result<CheckStreamResponse, Status>> + Send>>;

    async fn check_stream(
        &self,
        _: Request<Streaming<CheckStreamRequest>>,
    ) -> Result<Response<Self::CheckStreamStream>, Status> {
        Err(Status::unimplemented("the null service has no streams"))
    }
}
