//! One question, put to the rules of an entry point.

use std::{sync::Arc, time::Duration};

use regorus::Value as Rego;

use super::Unanswered;
use crate::{
    decision::{Effect, Reason, SourcePosition, Verdict, code},
    policy::{
        budget::{Budget, Spent},
        contract::{self, InvalidDecision},
        engine::{Engine, Failure},
        index::{Index, Package, RuleInfo},
        meter::{self, Limit, Place, Stop},
        reasons::Reasons,
        rejection,
        text::Texts,
    },
};

/// The largest value of a rule that becomes an answer, in the meter's weight: 4 MiB of text, or 65,536 nodes.
pub(super) const MAX_RESULT: Limit = Limit { weight: 1 << 16, depth: 1_000 };

/// The largest value that becomes an answer on a thread that serves others.
pub(super) const MAX_RESULT_INLINE: Limit = Limit { weight: 1 << 13, depth: 128 };

/// A question being put to the rules of an entry point.
pub(super) struct Asked<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) index: &'a Index,
    pub(super) texts: &'a Texts,
    pub(super) reasons: &'a Reasons,
    pub(super) granted: Duration,
    pub(super) budget: Budget,
    /// Whether it is put again elsewhere where the budget is too short.
    pub(super) moves: bool,
    // Set where it must be put again elsewhere; the verdict is then none.
    pub(super) unanswered: Option<Unanswered>,
}

impl Asked<'_> {
    pub(super) fn rule(&mut self, rule: &Arc<RuleInfo>) -> Verdict {
        let decided =
            self.value(rule).and_then(|value| contract::verdict(&value).map_err(|error| invalid(rule, &error)));
        let mut verdict = decided.unwrap_or_else(|verdict| *verdict);
        if verdict.effect == Effect::Deny && gives_none(&verdict) {
            self.annotated(&mut verdict, rule);
        }
        if verdict.effect == Effect::Deny && verdict.reasons.is_empty() {
            let message = format!("`{}` is false and gives no reason", rule.name);
            verdict.reasons.push(Reason::new(code::POLICY_DENIED, message));
        }
        self.place(&mut verdict.reasons, rule);
        verdict
    }

    /// A package without `decision`: `allow`, `deny`, `reasons` and the other members as rules. Deny overrides.
    pub(super) fn package(&mut self, package: &Package) -> Verdict {
        self.members(package).unwrap_or_else(|verdict| *verdict)
    }

    fn members(&mut self, package: &Package) -> Result<Verdict, Box<Verdict>> {
        let rule = |name: &str| package.rules.get(name);
        let Some(allow_rule) = rule("allow") else {
            return Err(Box::new(contract::no_decision(format!("`{}` has no rule `allow`", package.name))));
        };
        let value = self.value(allow_rule)?;
        let allow = contract::allow(&value).map_err(|error| invalid(allow_rule, &error))?;
        let mut verdict = match allow {
            Some(true) => Verdict { effect: Effect::Allow, ..Verdict::default() },
            Some(false) => Verdict::default(),
            None => contract::no_decision(format!("`{}` has no value for this question", allow_rule.name)),
        };
        if let Some(deny_rule) = rule("deny") {
            let value = self.value(deny_rule)?;
            if let Some(mut reasons) = contract::deny(&value).map_err(|error| invalid(deny_rule, &error))? {
                self.reasons.complete(&mut reasons, deny_rule);
                if reasons.is_empty() {
                    reasons.push(Reason::new(code::POLICY_DENIED, format!("`{}` is true", deny_rule.name)));
                }
                self.place(&mut reasons, deny_rule);
                // The policy's own words say more than "no value".
                verdict = Verdict { reasons, ..Verdict::default() };
            }
        }
        for name in contract::MEMBERS {
            if let Some(member_rule) = rule(name) {
                let value = self.value(member_rule)?;
                let known = verdict.reasons.len();
                contract::member(&mut verdict, name, &value).map_err(|error| invalid(member_rule, &error))?;
                self.place(verdict.reasons.get_mut(known..).unwrap_or_default(), member_rule);
            }
        }
        if verdict.effect == Effect::Deny && gives_none(&verdict) {
            self.annotated(&mut verdict, allow_rule);
        }
        if verdict.effect == Effect::Deny && verdict.reasons.is_empty() {
            verdict.reasons.push(Reason::new(code::POLICY_DENIED, format!("`{}` is false", allow_rule.name)));
        }
        self.place(&mut verdict.reasons, allow_rule);
        Ok(verdict)
    }

    pub(super) fn value(&mut self, rule: &RuleInfo) -> Result<Rego, Box<Verdict>> {
        let position = || Some(rule.position.clone());
        let failure = match self.engine.rule(&rule.name, &mut self.budget) {
            Ok(value) => return self.small(value, rule),
            Err(failure) => failure,
        };
        Err(Box::new(match failure {
            Failure::Budget => match self.engine.stop() {
                Some(Stop::Spent(spent, cause)) => spent.deny(format!("`{}`: {cause}", rule.name), position()),
                _ if self.moves => {
                    self.unanswered = Some(Unanswered { late: self.budget.is_late() });
                    Verdict::default()
                }
                _ => {
                    let message = format!("`{}` took longer than the {:?} that it may", rule.name, self.granted);
                    Spent::WallClock.deny(message, position())
                }
            },
            Failure::Error(error) => {
                let fault = self.texts.relocated(rejection::fault_of(&error, code::EVALUATION_ERROR, self.texts));
                let message = format!("`{}`: {}", rule.name, fault.cause);
                Verdict::deny_for(code::EVALUATION_ERROR, message, fault.position.or(position()))
            }
        }))
    }

    /// The value, if it is not too large for an answer.
    fn small(&mut self, value: Rego, rule: &RuleInfo) -> Result<Rego, Box<Verdict>> {
        self.fitting(value, &rule.name, || Some(rule.position.clone()))
    }

    pub(super) fn fitting(
        &mut self,
        value: Rego,
        name: &str,
        position: impl FnOnce() -> Option<SourcePosition>,
    ) -> Result<Rego, Box<Verdict>> {
        let inline = self.engine.place() == Place::Inline;
        let Err(spent) = meter::weigh(&value, if inline { MAX_RESULT_INLINE } else { MAX_RESULT }) else {
            return Ok(value);
        };
        if inline {
            self.unanswered = Some(Unanswered { late: false });
            return Err(Box::default());
        }
        let spent = if spent == Spent::Stack { spent } else { Spent::ResultSize };
        let message = format!("the value of `{name}` is too large for an answer");
        Err(Box::new(spent.deny(message, position())))
    }

    /// Gives a deny the reasons that METADATA gives to the rules for which it is one. Where they are not
    /// found in time, and the question has more elsewhere, it is put again there: a deny is not to lack its reasons for that.
    fn annotated(&mut self, verdict: &mut Verdict, rule: &RuleInfo) {
        let Self { engine, reasons, budget, moves, unanswered, .. } = self;
        let found = reasons.of_deny(&rule.parts, &mut |name| {
            let value = engine.rule(name, budget);
            let is_late = matches!(value, Err(Failure::Budget)) && !matches!(engine.stop(), Some(Stop::Spent(..)));
            if is_late && *moves {
                *unanswered = Some(Unanswered { late: budget.is_late() });
            }
            value.ok()
        });
        if !found.is_empty() {
            verdict.reasons = found;
        }
    }

    /// Says of each reason that does not say it yet which rule gave it.
    fn place(&self, reasons: &mut [Reason], asked: &Arc<RuleInfo>) {
        for reason in reasons.iter_mut().filter(|reason| reason.rule.is_none()) {
            let (rule, position) = self.index.origin(&reason.code, asked);
            reason.rule = Some(rule);
            if reason.position.is_none() {
                reason.position = position;
            }
        }
    }
}

/// Whether the policy gave a deny no reason of its own.
fn gives_none(verdict: &Verdict) -> bool {
    verdict.reasons.iter().all(|reason| reason.code == code::NO_DECISION)
}

fn invalid(rule: &RuleInfo, error: &InvalidDecision) -> Box<Verdict> {
    Box::new(invalid_value(&rule.name, error, Some(rule.position.clone())))
}

/// The deny for a value that is no decision.
pub(super) fn invalid_value(name: &str, error: &InvalidDecision, position: Option<SourcePosition>) -> Verdict {
    Verdict::deny_for(code::INVALID_DECISION, format!("`{name}`: {}", error.0), position)
}
