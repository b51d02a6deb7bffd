//! The core: what is asked, what is answered, and the total function between them.
//!
//! Pure: no I/O, no clock, no async runtime, no wire format, no policy language. What evaluates policies is behind the
//! port [`Evaluator`].

mod decider;
mod explanation;
mod gate;
pub mod json;
mod past;
mod query;
mod search;
mod sensitive;
mod value;
mod verdict;
pub mod yaml;

pub use decider::{AdHoc, Decider, Evaluator, Held, Pending, PendingAnswer, Pinned, RETAINED, Time};
pub use explanation::{ConditionTrace, Explanation, Need, RuleOutcome, RuleTrace, Seen};
pub use gate::{Gate, Passage};
pub use past::{At, Freshness, NotAt, Replaced};
pub use query::{Action, Asks, EntryPoint, Input, InvalidEntryPoint, Query, Resource, Subject};
pub use search::{PendingCandidates, SearchError, SearchSummary, Searched};
pub use sensitive::{Named, SensitiveNames};
pub use value::{MAX_DEPTH, Number, Object, Value};
pub use verdict::{
    Diagnostic, Digest, Effect, InvalidDigest, Obligation, Reason, Revision, SourcePosition, StepUp, Verdict, code,
    credential_code,
};
