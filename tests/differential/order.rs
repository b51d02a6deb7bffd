//! Conditions in which something that may err stands beside something that may have no value: which is asked first?

use super::generate::{Generator, RuleKind};

impl Generator<'_> {
    /// A rule, or a call of a function: of those so far, functions first.
    pub(crate) fn asked(&mut self, depth: usize) -> String {
        let functions: Vec<usize> =
            (0..self.rules.len()).filter(|&at| matches!(self.rules[at].kind, RuleKind::Function(_))).collect();
        let at = match self.tape.weighted(&[7, 3]) {
            0 if !functions.is_empty() => functions[self.tape.below(functions.len())],
            _ if self.rules.is_empty() => return self.term('a', depth.min(1)),
            _ => self.tape.below(self.rules.len()),
        };
        let rule = self.rules[at].clone();
        match rule.kind {
            RuleKind::Function(arity) => {
                let arguments: Vec<String> = (0..arity).map(|_| self.term('a', 0)).collect();
                format!("{}({})", rule.name, arguments.join(", "))
            }
            _ => rule.name,
        }
    }

    /// One after the other, in many forms.
    pub(crate) fn beside(&mut self, depth: usize) -> String {
        let part = self.tape.one(&["", "[_]", ".a", "[_].a", "[1]"]);
        let of = self.reference('a');
        let reference = format!("{of}{part}");
        let asked = self.asked(depth);
        let value = self.term('a', 0);
        let name = self.fresh();
        let condition = match self.tape.below(17) {
            0 => return format!("{of}[_] == {asked}"),
            1 => return format!("{asked} == {of}[_]"),
            2 => return format!("[{reference}, {asked}] == {value}"),
            3 => return format!("not [{reference}, {asked}] == {value}"),
            4 => return format!("{reference}[{asked}]"),
            5 => return format!("{of}[_] == {asked} with input.a as {value}"),
            6 => return format!("every {name} in [{reference}, {asked}] {{ {name} == {value} }}"),
            7 => return format!("[{value}, {asked}] = [{reference}, {value}]"),
            8 => {
                let index = self.fresh();
                let function = self.rules.iter().rev().find(|rule| rule.kind == RuleKind::Function(1));
                let called = function.map_or_else(|| "count".to_owned(), |rule| rule.name.clone());
                format!("{name} := [({of}[{index}] == {called}({index})) | some {index}; true]")
            }
            9 => format!("some {name} in [{reference}, {asked}]"),
            10 => format!("{name} := {of}[_] == {asked}"),
            11 => format!("{name} := {{\"b\": {reference}, \"a\": {asked}}}"),
            12 => format!("{name} := {{{reference}: {asked} | {value} == {value}}}"),
            13 => format!("{name} := ({reference}, {asked} in {value})"),
            14 => format!("{name} := [count({reference}), {asked}]"),
            15 => format!("{name} := {of}[_][{asked}]"),
            _ => format!("{name} := {{{reference}, {asked}}}"),
        };
        self.scope.push((name, 'a'));
        condition
    }
}
