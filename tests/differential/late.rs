//! Conditions that stand before what gives their variables values: OPA asks them after it.

use super::generate::{Generator, RuleKind};

impl Generator<'_> {
    /// A condition that gives a variable no value, and what does: a later one, or the head.
    pub(crate) fn late(&mut self) -> String {
        let index = self.fresh();
        let condition = self.waiting(&index);
        let giver = self.giver(&index);
        self.scope.push((index.clone(), 'a'));
        if let Some(giver) = giver {
            format!("{condition}; {giver}")
        } else {
            self.given_by_head = Some(index);
            condition
        }
    }

    /// What a head gives, and the variable that only it gives a value.
    pub(crate) fn in_head(&mut self, value: String) -> String {
        let Some(index) = self.given_by_head.take() else { return value };
        let of = self.members();
        match self.tape.below(3) {
            0 => format!("{of}[{index}]"),
            1 => format!("[{value}, {of}[{index}]]"),
            _ => format!("sprintf(\"%v %v\", [{value}, {of}[{index}]])"),
        }
    }

    /// A rule that holds when one that gathers messages has none.
    pub(crate) fn without_messages(&mut self, name: &str) -> Option<String> {
        let sets: Vec<String> =
            self.rules.iter().filter(|rule| rule.kind == RuleKind::Set).map(|rule| rule.name.clone()).collect();
        if sets.is_empty() || !self.tape.chance(15) {
            return None;
        }
        let set = &sets[self.tape.below(sets.len())];
        Some(format!("default {name} := false\n\n{name} if count({set}) == 0\n"))
    }

    fn waiting(&mut self, index: &str) -> String {
        let of = self.members();
        match self.tape.below(12) {
            0 | 1 => format!("not {of}[{index}]"),
            2 => format!("not {of}[{index}] == {}", self.literal('a')),
            3 => format!("not ({of}[{index}])"),
            4 => format!("not {of}[{index}].a"),
            5 => format!("not {of}[{index}] with input.a as {}", self.literal('a')),
            6 => format!("not {of}[{}[{index}]]", self.members()),
            7 => format!("not {of}[[{index}, 1]]"),
            8 => format!("not {index} = {}", self.literal('s')),
            9 => format!("every e in [1, 2] {{ e; not {of}[{index}] }}"),
            10 => format!("every e in [1, 2] {{ {of}[{index}] == e }}"),
            _ => format!("count([1 | {of}[{index}]]) == 0"),
        }
    }

    fn giver(&mut self, index: &str) -> Option<String> {
        let of = self.members();
        Some(match self.tape.below(9) {
            0 | 1 => format!("{of}[{index}]"),
            2 => format!("{index} = {}", self.literal('s')),
            3 => format!("{index} = {of}"),
            4 => format!("[{index}, _] = [{of}, 1]"),
            5 => format!("{index} = {of}[_]"),
            6 => format!("walk({of}, [[{index}], _])"),
            7 => format!("numbers.range(0, 2)[{index}]"),
            _ => return None,
        })
    }

    /// A reference to what has members, or a rule's name.
    fn members(&mut self) -> String {
        let kind = self.tape.one(&['o', 'r', 'a', 'o']);
        let rule = self.rules.iter().rev().find(|rule| !matches!(rule.kind, RuleKind::Function(_)));
        match rule.map(|rule| rule.name.clone()) {
            Some(rule) if self.tape.chance(25) => rule,
            _ => self.reference(kind),
        }
    }
}
