//! The decision: asks about each party on one snapshot, and makes one answer of what the policy says.

use std::{sync::Arc, time::Duration};

use super::{
    answer::{Answer, code, reason},
    config::Config,
    grant::{self, Grant},
    narrow::{Narrowed, narrow},
    party::{self, Side},
    request::Request,
};
use crate::decision::{Effect, Pinned, Query, Reason, StepUp, Verdict, code as verdict_code};

/// How far an authorization server's clock may be before ours, in seconds.
const AHEAD: u64 = 60;

/// A question of issuance that was decided.
#[derive(Clone, Debug)]
pub struct Issuance {
    /// What the policy was asked about the subject, for the record.
    pub query: Query,
    /// The verdict, for the record; its context has the answer as `issuance`.
    pub verdict: Verdict,
    /// What may be issued.
    pub answer: Answer,
}

/// Decides `request` on a snapshot; `now` is in seconds since the epoch, `left` what the caller still grants. Total: what
/// goes wrong is a deny. The request must have no violations.
pub async fn authorize(request: &Request, config: &Config, on: &Pinned<'_>, now: u64, left: Duration) -> Issuance {
    let acting = party::acting(request);
    let query = party::query(request, Side::Subject, acting.as_ref(), &config.policy);
    let depth = request.actors().count().max(usize::from(acting.is_some()));
    if depth > config.max_actor_depth {
        let most = config.max_actor_depth;
        let fault = format!("the chain has {depth} actors, and may have {most} (`issuance.max_actor_depth`)");
        let answer = Answer::deny(refused(request));
        let verdict = Verdict { reasons: vec![reason(code::ACTOR_CHAIN, fault)], ..Verdict::default() };
        let verdict = dressed(Verdict { revision: on.revision().clone(), ..verdict }, &answer, config);
        return Issuance { query, verdict, answer };
    }
    // Two questions share the time of one.
    let left = if acting.is_some() { left / 2 } else { left };
    let subject = on.decide(&query, left).await;
    let actor = match &acting {
        Some(acting) => {
            let query = party::query(request, Side::Actor, Some(acting), &config.policy);
            Some(on.decide(&query, left).await)
        }
        None => None,
    };
    let (verdict, answer) = settle(request, config, now, subject, actor);
    Issuance { query, verdict, answer }
}

/// One party's verdict, taken apart.
struct Said {
    verdict: Verdict,
    grant: Grant,
}

/// Makes one answer of what the policy says about the subject and, where there is one, about the actor.
pub(super) fn settle(
    request: &Request,
    config: &Config,
    now: u64,
    subject: Verdict,
    actor: Option<Verdict>,
) -> (Verdict, Answer) {
    let acting = actor.is_some();
    let said: Vec<Said> = std::iter::once(subject).chain(actor).map(said).collect();
    let denied = said.iter().any(|said| !said.verdict.is_allow());
    let failed = |said: &Said| said.verdict.diagnostics.iter().any(|found| found.code != verdict_code::NO_DECISION);
    let failed = said.iter().any(failed);
    let (mut answer, mut verdict) = (Answer::default(), Verdict::default());
    let (mut faults, mut wanted) = (Vec::new(), Vec::new());
    let mut narrowed: Option<Narrowed> = None;
    for Said { verdict: one, grant } in said {
        demand(&mut answer, &one, &grant);
        // Each party's demands are to be met, also where they have nothing in common.
        wanted.extend(unmet(request, one.step_up.as_ref(), &grant, now));
        // Of one that allows and one that denies, only what denies is a reason.
        absorb(&mut verdict, one, denied);
        answer.error = answer.error.or(grant.error);
        let own = narrow(request, grant, config, acting);
        narrowed = match narrowed {
            None => Some(own),
            Some(other) => other.and(own).or_else(|| {
                faults.push(reason(code::CLAIMS_CONFLICT, "the parties' decisions give one claim different values"));
                Some(Narrowed::default())
            }),
        };
    }
    let narrowed = narrowed.unwrap_or_default();
    if !denied && faults.is_empty() {
        for (reason, _) in &wanted {
            if !faults.contains(reason) {
                faults.push(reason.clone());
            }
        }
        faults.extend(empty(request, &narrowed));
    }
    answer.refused = narrowed.refused;
    answer.cuts = narrowed.cuts;
    answer.allow = !denied && faults.is_empty();
    if answer.allow {
        answer.scopes = narrowed.scopes;
        answer.audience = narrowed.audience;
        answer.lifetime = narrowed.lifetime;
        answer.details = narrowed.details.into_iter().map(|kept| kept.entry).collect();
        answer.claims = narrowed.claims;
        answer.critical = narrowed.critical;
        answer.error = None;
        verdict.effect = Effect::Allow;
    } else {
        let own = if failed { Some("server_error") } else { answer.error };
        let wanted = wanted.first().map(|(_, error)| *error);
        let empty = faults.iter().find_map(|fault| error_of(&fault.code));
        answer.error = Some(own.or(wanted).or(empty).unwrap_or_else(|| refused(request)));
        verdict.effect = Effect::Deny;
        // What an allow was given for is no reason of a deny.
        if !denied {
            verdict.reasons = faults;
        }
        if verdict.reasons.is_empty() {
            verdict.reasons.push(reason(verdict_code::POLICY_DENIED, "the policy denied and gave no reason"));
        }
    }
    (dressed(verdict, &answer, config), answer)
}

/// Reads one verdict; what can't be read is a deny.
fn said(mut verdict: Verdict) -> Said {
    match grant::read(&verdict) {
        Ok(grant) => Said { verdict, grant },
        Err(fault) => {
            let revision = std::mem::take(&mut verdict.revision);
            let entry_point = verdict.entry_point.take();
            let deny = Verdict::deny_for(verdict_code::INVALID_DECISION, fault, None);
            Said { verdict: Verdict { revision, entry_point, ..deny }, grant: Grant::default() }
        }
    }
}

/// Adds what one party's verdict says to the one that is answered.
fn absorb(verdict: &mut Verdict, one: Verdict, denied: bool) {
    if one.is_allow() != denied {
        for reason in one.reasons {
            if !verdict.reasons.contains(&reason) {
                verdict.reasons.push(reason);
            }
        }
    }
    for obligation in one.obligations {
        if !verdict.obligations.contains(&obligation) {
            verdict.obligations.push(obligation);
        }
    }
    for scope in one.required_scopes {
        if !verdict.required_scopes.contains(&scope) {
            verdict.required_scopes.push(scope);
        }
    }
    for (name, value) in one.context {
        if verdict.context.get(&name).is_none() {
            verdict.context.insert(name, value);
        }
    }
    verdict.diagnostics.extend(one.diagnostics);
    verdict.revision = one.revision;
    verdict.entry_point = one.entry_point.or(verdict.entry_point.take());
}

/// Adds what one party's verdict demands.
fn demand(answer: &mut Answer, verdict: &Verdict, grant: &Grant) {
    if let Some(StepUp { acr_values, max_age }) = &verdict.step_up {
        let before = answer.step_up.take().unwrap_or_default();
        let both = common(&before.acr_values, acr_values);
        let max_age = [before.max_age, *max_age].into_iter().flatten().min();
        answer.step_up = Some(StepUp { acr_values: both, max_age });
    }
    for scope in &grant.consent {
        if !answer.consent.contains(scope) {
            answer.consent.push(scope.clone());
        }
    }
    if answer.approval.is_none() {
        answer.approval.clone_from(&grant.approval);
    }
    answer.sender_binding = common(&answer.sender_binding, &grant.sender_binding);
}

/// What satisfies two demands, as far as one list can say it: what is in both; with nothing in both, all of either.
fn common(one: &[String], other: &[String]) -> Vec<String> {
    let both: Vec<String> = one.iter().filter(|item| other.contains(item)).cloned().collect();
    if both.is_empty() { one.iter().chain(other).cloned().collect() } else { both }
}

/// What one party's verdict demands and is not there, with the OAuth error for it.
fn unmet(request: &Request, step_up: Option<&StepUp>, grant: &Grant, now: u64) -> Vec<(Reason, &'static str)> {
    let mut unmet = Vec::new();
    if let Some(StepUp { acr_values, max_age }) = step_up {
        let reached = request.authentication.acr.as_ref();
        let strong = acr_values.is_empty() || reached.is_some_and(|acr| acr_values.contains(acr));
        // A time that has not come, milliseconds among them, says nothing of an age.
        let time = request.authentication.auth_time.filter(|time| *time <= now.saturating_add(AHEAD));
        let age = time.map(|time| now.saturating_sub(time));
        let fresh = max_age.is_none_or(|most| age.is_some_and(|age| Duration::from_secs(age) <= most));
        if !strong || !fresh {
            let fault = if strong { "the authentication is too old" } else { "the authentication is too weak" };
            unmet.push((reason(code::STEP_UP, fault), "insufficient_user_authentication"));
        }
    }
    if let Some(scope) = grant.consent.iter().find(|scope| !request.consent.contains(scope)) {
        let fault = format!("the subject has not consented to `{scope}`");
        unmet.push((reason(code::CONSENT, fault), "consent_required"));
    }
    if grant.approval.is_some() {
        unmet.push((reason(code::APPROVAL, "somebody has to approve of it first"), "access_denied"));
    }
    let bound = |method: &String| match method.as_str() {
        "dpop" => request.binding.jkt.is_some(),
        _ => request.binding.x5t_s256.is_some(),
    };
    if !grant.sender_binding.is_empty() && !grant.sender_binding.iter().any(bound) {
        let error = if grant.sender_binding == ["dpop"] { "invalid_dpop_proof" } else { "invalid_request" };
        unmet.push((reason(code::SENDER_BINDING, "the token has to be bound to a key"), error));
    }
    unmet
}

/// What was asked for and has nothing left.
fn empty(request: &Request, narrowed: &Narrowed) -> Vec<Reason> {
    let mut faults = Vec::new();
    if !request.audience.is_empty() && narrowed.audience.is_empty() {
        faults.push(reason(code::NO_AUDIENCE, "none of the targets is granted"));
    }
    if !request.details.is_empty() && narrowed.details.is_empty() {
        faults.push(reason(code::NO_DETAILS, "none of the authorization details is granted"));
    }
    if !request.scopes.is_empty() && narrowed.scopes.is_empty() && narrowed.details.is_empty() {
        faults.push(reason(code::NO_SCOPE, "none of the scopes is granted"));
    }
    if narrowed.lifetime.is_zero() {
        faults.push(reason(code::NO_LIFETIME, "no time is granted"));
    }
    if let Some(name) = narrowed.critical.iter().find(|name| narrowed.claims.get(name).is_none()) {
        let name: String = name.chars().take(200).collect();
        faults.push(reason(code::CRITICAL_CLAIM, format!("the permit depends on the claim `{name}`, which was cut")));
    }
    faults
}

/// The OAuth error for a deny of ours.
fn error_of(code: &str) -> Option<&'static str> {
    match code {
        code::NO_AUDIENCE => Some("invalid_target"),
        code::NO_DETAILS => Some("invalid_authorization_details"),
        code::NO_SCOPE => Some("invalid_scope"),
        code::CLAIMS_CONFLICT | code::CRITICAL_CLAIM => Some("server_error"),
        _ => None,
    }
}

/// The OAuth error for what the policy denies without one: of a token exchange that of RFC 8693 §2.2.2.
fn refused(request: &Request) -> &'static str {
    if request.grant.is_exchange() { "invalid_request" } else { "access_denied" }
}

/// The verdict with the answer in it. It holds for this token alone, so no time to reuse it is told.
fn dressed(mut verdict: Verdict, answer: &Answer, config: &Config) -> Verdict {
    verdict.context.insert("issuance".to_owned(), answer.to_object().into());
    verdict.step_up.clone_from(&answer.step_up);
    verdict.ttl = None;
    verdict.entry_point.get_or_insert_with(|| Arc::from(config.policy.as_str()));
    verdict
}
