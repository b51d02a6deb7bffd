//! Members' names that may stand in a record as they are: questions have few, again and again, so they are looked at once.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{
    audit::redact::{self, Secrets},
    decision::{Named, SensitiveNames},
};

/// The sensitive names of a sink, and which others were found not to be among them.
pub(super) struct Names {
    sensitive: SensitiveNames,
    /// Which sink's they are.
    id: u64,
}

/// What became of a look at a name.
pub(super) enum Seen {
    /// It may stand there as it is.
    Harmless,
    /// It has no secret, and something that JSON may escape.
    Odd,
    /// It may not stand there.
    Sensitive,
}

/// How many names a thread remembers, and how long they may be.
const SLOTS: usize = 64;
const LONGEST: usize = 30;

/// A name that is harmless to a sink.
#[derive(Clone, Copy)]
struct Slot {
    /// 0 where there is none.
    sink: u64,
    length: usize,
    name: [u8; LONGEST],
}

thread_local! {
    static HARMLESS: RefCell<[Slot; SLOTS]> = const { RefCell::new([Slot { sink: 0, length: 0, name: [0; LONGEST] }; SLOTS]) };
}

static SINKS: AtomicU64 = AtomicU64::new(1);

impl Names {
    pub(super) fn new(sensitive: SensitiveNames) -> Self {
        Self { sensitive, id: SINKS.fetch_add(1, Relaxed) }
    }

    pub(super) fn sensitive(&self) -> &SensitiveNames {
        &self.sensitive
    }

    pub(super) fn see(&self, name: &str) -> Seen {
        HARMLESS.with_borrow_mut(|slots| {
            let mut slot = slots.get_mut(place(name.as_bytes()));
            if slot.as_ref().is_some_and(|slot| slot.sink == self.id && slot.is(name)) {
                return Seen::Harmless;
            }
            let seen = self.look(name);
            if let (Seen::Harmless, Some(slot)) = (&seen, &mut slot) {
                slot.remember(self.id, name);
            }
            seen
        })
    }

    fn look(&self, name: &str) -> Seen {
        if self.sensitive.find(name) != Named::No {
            return Seen::Sensitive;
        }
        let look = redact::look(name);
        match (look.suspects(name), look.escapes()) {
            (true, _) if Secrets::new(&self.sensitive).credential(name) => Seen::Sensitive,
            (false, false) => Seen::Harmless,
            _ => Seen::Odd,
        }
    }
}

impl Slot {
    fn is(&self, name: &str) -> bool {
        self.name.get(..self.length) == Some(name.as_bytes())
    }

    fn remember(&mut self, sink: u64, name: &str) {
        if let Some(place) = self.name.get_mut(..name.len()) {
            place.copy_from_slice(name.as_bytes());
            (self.sink, self.length) = (sink, name.len());
        }
    }
}

/// Where a name is remembered.
fn place(name: &[u8]) -> usize {
    let [first, last] = [name.first(), name.last()].map(|byte| usize::from(byte.copied().unwrap_or_default()));
    (first * 5 + last * 11 + name.len() * 3) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_harmless_to_those_that_do_not_hide_it() {
        let (all, more) = (SensitiveNames::all(), SensitiveNames::new(["department".to_owned()]));
        let sinks = [Names::new(all), Names::new(more)];
        let long = "n".repeat(LONGEST + 1);
        for _ in 0..3 {
            for (name, seen) in [
                ("department", [true, false]),
                ("access_token", [false, true]),
                // These have the same place.
                ("abbbbz", [true; 2]),
                ("accccz", [true; 2]),
                ("", [true; 2]),
                (long.as_str(), [true; 2]),
                ("a\"b", [false; 2]),
                ("?token=hunter22", [false; 2]),
            ] {
                let harmless = sinks.each_ref().map(|names| matches!(names.see(name), Seen::Harmless));
                assert_eq!(harmless, seen, "{name}");
            }
        }
    }
}
