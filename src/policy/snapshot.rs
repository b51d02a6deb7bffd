//! One immutable set of policies and data, and its answers.

mod ad_hoc;
mod apart;
mod asked;
mod candidates;
mod document;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use self::{
    apart::{Apart, Known},
    asked::Asked,
};
use super::{
    budget::{Budget, Spent},
    builtins,
    compile::{self, Compiled, Options},
    contract,
    documents::Documents,
    engine::Engine,
    explain::{self, Explainer, Redaction},
    fault::Faults,
    index::{Entry, Index},
    meter::Place,
    pool::Pool,
    reasons::Reasons,
    text::Texts,
};
use crate::{
    bundle::Bundle,
    decision::{
        AdHoc, Asks, Digest, EntryPoint, Evaluator, Pending, PendingAnswer, PendingCandidates, Query, Revision,
        Searched, Time, Verdict, code,
    },
};

/// Policies and data, compiled, with an evaluator for each thread that asks.
pub struct Snapshot {
    revision: Revision,
    // None in one that is only retained.
    evaluators: Evaluators,
    apart: Apart,
    // For whoever asks about the snapshot; each evaluator has its own.
    index: Arc<Index>,
    parts: Arc<Parts>,
    documents: Documents,
    options: Options,
    warnings: usize,
    modules: usize,
    bytes: usize,
}

type Evaluators = Pool<(Engine, Index, Known)>;

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
        Self::compile_sharing(bundle, sequence, options, &[])
    }

    /// The same. Data documents that are among those of `before` are neither read nor held again.
    pub fn compile_sharing(
        bundle: &Bundle,
        sequence: u64,
        options: Options,
        before: &[Documents],
    ) -> Result<Self, Faults> {
        // One more, for the questions that take long.
        let evaluators = options.evaluators.max(1).saturating_add(1);
        let Compiled { engines, index, texts, documents, warnings } =
            compile::compile(bundle, Options { evaluators, ..options }, before)?;
        let mut engines = engines.into_iter();
        // The first shares the data with `documents`; it is what a snapshot that is only retained keeps.
        let Some((engine, own_index)) = engines.next() else { return Err(Faults(Vec::new())) };
        let explainer = Explainer::new(Arc::clone(&texts), options);
        let parts = Arc::new(Parts { reasons: Reasons::new(&texts), explainer, texts });
        let snapshot = Self {
            apart: Apart::new(engine, own_index, Arc::clone(&parts), bundle),
            revision: Revision { sequence, digest: bundle.digest, bundles: bundle.bundles.clone() },
            index: Arc::new(index),
            parts,
            documents,
            options,
            warnings: warnings.len(),
            modules: bundle.modules.len(),
            bytes: bundle.size(),
            evaluators: pool(engines),
        };
        let packages = snapshot.index.entry_points();
        let names = packages.iter().map(String::as_str).chain(snapshot.index.rules().map(|rule| &*rule.name));
        snapshot.apart.try_out(names.filter_map(|name| name.parse().ok()).collect());
        Ok(snapshot)
    }

    /// The same with another sequence number, before it is published.
    #[must_use]
    pub fn numbered(mut self, sequence: u64) -> Self {
        self.revision.sequence = sequence;
        self
    }

    /// The same snapshot with evaluators that share nothing.
    fn unshared(&self) -> Result<Self, Faults> {
        let engines = compile::again(&self.parts.texts, &self.apart.data(), self.bytes, self.options)?;
        Ok(self.with(pool(engines)))
    }

    /// The data documents, for [`Self::compile_sharing`].
    #[must_use]
    pub fn documents(&self) -> Documents {
        self.documents.clone()
    }

    fn with(&self, evaluators: Evaluators) -> Self {
        let Self { revision, evaluators: _, apart, index, parts, documents, options, warnings, modules, bytes } = self;
        Self {
            revision: revision.clone(),
            evaluators,
            apart: apart.clone(),
            index: Arc::clone(index),
            parts: Arc::clone(parts),
            documents: documents.clone(),
            options: *options,
            warnings: *warnings,
            modules: *modules,
            bytes: *bytes,
        }
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
    fn defines(&self, entry: &EntryPoint) -> bool {
        self.index.around(entry.parts()).next().is_some()
    }

    fn revision(&self) -> &Revision {
        &self.revision
    }

    fn entry_points(&self) -> Vec<String> {
        self.index.entry_points()
    }

    fn resting(&self) -> Option<Arc<dyn Evaluator>> {
        (!self.evaluators.is_empty()).then(|| Arc::new(self.with(pool([]))) as Arc<dyn Evaluator>)
    }

    fn awake(&self) -> Option<Arc<dyn Evaluator>> {
        let forks = || (0..self.options.evaluators.max(1)).map(|_| (self.apart.fork(), Index::clone(&self.index)));
        self.evaluators.is_empty().then(|| Arc::new(self.with(pool(forks()))) as Arc<dyn Evaluator>)
    }

    fn rebuilt(&self) -> Option<Arc<dyn Evaluator>> {
        self.unshared().ok().map(|rebuilt| Arc::new(rebuilt) as Arc<dyn Evaluator>)
    }

    fn attempt(&self, query: &Query, entry: &EntryPoint, time: Time) -> Option<Verdict> {
        if self.evaluators.is_empty() {
            return None;
        }
        let Some(mut loan) = self.evaluators.take(time.patience) else {
            return Some(Spent::Queue.deny("no evaluator was free within the time granted", None));
        };
        let Some((engine, index, known)) = loan.get() else {
            return Some(Verdict::deny_for(code::INTERNAL_ERROR, "an evaluator is missing", None));
        };
        let found = index.entry(entry);
        match (query.asks, found) {
            // What does not exist takes no time.
            (Asks::Verdict, None) => {}
            // Only rules are tried out, and what decides for a package.
            (Asks::Document, found) if !matches!(found, Some(Entry::Rule(rule)) if rule.parts == entry.parts()) => {
                return None;
            }
            _ if self.apart.takes(query, entry, known) => return None,
            _ => {}
        }
        engine.put(Place::Inline);
        let budget = Budget::slice(time.budget, time.patience);
        let (parts, granted, most) = (&self.parts, time.budget, self.apart.large());
        let put = Put { index, parts, query, entry, found, granted, most, moves: true, settled: None };
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

    fn ad_hoc(&self, query: AdHoc, time: Time) -> PendingAnswer {
        self.apart.ad_hoc(query, self.options, time)
    }

    fn policies(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.parts.texts.iter().map(|(path, text)| (Arc::clone(path), Arc::clone(&text.written))).collect()
    }

    fn isolate(&self, query: Query, entry: &EntryPoint, time: Time) -> Pending {
        self.apart.ask(query, entry, time)
    }

    fn candidates(&self, query: Query, searched: Searched, entry: &EntryPoint, time: Time) -> PendingCandidates {
        self.named(query, searched, entry, time)
    }
}

fn pool(engines: impl IntoIterator<Item = (Engine, Index)>) -> Evaluators {
    Pool::new(engines.into_iter().map(|(engine, index)| (engine, index, Known::default())))
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
    /// What `index` has there.
    found: Option<Entry<'a>>,
    granted: Duration,
    /// The most that the question may weigh to be answered here.
    most: usize,
    /// Whether it is put again elsewhere where the budget is too short.
    moves: bool,
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
        let Self { index, parts, query, entry, found, granted, most, moves, settled } = self;
        let Parts { texts, explainer, reasons } = parts;
        if query.asks == Asks::Verdict && found.is_none() {
            let message = format!("`{entry}` is no rule, and no package with a rule `decision` or `allow`");
            return Ok(contract::no_decision(message));
        }
        if !engine.ask(query, most) {
            return Err(Unanswered { late: false });
        }
        let _whole = builtins::Query::begin_at(query.time);
        let mut asked = Asked { engine, index, texts, reasons, granted, budget, moves, unanswered: None };
        let mut verdict = match (query.asks, &found) {
            (Asks::Document, _) | (_, None) => asked.document(entry),
            (Asks::Verdict, Some(Entry::Rule(rule))) => asked.rule(rule),
            (Asks::Verdict, Some(Entry::Package(package))) => asked.package(package),
        };
        if let Some(unanswered) = asked.unanswered {
            return Err(unanswered);
        }
        verdict.entry_point = match (query.asks, &found) {
            (Asks::Document, _) | (_, None) => index.known(entry),
            (Asks::Verdict, Some(Entry::Rule(rule))) => Some(Arc::clone(&rule.name)),
            (Asks::Verdict, Some(Entry::Package(package))) => Some(Arc::clone(&package.name)),
        };
        if query.explain {
            if let Some(settled) = settled {
                let _ = settled.set(verdict.clone());
            }
            // The hosts that were asked for the answer are not asked for its explanation.
            builtins::ask_no_more();
            let left = asked.budget;
            let asked = explain::Asked { query, entry, effect: verdict.effect };
            verdict.explanation = Some(Box::new(explainer.explain(engine, index, &asked, left)));
        }
        Ok(verdict)
    }
}
