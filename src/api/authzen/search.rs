//! Searches over HTTP (§8), a page at a time.

use std::{pin::pin, sync::Arc, time::Instant};

use axum::extract::Request;
use futures::StreamExt as _;
use serde_json::{Value as Json, json};

use super::{
    Answer, Door, answer, freshness,
    page::{Bound, Wanted},
    request,
};
use crate::{
    api::{
        json,
        search::{Ending, Found, Search},
        settle::DoorName,
        status::{CallError, FieldViolation},
    },
    decision::Searched,
};

impl Door {
    pub(super) async fn search(&self, request: Request, searched: Searched) -> Result<Answer, CallError> {
        let call = self.call(request.headers())?;
        let deadline = call.deadline;
        // A page that takes long is a short one; what is left is for the candidates that are being decided then.
        let enough = Instant::now() + self.config.request_timeout / 4 * 3;
        let mut object = request::object(request, self.config.max_body_bytes, deadline).await?;
        let wanted = Wanted::take(&mut object)?;
        if self.config.credential_at.take(&mut object).transpose().is_some() {
            let field = self.config.credential_at.to_string();
            let fault = FieldViolation::new(field, "is given with a search, which takes no credential");
            return Err(CallError::InvalidQuery(vec![fault]));
        }
        let query = json::search(object, searched).map_err(CallError::InvalidQuery)?;
        self.may_wait(&query, &call)?;
        let held = freshness::within(self.decider.hold_at(&call.at), &self.decider, &call).await?;
        let bound = Bound::to(&query, searched, held.revision().clone());
        let Wanted { token, limit } = wanted.clone().unwrap_or_default();
        let from = token.map(|token| self.pages.position(&token, &bound)).transpose()?.unwrap_or(0);
        let most = limit.unwrap_or(usize::MAX).min(self.search.page_size);

        let search = Search::begin(held, query, searched, &self.search, deadline).await?;
        let observer = Arc::clone(&self.observer);
        let mut ending = Ending::new(&search, observer, DoorName::AUTHZEN, ((self.ids)(), call.request_id));
        let (revision, last) = (search.revision().clone(), search.len());
        let (mut results, mut next) = (Vec::new(), from);
        let mut decided = pin!(search.decided(from, deadline));
        while results.len() < most
            // Late as it may be, a page has at least one decision, or it would begin where the last one did.
            && (next == from || Instant::now() < enough)
            && let Some((at, found)) = decided.next().await
        {
            ending.count(&found);
            match found {
                Ok(found) => results.extend(found.map(|found| item(&found, searched))),
                Err(error) if next == from => return Err(error),
                Err(_) => break,
            }
            next = at + 1;
        }
        let id = ending.id().to_owned();
        ending.end(next == last).await?;
        let mut body = json!({ "results": results });
        let next_token = if next < last { self.pages.token(next, &bound) } else { String::new() };
        if let Some(members) = body.as_object_mut().filter(|_| wanted.is_some() || !next_token.is_empty()) {
            members.insert("page".to_owned(), json!({ "next_token": next_token, "count": results_in(members) }));
        }
        Ok(Answer { body, revision, decision_id: Some(id) })
    }
}

fn results_in(body: &serde_json::Map<String, Json>) -> usize {
    body.get("results").and_then(Json::as_array).map_or(0, Vec::len)
}

fn item(Found { candidate, obligations }: &Found, searched: Searched) -> Json {
    let members = match searched {
        Searched::Subject | Searched::Resource => [("type", candidate.kind.as_str()), ("id", &candidate.id)],
        Searched::Action => [("name", candidate.id.as_str()), ("", "")],
    };
    answer::found(members, &candidate.properties, obligations)
}
