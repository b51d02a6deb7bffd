//! One immutable set of policies and data, and its answers.

mod apart;
mod candidates;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use regorus::Value as Rego;

use self::apart::{Apart, Known};
use super::{
    budget::{Budget, Spent},
    compile::{self, Compiled, Options},
    contract::{self, InvalidDecision},
    engine::{Engine, Failure},
    explain::{self, Explainer, Redaction},
    fault::Faults,
    index::{Entry, Index, Package, RuleInfo},
    meter::{self, Limit, Place, Stop},
    pool::Pool,
    reasons::Reasons,
    rejection,
    text::Texts,
};
use crate::{
    bundle::Bundle,
    decision::{
        Digest, Effect, EntryPoint, Evaluator, Pending, PendingCandidates, Query, Reason, Revision, Searched,
        SourcePosition, Time, Verdict, code,
    },
};

/// The largest value of a rule that becomes an answer, in the meter's weight: 4 MiB of text, or 65,536 nodes.
const MAX_RESULT: Limit = Limit { weight: 1 << 16, depth: 1_000 };

/// The largest value that becomes an answer on a thread that serves others.
const MAX_RESULT_INLINE: Limit = Limit { weight: 1 << 13, depth: 128 };

/// Policies and data, compiled, with an evaluator for each thread that asks.
pub struct Snapshot {
    revision: Revision,
    evaluators: Pool<(Engine, Index, Known)>,
    apart: Apart,
    // For whoever asks about the snapshot; each evaluator has its own.
    index: Index,
    parts: Arc<Parts>,
    warnings: usize,
    modules: usize,
    bytes: usize,
}

/// What evaluators share, and an answer on the usual way does not write to.
struct Parts {
    // For the places of errors.
    texts: Arc<Texts>,
    explainer: Explainer,
    reasons: Reasons,
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
        // One more, for the questions that take long.
        let evaluators = options.evaluators.max(1).saturating_add(1);
        let Compiled { mut engines, index, texts, warnings } =
            compile::compile(bundle, Options { evaluators, ..options })?;
        let Some((engine, own_index)) = engines.pop() else { return Err(Faults(Vec::new())) };
        let explainer = Explainer::new(Arc::clone(&texts), options);
        let parts = Arc::new(Parts { reasons: Reasons::new(&texts), explainer, texts });
        let snapshot = Self {
            apart: Apart::new(engine, own_index, Arc::clone(&parts), bundle),
            revision: Revision { sequence, digest: bundle.digest },
            index,
            parts,
            warnings: warnings.len(),
            modules: bundle.modules.len(),
            bytes: bundle.size(),
            evaluators: Pool::new(engines.into_iter().map(|(engine, index)| (engine, index, Known::default()))),
        };
        let packages = snapshot.index.entry_points();
        let names = packages.iter().map(String::as_str).chain(snapshot.index.rules().map(|rule| &*rule.name));
        snapshot.apart.try_out(names.filter_map(|name| name.parse().ok()).collect());
        Ok(snapshot)
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

    /// Hides these values in explanations, instead of those that are hidden by default.
    pub fn redact(&self, redaction: Redaction) {
        self.parts.explainer.redact(redaction);
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

    fn attempt(&self, query: &Query, entry: &EntryPoint, time: Time) -> Option<Verdict> {
        let Some(mut loan) = self.evaluators.take(time.patience) else {
            return Some(Spent::Queue.deny("no evaluator was free within the time granted", None));
        };
        let Some((engine, index, known)) = loan.get() else {
            return Some(Verdict::deny_for(code::INTERNAL_ERROR, "an evaluator is missing", None));
        };
        // What does not exist takes no time.
        if index.entry(entry).is_some() && self.apart.takes(query, entry, known) {
            return None;
        }
        engine.put(Place::Inline);
        let budget = Budget::slice(time.budget.min(time.patience));
        let put = Put { index, parts: &self.parts, query, entry, granted: time.budget, settled: None };
        put.to(engine, budget).map_or_else(
            |Unanswered { late }| {
                if late {
                    self.apart.distrust(entry);
                }
                None
            },
            Some,
        )
    }

    fn isolate(&self, query: Query, entry: &EntryPoint, time: Time) -> Pending {
        self.apart.ask(query, entry, time)
    }

    fn candidates(&self, query: Query, searched: Searched, entry: &EntryPoint, time: Time) -> PendingCandidates {
        self.named(query, searched, entry, time)
    }
}

/// A question that has no answer yet, and must be put again elsewhere.
struct Unanswered {
    /// Whether it held its thread for much longer than it may.
    late: bool,
}

/// A question that is put to an evaluator.
#[derive(Clone, Copy)]
struct Put<'a> {
    index: &'a Index,
    parts: &'a Parts,
    query: &'a Query,
    entry: &'a EntryPoint,
    granted: Duration,
    /// Where the verdict goes before it is explained.
    settled: Option<&'a OnceLock<Verdict>>,
}

impl Put<'_> {
    /// The answer. Whatever the evaluator panics on is a deny.
    fn to(self, engine: &mut Engine, budget: Budget) -> Result<Verdict, Unanswered> {
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let verdict = self.verdict(engine, budget);
            for line in engine.take_prints() {
                // As a quoted value: a policy that prints its input must not be able to forge lines of the log.
                tracing::debug!(target: "verdict::print", printed = ?line);
            }
            verdict
        }));
        answer.unwrap_or_else(|_| {
            engine.reset();
            let message = format!("evaluation of `{}` panicked; the log names the place", self.entry);
            Ok(Verdict::deny_for(code::INTERNAL_ERROR, message, None))
        })
    }

    fn verdict(self, engine: &mut Engine, budget: Budget) -> Result<Verdict, Unanswered> {
        let Self { index, parts, query, entry, granted, settled } = self;
        let Parts { texts, explainer, reasons } = parts;
        let Some(found) = index.entry(entry) else {
            let message = format!("`{entry}` is no rule, and no package with a rule `decision` or `allow`");
            return Ok(contract::no_decision(message));
        };
        engine.ask(query);
        let mut asked = Asked { engine, index, texts, reasons, granted, budget, unanswered: None };
        let mut verdict = match found {
            Entry::Rule(rule) => asked.rule(rule),
            Entry::Package(package) => asked.package(package),
        };
        if let Some(unanswered) = asked.unanswered {
            return Err(unanswered);
        }
        verdict.entry_point = Some(match found {
            Entry::Rule(rule) => Arc::clone(&rule.name),
            Entry::Package(package) => Arc::clone(&package.name),
        });
        if query.explain {
            if let Some(settled) = settled {
                let _ = settled.set(verdict.clone());
            }
            let left = asked.budget;
            let asked = explain::Asked { query, entry, effect: verdict.effect };
            verdict.explanation = Some(Box::new(explainer.explain(engine, index, &asked, left)));
        }
        Ok(verdict)
    }
}

/// A question being put to the rules of an entry point.
struct Asked<'a> {
    engine: &'a mut Engine,
    index: &'a Index,
    texts: &'a Texts,
    reasons: &'a Reasons,
    granted: Duration,
    budget: Budget,
    // Set where it must be put again elsewhere; the verdict is then none.
    unanswered: Option<Unanswered>,
}

impl Asked<'_> {
    fn rule(&mut self, rule: &Arc<RuleInfo>) -> Verdict {
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

    fn value(&mut self, rule: &RuleInfo) -> Result<Rego, Box<Verdict>> {
        let position = || Some(rule.position.clone());
        let failure = match self.engine.rule(&rule.name, &mut self.budget) {
            Ok(value) => return self.small(value, rule),
            Err(failure) => failure,
        };
        Err(Box::new(match failure {
            Failure::Budget => match self.engine.stop() {
                Some(Stop::Spent(spent, cause)) => spent.deny(format!("`{}`: {cause}", rule.name), position()),
                _ if self.engine.place() == Place::Inline => {
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
        let inline = self.engine.place() == Place::Inline;
        let Err(spent) = meter::weigh(&value, if inline { MAX_RESULT_INLINE } else { MAX_RESULT }) else {
            return Ok(value);
        };
        if inline {
            self.unanswered = Some(Unanswered { late: false });
            return Err(Box::default());
        }
        let spent = if spent == Spent::Stack { spent } else { Spent::ResultSize };
        let message = format!("the value of `{}` is too large for an answer", rule.name);
        Err(Box::new(spent.deny(message, Some(rule.position.clone()))))
    }

    /// Gives a deny the reasons that METADATA gives to the rules for which it is one.
    fn annotated(&mut self, verdict: &mut Verdict, rule: &RuleInfo) {
        let Self { engine, reasons, budget, .. } = self;
        let found = reasons.of_deny(&rule.parts, &mut |name| engine.rule(name, budget).ok());
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
    let position: SourcePosition = rule.position.clone();
    Box::new(Verdict::deny_for(code::INVALID_DECISION, format!("`{}`: {}", rule.name, error.0), Some(position)))
}
