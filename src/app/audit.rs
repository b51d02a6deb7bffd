//! The decision log's parts put together: policies that are asked about records, verdicts that wait for theirs, and the
//! threads that do the work.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::executor::block_on;
use tokio::task::JoinSet;

use super::{measured::Measured, state::State};
use crate::{
    api::{
        caller::{self, Caller},
        settle::{Decided, DoorName, Kept, SearchEnded, Settled},
    },
    audit::{self, Decision, Delivery, Identity, Log, OpenError, Recorded, Rule, Rules, Ruling, Traces},
    call::{self, Call, Peer, SpanName},
    clock,
    decision::{Asks, At, Decider, Input, Query, Value, Verdict, code},
    telemetry::spans::{Delivering, Spans},
};

/// The log, and its threads.
type Opened = (Option<Arc<Log>>, JoinSet<&'static str>);

/// How long a rule about one record may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Snapshots of which it is known what they say of records.
const KNOWN: usize = 64;

/// Asks the policies about records, on the snapshot that the decision was made on.
struct Asked {
    decider: Arc<Decider>,
    /// By sequence, and whether it is about `mask`.
    known: Mutex<BTreeMap<(u64, bool), Says>>,
    /// The last sequence of which it was found that no rule says anything; 0 for none.
    silent: AtomicU64,
}

/// What a snapshot says of records.
#[derive(Clone)]
enum Says {
    /// The same of all.
    Always(Ruling),
    /// It must be asked of each.
    Ask,
}

/// Follows deliveries in the traces of what they deliver.
struct Followed(Spans);

struct Followable(Delivering);

impl Traces for Followed {
    fn delivery(&self, sink: &str, spans: &[SpanName]) -> Option<Box<dyn Delivery>> {
        Some(Box::new(Followable(self.0.delivery(sink, spans)?)))
    }
}

impl Delivery for Followable {
    fn headers(&self) -> &[(String, String)] {
        self.0.headers()
    }

    fn end(self: Box<Self>, taken: bool) {
        self.0.end(taken);
    }
}

impl Rules for Asked {
    fn any(&self, sequence: u64, rule: Rule) -> bool {
        !matches!(self.says(sequence, rule), Says::Always(Ruling::Undefined))
    }

    fn is_silent(&self, sequence: u64) -> bool {
        sequence != 0 && self.silent.load(Relaxed) == sequence
    }

    fn ask(&self, sequence: u64, rule: Rule, event: Value) -> Ruling {
        match self.says(sequence, rule) {
            Says::Always(ruling) => ruling,
            Says::Ask => self.evaluate(sequence, rule, Input::Document(event)),
        }
    }
}

impl Asked {
    fn says(&self, sequence: u64, rule: Rule) -> Says {
        let key = (sequence, rule == Rule::Mask);
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(says) = known.get(&key) {
                self.note(&known, sequence);
                return says.clone();
            }
        }
        let Ok(pinned) = block_on(self.decider.pin_at(&At::Revision(sequence))) else { return Says::Ask };
        let says = if pinned.defines(&rule.entry_point()) {
            Says::Ask
        } else {
            // Base data is the same for every record.
            Says::Always(self.evaluate(sequence, rule, Input::Undefined))
        };
        if matches!(says, Says::Always(Ruling::Failed(_))) {
            return Says::Ask;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, says.clone());
        while known.len() > KNOWN {
            known.pop_first();
        }
        self.note(&known, sequence);
        says
    }

    /// Remembers the sequence if neither rule says anything of it.
    fn note(&self, known: &BTreeMap<(u64, bool), Says>, sequence: u64) {
        let nothing = |mask| matches!(known.get(&(sequence, mask)), Some(Says::Always(Ruling::Undefined)));
        if nothing(false) && nothing(true) {
            self.silent.store(sequence, Relaxed);
        }
    }

    fn evaluate(&self, sequence: u64, rule: Rule, input: Input) -> Ruling {
        let Ok(pinned) = block_on(self.decider.pin_at(&At::Revision(sequence))) else {
            return Ruling::Failed("the snapshot of the decision is no longer retained".to_owned());
        };
        let query = Query { policy: Some(rule.entry_point()), input, asks: Asks::Document, ..Query::default() };
        let Verdict { value, reasons, diagnostics, .. } = block_on(pinned.decide_own(&query, PATIENCE));
        match value {
            Some(value) => Ruling::Value(*value),
            None if reasons.iter().all(|reason| reason.code == code::NO_DECISION) => Ruling::Undefined,
            // Messages may have something of the record in them: the code and the place do not.
            None => {
                let diagnostic = diagnostics.first();
                let code = diagnostic.map_or(code::INTERNAL_ERROR, |diagnostic| &diagnostic.code);
                let place = diagnostic.and_then(|diagnostic| diagnostic.position.as_ref());
                let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
                Ruling::Failed(format!("it ended in `{code}`{place}"))
            }
        }
    }
}

/// Opens the log, if it has sinks, starts its threads, and has the state record in it.
pub(super) fn open(config: audit::Config, decider: &Arc<Decider>, state: &State) -> Result<Opened, OpenError> {
    let mut threads = JoinSet::new();
    if config.sinks.is_empty() {
        return Ok((None, threads));
    }
    let asked = Asked { decider: Arc::clone(decider), known: Mutex::default(), silent: AtomicU64::new(0) };
    let rules = Arc::new(asked) as Arc<dyn Rules>;
    let identity = Identity { id: clock::decision_id(), version: env!("CARGO_PKG_VERSION") };
    let traces = Arc::new(Followed(state.spans().clone())) as Arc<dyn Traces>;
    let (log, workers) = Log::open(config, &identity, &rules, clock::now, &traces)?;
    for worker in workers {
        threads.spawn_blocking(move || {
            let name = worker.name();
            worker.run();
            name
        });
    }
    let log = Arc::new(log);
    state.record_in(Arc::clone(&log));
    Ok((Some(log), threads))
}

/// Says so where a commit may take as long as a connection may be silent: answers that wait for it hold up pings.
pub(super) fn compare(config: &audit::Config, silent: Duration) {
    let waits = config.sinks.values().any(|sink| !matches!(sink.mode, audit::Mode::BestEffort));
    if waits && config.commit_timeout >= silent {
        tracing::warn!(
            commit_timeout = ?config.commit_timeout,
            keepalive_timeout = ?silent,
            "a connection may be closed for its silence while its answers wait for their records: set \
             decision_log.commit_timeout below server.keepalive_timeout"
        );
    }
}

/// Records a verdict, and gives what may be answered.
pub(super) fn settle(log: &Log, measured: Measured, decided: &Decided<'_>, verdict: Verdict) -> Settled {
    let Decided { door, decision_id, request_id, query, took } = *decided;
    let trace = measured.trace();
    let (caller, before) = of_call(took);
    let asker = Caller::current();
    let caller_id = asker.as_deref().map(|caller| caller.id.as_str());
    let decision = Decision {
        door: door.0,
        decision_id,
        request_id,
        query,
        search: None,
        took,
        time: clock::now(),
        caller,
        caller_id,
        before,
        trace,
    };
    match log.record(&decision, &verdict) {
        Recorded::Now => {
            measured.settled(&verdict, None);
            Settled::Now(verdict)
        }
        Recorded::Refused => {
            let verdict = not_recorded(verdict);
            measured.settled(&verdict, Some(false));
            Settled::Now(verdict)
        }
        Recorded::Later(waiting) => {
            // A trace tells when what happened, so its decision is waited for; and Envoy may be told to let pass what is
            // not answered.
            let waits = measured.is_traced() || door == DoorName::ENVOY;
            let withheld = call::current(|call| call.withheld().cloned()).flatten().filter(|_| !waits);
            let waiting = match withheld {
                Some(withheld) => waiting.withhold(&withheld),
                None => Err(waiting),
            };
            let waiting = match waiting {
                Ok(()) => {
                    measured.settled(&verdict, None);
                    return Settled::Now(verdict);
                }
                Err(waiting) => waiting,
            };
            // How long a disk takes says nothing of how many calls can be answered.
            caller::waits();
            Settled::Later(Box::pin(async move {
                let kept = waiting.kept().await;
                let verdict = if kept { verdict } else { not_recorded(verdict) };
                measured.settled(&verdict, Some(kept));
                verdict
            }))
        }
    }
}

/// Records a search.
pub(super) fn searched(log: &Log, ended: &SearchEnded<'_>) -> Kept {
    let SearchEnded { door, id, request_id, query, entry_point, summary, revision, took } = *ended;
    let (caller, before) = of_call(took);
    let asker = Caller::current();
    let caller_id = asker.as_deref().map(|caller| caller.id.as_str());
    let decision = Decision {
        door: door.0,
        decision_id: id,
        request_id,
        query: Some(query),
        search: Some(summary),
        took,
        time: clock::now(),
        caller,
        caller_id,
        before,
        trace: call::current(Call::span).flatten(),
    };
    let entry_point = Some(entry_point.as_str().into());
    let verdict = Verdict { entry_point, revision: revision.clone(), ..Verdict::default() };
    match log.record(&decision, &verdict) {
        Recorded::Now => Kept::Now(true),
        Recorded::Refused => Kept::Now(false),
        Recorded::Later(waiting) => {
            caller::waits();
            Kept::Later(Box::pin(waiting.kept()))
        }
    }
}

/// Who asked, and how long it took until deciding began, of the request that this task answers.
fn of_call(took: Duration) -> (Option<Peer>, Option<Duration>) {
    call::current(|call| (call.peer(), Some(call.begun().elapsed().saturating_sub(took)))).unwrap_or_default()
}

/// What is answered in place of what could not be recorded.
fn not_recorded(verdict: Verdict) -> Verdict {
    let Verdict { revision, entry_point, .. } = verdict;
    let message = "the decision could not be recorded, and the decision log is configured to fail closed";
    Verdict { revision, entry_point, ..Verdict::deny_for(code::NOT_RECORDED, message, None) }
}
