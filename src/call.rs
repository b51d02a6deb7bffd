//! The call that a task works for: from whom it is, when it began, and whose trace it belongs to. Goes with the task, not with the
//! question, which says what is asked and not who carried it here.

pub mod withheld;

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use opentelemetry::{Context, trace::TraceContextExt as _};
use tokio::task::futures::TaskLocalFuture;

use self::withheld::Withheld;

tokio::task_local! {
    static CALL: Call;
}

/// A call under way.
#[derive(Debug)]
pub struct Call {
    /// From whom it is, where the connection says it.
    peer: Option<Peer>,
    /// What can hold back the answers of its connection, if something can.
    withheld: Option<Arc<Withheld>>,
    /// When its head was read.
    begun: Instant,
    /// Whether a first question of it was read.
    read: AtomicBool,
    /// The span of the call, or the one that it came from; empty without either.
    context: Context,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A process of this machine, as the kernel names it.
    Unix {
        /// Its number, where the system tells it.
        pid: Option<i32>,
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

/// Names a span of a trace (W3C Trace Context §3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanName {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span.
    pub span_id: [u8; 8],
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl SpanName {
    /// Reads both ids from their hexadecimal digits.
    #[must_use]
    pub fn read(trace_id: &str, span_id: &str, sampled: bool) -> Option<Self> {
        let trace_id = u128::from_str_radix(trace_id, 16).ok()?.to_be_bytes();
        Some(Self { trace_id, span_id: u64::from_str_radix(span_id, 16).ok()?.to_be_bytes(), sampled })
    }
}

impl Call {
    /// A call that begins now, in no trace yet.
    #[must_use]
    pub fn begin(peer: Option<Peer>) -> Self {
        Self { peer, withheld: None, begun: Instant::now(), read: AtomicBool::new(false), context: Context::new() }
    }

    /// The same, with what can hold back its answer.
    #[must_use]
    pub fn on(self, withheld: Option<Arc<Withheld>>) -> Self {
        Self { withheld, ..self }
    }

    /// The calling task's call, or one that begins now, in the trace of `context`.
    #[must_use]
    pub fn traced(context: Context) -> Self {
        let (peer, withheld, begun) = current(|call| (call.peer, call.withheld.clone(), call.begun))
            .unwrap_or_else(|| (None, None, Instant::now()));
        Self { peer, withheld, begun, read: AtomicBool::new(false), context }
    }

    /// The same call, of which nothing was read yet.
    #[must_use]
    pub fn again(&self) -> Self {
        let Self { peer, withheld, begun, read: _, context } = self;
        Self {
            peer: *peer,
            withheld: withheld.clone(),
            begun: *begun,
            read: AtomicBool::new(false),
            context: context.clone(),
        }
    }

    /// From whom it is, where the connection says it.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// What can hold back its answer, where it goes to its connection as a whole.
    #[must_use]
    pub fn withheld(&self) -> Option<&Arc<Withheld>> {
        self.withheld.as_ref()
    }

    /// When its head was read.
    #[must_use]
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// The trace that it belongs to.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// When it began, for the first who asks: what comes second in a call has waited for what was first.
    pub fn first(&self) -> Option<Instant> {
        (!self.read.swap(true, Relaxed)).then_some(self.begun)
    }

    /// Its span.
    #[must_use]
    pub fn span(&self) -> Option<SpanName> {
        name(&self.context)
    }
}

/// The span of a context.
#[must_use]
pub fn name(context: &Context) -> Option<SpanName> {
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| SpanName {
        trace_id: span.trace_id().to_bytes(),
        span_id: span.span_id().to_bytes(),
        sampled: span.is_sampled(),
    })
}

/// Lets `work` be for `call`.
pub fn within<F: Future>(call: Call, work: F) -> TaskLocalFuture<Call, F> {
    CALL.scope(call, work)
}

/// Does `work`, which waits for nothing, for `call`.
pub fn here<T>(call: Call, work: impl FnOnce() -> T) -> T {
    CALL.sync_scope(call, work)
}

/// What the calling task's call says, if it works for one.
pub fn current<T>(say: impl FnOnce(&Call) -> T) -> Option<T> {
    CALL.try_with(say).ok()
}

/// Takes a call along to other tasks.
#[derive(Clone, Debug)]
pub struct Carrier(Option<(Option<Peer>, Context)>);

impl Carrier {
    /// For the calling task's call.
    #[must_use]
    pub fn here() -> Self {
        Self(current(|call| (call.peer, call.context.clone())))
    }

    /// Lets `work` be for a call of its own, from the same peer and in the same trace, which begins now.
    pub fn carry<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let call = self.0.clone().map(|(peer, context)| Call { context, ..Call::begin(peer) });
        async move {
            match call {
                Some(call) => within(call, work).await,
                None => work.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[tokio::test]
    async fn goes_with_the_task_and_to_those_it_is_carried_to() {
        assert!(current(Call::span).is_none());
        let (trace, span) = (TraceId::from(7), SpanId::from(9));
        let parent = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
        let peer = Some(Peer::Unix { pid: None, uid: 1, gid: 2 });
        let came = Call::begin(peer);
        let begun = came.begun();
        let context = Context::new().with_remote_span_context(parent);
        within(came, async {
            within(Call::traced(context), async {
                assert_eq!(current(|call| (call.peer(), call.begun())), Some((peer, begun)));
                let name = SpanName { trace_id: trace.to_bytes(), span_id: span.to_bytes(), sampled: true };
                assert_eq!(SpanName::read(&trace.to_string(), &span.to_string(), true), Some(name));
                assert_eq!(current(Call::span), Some(Some(name)));
                let work = Carrier::here().carry(async { current(|call| (call.span(), call.peer(), call.first())) });
                let carried = tokio::spawn(work);
                let (span, from, first) = carried.await.unwrap().unwrap();
                assert_eq!((span, from), (Some(name), peer));
                assert!(first.unwrap() > begun, "it is measured from its own beginning");
                assert!(tokio::spawn(async { current(Call::span) }).await.unwrap().is_none());
                assert!(current(Call::first).unwrap().is_some());
                assert!(current(Call::first).unwrap().is_none(), "once");
            })
            .await;
        })
        .await;
    }
}
