//! The gate before the Decider: who asks, and whether they may ask this.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{ASKING, Asked, Asking, Authorizer, Question, route::Route};
use crate::decision::{self, EntryPoint, Passage, Query};

/// The gate. Whatever it goes by, a call without a place does not pass it.
pub struct Gate(Knows);

enum Knows {
    /// Nobody: a question is asked as it is.
    Nobody,
    /// Callers, of whom everyone may everything.
    Callers,
    /// Callers, and who says what they may.
    WhatTheyMay(Arc<dyn Authorizer>),
}

impl Gate {
    /// A gate that asks `authorizer` what a caller may.
    #[must_use]
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self(Knows::WhatTheyMay(authorizer))
    }

    /// A gate that tells policies who asks, and lets everybody pass.
    #[must_use]
    pub fn of_callers() -> Self {
        Self(Knows::Callers)
    }

    /// A gate where nobody can be known.
    #[must_use]
    pub fn of_strangers() -> Self {
        Self(Knows::Nobody)
    }
}

impl decision::Gate for Gate {
    fn pass(&self, query: &Query, entry: &EntryPoint, retained: bool) -> Passage {
        let asking = ASKING.try_with(Arc::clone).ok();
        if let Some(asking) = asking.as_ref().filter(|asking| !asking.placed.load(Relaxed)) {
            // Its door should not have come so far.
            asking.refuse();
            return Passage::Refused;
        }
        let decide = || asking.as_deref().into_iter().for_each(Asking::decide);
        let caller = || asking.as_ref().and_then(|asking| asking.caller.as_ref()).map(|caller| caller.known.clone());
        let authorizer = match &self.0 {
            Knows::Nobody => {
                decide();
                return Passage::AsItIs;
            }
            Knows::Callers => {
                decide();
                return Passage::By(caller());
            }
            Knows::WhatTheyMay(authorizer) => authorizer,
        };
        // A question of which nobody says who asks it is a defect; it is not asked.
        let Some(asking) = &asking else { return Passage::Refused };
        if asking.route.action.has_questions() && allows(&**authorizer, asking, query, entry, retained) {
            decide();
            return Passage::By(caller());
        }
        asking.refuse();
        Passage::Refused
    }
}

/// Whether the caller may ask this.
fn allows(authorizer: &dyn Authorizer, asking: &Asking, query: &Query, entry: &EntryPoint, retained: bool) -> bool {
    let Some(caller) = &asking.caller else { return false };
    let Route { door, action } = asking.route;
    let question = Question { entry_point: entry, explain: query.explain, at_revision: retained };
    authorizer.allows(&Asked { caller, door, action, question: Some(question) })
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use decision::Gate as _;

    use super::*;
    use crate::api::{caller::Action, settle::DoorName};

    struct Always(bool);

    impl Authorizer for Always {
        fn allows(&self, _: &Asked<'_>) -> bool {
            self.0
        }
    }

    async fn pass(allows: bool, asking: Option<Asking>) -> Passage {
        pass_at(&Gate::new(Arc::new(Always(allows))), asking).await
    }

    async fn pass_at(gate: &Gate, asking: Option<Asking>) -> Passage {
        let (query, entry) = (Query::default(), "data.a".parse().unwrap());
        let ask = async { gate.pass(&query, &entry, false) };
        match asking {
            Some(asking) => ASKING.scope(Arc::new(asking), ask).await,
            None => ask.await,
        }
    }

    fn asking(known: bool, action: Action) -> Asking {
        let caller = known.then(|| Arc::new(super::super::Caller::new("key:a".to_owned(), "key", [])));
        Asking {
            caller,
            route: Route { door: DoorName::GRPC, action },
            placed: true.into(),
            stand: None,
            size: 0.into(),
            lost: OnceLock::new(),
            decided: false.into(),
            refused: false.into(),
            arrived: std::time::Instant::now(),
        }
    }

    #[tokio::test]
    async fn only_a_known_caller_who_may_passes() {
        assert!(matches!(pass(true, Some(asking(true, Action::Ask))).await, Passage::By(Some(_))));
        assert_eq!(pass(false, Some(asking(true, Action::Ask))).await, Passage::Refused);
        assert_eq!(pass(true, Some(asking(false, Action::Ask))).await, Passage::Refused, "nobody is known");
        assert_eq!(pass(true, None).await, Passage::Refused, "no call");
        assert_eq!(
            pass(true, Some(asking(true, Action::Observe))).await,
            Passage::Refused,
            "no question belongs there"
        );
    }

    #[tokio::test]
    async fn nobody_s_question_passes_without_a_place() {
        for gate in [Gate::of_strangers(), Gate::of_callers(), Gate::new(Arc::new(Always(true)))] {
            assert_ne!(pass_at(&gate, Some(asking(true, Action::Ask))).await, Passage::Refused);
            let asking = Asking { placed: false.into(), ..asking(true, Action::Ask) };
            assert_eq!(pass_at(&gate, Some(asking)).await, Passage::Refused);
        }
    }

    #[tokio::test]
    async fn where_nobody_can_be_known_a_question_says_what_it_says() {
        let asking = asking(true, Action::Ask);
        assert_eq!(pass_at(&Gate::of_strangers(), Some(asking)).await, Passage::AsItIs);
    }
}
