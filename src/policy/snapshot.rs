//! One immutable set of policies and data, and its answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use regorus::Value as Rego;

use super::{
    budget::Budget,
    compile::{self, Compiled, Options},
    contract::{self, InvalidDecision},
    engine::{Engine, Failure},
    explain,
    fault::Faults,
    index::{Entry, Index, Package, RuleInfo},
    pool::Pool,
    rejection,
    text::Texts,
};
use crate::{
    bundle::Bundle,
    decision::{Digest, Effect, EntryPoint, Evaluator, Query, Reason, Revision, SourcePosition, Time, Verdict, code},
};

/// Policies and data, compiled, with an evaluator for each thread that asks.
pub struct Snapshot {
    revision: Revision,
    evaluators: Pool<(Engine, Index)>,
    // For whoever asks about the snapshot; each evaluator has its own.
    index: Index,
    // For the places of errors.
    texts: Arc<Texts>,
    warnings: usize,
    modules: usize,
    bytes: usize,
}

/// How large a snapshot is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Policy files.
    pub modules: usize,
    /// Rules that can be asked.
    pub rules: usize,
    /// Bytes of policies and data, as text.
    pub bytes: usize,
}

impl Snapshot {
    /// Compiles `bundle` into the snapshot with that sequence number, or says everything that is wrong with it.
    pub fn compile(bundle: &Bundle, sequence: u64, options: Options) -> Result<Self, Faults> {
        let Compiled { engines, index, texts, warnings } = compile::compile(bundle, options)?;
        Ok(Self {
            revision: Revision { sequence, digest: bundle.digest },
            index,
            texts,
            warnings: warnings.len(),
            modules: bundle.modules.len(),
            bytes: bundle.size(),
            evaluators: Pool::new(engines),
        })
    }

    /// How many warnings the static gate has for it; `verdict lint` shows them.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// What its content hashes to.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.revision.digest
    }

    /// The packages that can be asked, in order.
    #[must_use]
    pub fn entry_points(&self) -> Vec<String> {
        self.index.entry_points()
    }

    /// Whether `entry` names a rule, or a package that can decide.
    #[must_use]
    pub fn has_entry(&self, entry: &EntryPoint) -> bool {
        self.index.entry(entry).is_some()
    }

    /// How large it is.
    #[must_use]
    pub fn size(&self) -> Size {
        Size { modules: self.modules, rules: self.index.rules().count(), bytes: self.bytes }
    }
}

impl Evaluator for Snapshot {
    fn revision(&self) -> Revision {
        self.revision
    }

    fn evaluate(&self, query: &Query, entry: &EntryPoint, time: Time) -> Verdict {
        let Some(mut loan) = self.evaluators.take(time.patience) else {
            return Verdict::deny_for(code::BUDGET_EXCEEDED, "no evaluator was free within the time granted", None);
        };
        let Some((engine, index)) = loan.get() else {
            return Verdict::deny_for(code::INTERNAL_ERROR, "an evaluator is missing", None);
        };
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let verdict = answer(engine, index, &self.texts, query, entry, time);
            for line in engine.take_prints() {
                // As a quoted value: a policy that prints its input must not be able to forge lines of the log.
                tracing::debug!(target: "verdict::print", printed = ?line);
            }
            verdict
        }));
        answer.unwrap_or_else(|_| {
            engine.reset();
            let message = format!("evaluation of `{entry}` panicked; the log names the place");
            Verdict::deny_for(code::INTERNAL_ERROR, message, None)
        })
    }
}

fn answer(engine: &mut Engine, index: &Index, texts: &Texts, query: &Query, entry: &EntryPoint, time: Time) -> Verdict {
    let Time { budget: granted, patience } = time;
    let budget = Budget::new(granted, patience);
    let Some(found) = index.entry(entry) else {
        let message = format!("`{entry}` is no rule, and no package with a rule `decision` or `allow`");
        return contract::no_decision(message);
    };
    engine.ask(query);
    let mut asked = Asked { engine, index, texts, granted, budget };
    let mut verdict = match found {
        Entry::Rule(rule) => asked.rule(rule),
        Entry::Package(package) => asked.package(package),
    };
    verdict.entry_point = Some(match found {
        Entry::Rule(rule) => Arc::clone(&rule.name),
        Entry::Package(package) => Arc::clone(&package.name),
    });
    if query.explain {
        let left = asked.budget;
        verdict.explanation = Some(explain::explain(engine, index, entry, left));
    }
    verdict
}

/// A question being put to the rules of an entry point.
struct Asked<'a> {
    engine: &'a mut Engine,
    index: &'a Index,
    texts: &'a Texts,
    granted: Duration,
    budget: Budget,
}

impl Asked<'_> {
    fn rule(&mut self, rule: &Arc<RuleInfo>) -> Verdict {
        let decided =
            self.value(rule).and_then(|value| contract::verdict(&value).map_err(|error| invalid(rule, &error)));
        let mut verdict = decided.unwrap_or_else(|verdict| *verdict);
        if verdict.effect == Effect::Deny && verdict.reasons.is_empty() {
            let message = format!("`{}` is false and gives no reason", rule.name);
            verdict.reasons.push(Reason::new(code::POLICY_DENIED, message));
        }
        self.place(&mut verdict.reasons, rule);
        verdict
    }

    /// A package without `decision`: `allow`, `deny`, `reasons` and the other members as rules. Deny overrides.
    fn package(&mut self, package: &Package) -> Verdict {
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
        if verdict.effect == Effect::Deny && verdict.reasons.is_empty() {
            verdict.reasons.push(Reason::new(code::POLICY_DENIED, format!("`{}` is false", allow_rule.name)));
        }
        self.place(&mut verdict.reasons, allow_rule);
        Ok(verdict)
    }

    fn value(&mut self, rule: &RuleInfo) -> Result<Rego, Box<Verdict>> {
        self.engine.rule(&rule.name, &mut self.budget).map_err(|failure| {
            Box::new(match failure {
                Failure::Budget => {
                    let message = format!("`{}` took longer than the {:?} that it may", rule.name, self.granted);
                    Verdict::deny_for(code::BUDGET_EXCEEDED, message, Some(rule.position.clone()))
                }
                Failure::Error(error) => {
                    let fault = self.texts.relocated(rejection::fault_of(&error, code::EVALUATION_ERROR, self.texts));
                    let message = format!("`{}`: {}", rule.name, fault.cause);
                    Verdict::deny_for(code::EVALUATION_ERROR, message, fault.position.or(Some(rule.position.clone())))
                }
            })
        })
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

fn invalid(rule: &RuleInfo, error: &InvalidDecision) -> Box<Verdict> {
    let position: SourcePosition = rule.position.clone();
    Box::new(Verdict::deny_for(code::INVALID_DECISION, format!("`{}`: {}", rule.name, error.0), Some(position)))
}
