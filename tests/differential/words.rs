//! What generated policies are made of: built-ins with the kinds of their arguments, and literals of each kind.

use std::collections::HashMap;

/// What a value is meant to be: `a` anything, `b` a boolean, `n` a number, `s` text, `r` an array, `t` a set, `o` an
/// object; other letters are what only some built-ins make sense of. An expression may have another value, as an
/// author's may.
pub(crate) type Kind = char;

/// A built-in.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) result: Kind,
    pub(crate) arguments: &'static str,
}

/// All words.
pub(crate) struct Words {
    pub(crate) builtins: Vec<Builtin>,
    literals: HashMap<Kind, Vec<&'static str>>,
}

impl Words {
    pub(crate) fn read() -> Self {
        let lines = |text: &'static str| text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let builtin = |line: &'static str| {
            let mut parts = line.split(' ');
            let mut next = || parts.next().expect("name, result, arguments");
            Builtin { name: next(), result: next().chars().next().expect("a letter"), arguments: next() }
        };
        let literal = |line: &'static str| {
            let (letter, all) = line.split_once('\t').expect("a letter and literals");
            (letter.chars().next().expect("a letter"), all.split('\t').collect())
        };
        Self {
            builtins: lines(include_str!("builtins.txt")).map(builtin).collect(),
            literals: lines(include_str!("literals.txt")).map(literal).collect(),
        }
    }

    /// Never empty.
    pub(crate) fn literals(&self, kind: Kind) -> &[&'static str] {
        self.literals.get(&kind).unwrap_or_else(|| panic!("no literals of kind {kind}"))
    }
}
