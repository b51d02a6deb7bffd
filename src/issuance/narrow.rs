//! One party's grant, cut to what was asked and to the ceilings.

use std::time::Duration;

use super::{
    answer::{Cut, Refusal, code},
    claims::{self, Cause},
    config::{Ceiling, Config},
    details::{self, Kept},
    grant::Grant,
    request::Request,
};
use crate::decision::{Object, Value};

/// What is left of a grant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Narrowed {
    pub(super) scopes: Vec<String>,
    pub(super) refused: Vec<Refusal>,
    pub(super) audience: Vec<String>,
    pub(super) lifetime: Duration,
    pub(super) details: Vec<Kept>,
    pub(super) claims: Object,
    pub(super) critical: Vec<String>,
    pub(super) cuts: Vec<Cut>,
}

/// The ceilings that a request is under, by the code of what they cut.
pub(super) fn ceilings<'a>(request: &Request, config: &'a Config, acting: bool) -> Vec<(&'static str, &'a Ceiling)> {
    let is_agent = acting || request.subject.kind == "agent" || request.actors().next().is_some();
    let is_workload = matches!(request.subject.kind.as_str(), "client" | "workload");
    let agent = is_agent.then_some((code::AGENT_CEILING, &config.agent));
    let workload = is_workload.then_some((code::WORKLOAD_CEILING, &config.workload));
    agent.into_iter().chain(workload).collect()
}

/// Cuts `grant` to `request` and to what the configuration lets any policy grant.
pub(super) fn narrow(request: &Request, grant: Grant, config: &Config, acting: bool) -> Narrowed {
    let ceilings = ceilings(request, config, acting);
    let mut narrowed = Narrowed::default();
    scopes(request, &grant, &ceilings, &mut narrowed);
    audience(request, &grant, &ceilings, &mut narrowed);
    lifetime(request, &grant, config, &ceilings, &mut narrowed);
    for given in &grant.details {
        let kept = details::keep(given, &request.details, &narrowed.audience);
        let kept = kept.and_then(|kept| within(kept, &ceilings, &mut narrowed));
        if kept.as_ref().is_none_or(|kept| kept.cut) {
            let kind = if let Some(Value::String(kind)) = given.get("type") { kind.as_str() } else { "" };
            narrowed.cut("authorization_details", kind, code::NOT_REQUESTED);
        }
        narrowed.details.extend(kept);
    }
    for (name, value) in grant.claims {
        match claims::cause(&name) {
            Some(Cause::Reserved) => narrowed.cut("claim", &name, code::RESERVED_CLAIM),
            Some(Cause::Lookalike) => narrowed.cut("claim", &name, code::LOOKALIKE_CLAIM),
            None => narrowed.claims.insert(name, value),
        }
    }
    narrowed.critical = grant.critical;
    narrowed
}

fn scopes(request: &Request, grant: &Grant, ceilings: &[(&'static str, &Ceiling)], narrowed: &mut Narrowed) {
    let registered = &request.client.registered_scopes;
    for scope in distinct(&request.scopes) {
        let mut refuse = |code, message: String| {
            narrowed.refused.push(Refusal { scope: scope.clone(), code, message });
        };
        if !grant.scopes.contains(scope) {
            let own = if let Some(Value::String(why)) = grant.refused.get(scope) { why.as_str() } else { "" };
            let why = if own.is_empty() { "the policy does not grant it" } else { own };
            refuse(code::NOT_GRANTED, why.to_owned());
        } else if !registered.is_empty() && !registered.contains(scope) {
            refuse(code::NOT_REGISTERED, "the client is not registered for it".to_owned());
            narrowed.cut("scope", scope, code::NOT_REGISTERED);
        } else if let Some((code, _)) = ceilings.iter().find(|(_, ceiling)| is_over(ceiling.scopes.as_ref(), scope)) {
            refuse(code, "a configured ceiling excludes it".to_owned());
            narrowed.cut("scope", scope, code);
        } else {
            narrowed.scopes.push(scope.clone());
        }
    }
    for scope in distinct(&grant.scopes).filter(|scope| !request.scopes.contains(scope)) {
        narrowed.cut("scope", scope, code::NOT_REQUESTED);
    }
}

fn audience(request: &Request, grant: &Grant, ceilings: &[(&'static str, &Ceiling)], narrowed: &mut Narrowed) {
    for target in distinct(&request.audience).filter(|target| grant.audience.contains(target)) {
        match ceilings.iter().find(|(_, ceiling)| is_over(ceiling.audience.as_ref(), target)) {
            Some((code, _)) => narrowed.cut("audience", target, code),
            None => narrowed.audience.push(target.clone()),
        }
    }
    for target in distinct(&grant.audience).filter(|target| !request.audience.contains(target)) {
        narrowed.cut("audience", target, code::NOT_REQUESTED);
    }
}

fn lifetime(
    request: &Request,
    grant: &Grant,
    config: &Config,
    ceilings: &[(&'static str, &Ceiling)],
    narrowed: &mut Narrowed,
) {
    let given = grant.lifetime.map(Duration::from_secs);
    let all = if request.token.is_refresh() { config.max_refresh_lifetime } else { config.max_lifetime };
    let bounds = ceilings.iter().map(|(code, ceiling)| (*code, ceiling.lifetime)).chain([(code::SERVER_CEILING, all)]);
    // Of those, the lowest.
    let (over, bound) = bounds.min_by_key(|(_, lifetime)| *lifetime).unwrap_or((code::SERVER_CEILING, all));
    let wanted = match (given, request.lifetime) {
        (Some(given), Some(asked)) if given > asked => {
            narrowed.cut("lifetime", &given.as_secs().to_string(), code::NOT_REQUESTED);
            Some(asked)
        }
        (given, asked) => given.or(asked),
    };
    narrowed.lifetime = match wanted {
        Some(wanted) if wanted > bound => {
            narrowed.cut("lifetime", &wanted.as_secs().to_string(), over);
            bound
        }
        Some(wanted) => wanted,
        None => bound,
    };
    // A whole number of seconds, and never more.
    narrowed.lifetime = Duration::from_secs(narrowed.lifetime.as_secs());
}

/// An entry without the locations that a ceiling excludes; `None` where it had no others.
fn within(mut kept: Kept, ceilings: &[(&'static str, &Ceiling)], narrowed: &mut Narrowed) -> Option<Kept> {
    let Some(Value::Array(locations)) = kept.entry.get(details::LOCATIONS) else { return Some(kept) };
    let mut left = Vec::new();
    for location in locations {
        let Value::String(text) = location else { return None };
        match ceilings.iter().find(|(_, ceiling)| is_over(ceiling.audience.as_ref(), text)) {
            Some((code, _)) => narrowed.cut("authorization_details", text, code),
            None => left.push(location.clone()),
        }
    }
    if left.is_empty() {
        return None;
    }
    kept.entry.insert(details::LOCATIONS.to_owned(), Value::Array(left));
    Some(kept)
}

fn is_over(ceiling: Option<&Vec<String>>, text: &String) -> bool {
    ceiling.is_some_and(|allowed| !allowed.contains(text))
}

/// Each text once, in order.
fn distinct(texts: &[String]) -> impl Iterator<Item = &String> {
    texts
        .iter()
        .enumerate()
        .filter_map(|(at, text)| (!texts.iter().take(at).any(|other| other == text)).then_some(text))
}

impl Narrowed {
    fn cut(&mut self, what: &'static str, value: &str, code: &'static str) {
        // What is shown of it: a policy can give anything.
        let value = value.chars().take(200).collect();
        let cut = Cut { what, value, code };
        if !self.cuts.contains(&cut) {
            self.cuts.push(cut);
        }
    }

    /// What both parties were granted. `None` where they give a claim different values.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        let mut both = Self { cuts: self.cuts, refused: self.refused, claims: self.claims, ..Self::default() };
        both.scopes = self.scopes.into_iter().filter(|scope| other.scopes.contains(scope)).collect();
        both.audience = self.audience.into_iter().filter(|target| other.audience.contains(target)).collect();
        both.lifetime = self.lifetime.min(other.lifetime);
        both.details = details::intersection(&self.details, &other.details);
        for cut in other.cuts {
            if !both.cuts.contains(&cut) {
                both.cuts.push(cut);
            }
        }
        for refusal in other.refused {
            if !both.refused.iter().any(|before| before.scope == refusal.scope) {
                both.refused.push(refusal);
            }
        }
        for (name, value) in other.claims {
            match both.claims.get(&name) {
                Some(before) if *before != value => return None,
                _ => both.claims.insert(name, value),
            }
        }
        both.critical = self.critical;
        both.critical.extend(other.critical);
        both.critical.sort();
        both.critical.dedup();
        Some(both)
    }
}
