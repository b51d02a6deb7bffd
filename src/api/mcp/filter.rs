//! A result of `tools/list`, with those tools only that the caller may use.

use std::time::{Duration, Instant};

use futures::future;

use super::{
    Door,
    mapping::{self, Caller},
    message::is_clean,
};
use crate::{
    api::{deadline::Deadline, json, status::CallError},
    decision::{Object, Revision, Value},
};

/// How long a list may keep its thread before it lets other requests go on.
const TURN: Duration = Duration::from_micros(500);

impl Door {
    /// All tools on one snapshot. What is no tool that can be named is left out.
    pub(in crate::api) async fn filter(
        &self,
        mut result: Object,
        mut caller: Caller,
        request_id: &str,
        deadline: Deadline,
    ) -> Result<(Object, Revision), CallError> {
        if json::has_lookalike(&result, &["tools"]) {
            return Err(super::violation("result", "has a member that differs from `tools` in case only"));
        }
        let Some(Value::Array(tools)) = result.remove("tools") else {
            return Err(super::violation("result.tools", "is not an array"));
        };
        let most = self.config.max_tools;
        if tools.len() > most {
            let fault = format!("has {} items, and may have {most} (`grpc.max_batch_items`)", tools.len());
            return Err(super::violation("result.tools", fault));
        }
        if let Some(deny) = self.unproven(&mut caller, deadline).await? {
            let why = deny.reasons.first().map_or("proves nobody", |reason| reason.code.as_str());
            return Err(super::violation("token", format!("is not good: `{why}`")));
        }
        let pinned = self.decider.pin().ok_or(CallError::PoliciesNotReady)?;
        let (mut decided, mut turn) = (Vec::new(), Instant::now());
        for tool in tools {
            if turn.elapsed() > TURN {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            let Value::Object(members) = &tool else { continue };
            let Some(Value::String(name)) = members.get("name") else { continue };
            // A client that does not tell cases apart would show another tool than the one that was decided.
            if !is_clean(name) || json::too_deep(members) || json::has_lookalike(members, &["name", "annotations"]) {
                continue;
            }
            let annotations = match members.get("annotations") {
                Some(Value::Object(annotations)) => Some(annotations.clone()),
                _ => None,
            };
            let query = mapping::listed(&caller, name, annotations);
            let started = Instant::now();
            let verdict = pinned.decide(&query, deadline.left()?).await;
            // A deny for want of the caller's time is none.
            deadline.left()?;
            decided.push((tool, self.settle(Some(&query), verdict, started, (&(self.ids)(), request_id))));
        }
        // Their records are waited for together.
        let kept = decided.into_iter().map(async |(tool, settled)| settled.verdict().await.is_allow().then_some(tool));
        let kept = future::join_all(kept).await.into_iter().flatten().collect();
        result.insert("tools".to_owned(), Value::Array(kept));
        Ok((result, pinned.revision().clone()))
    }
}
