//! Policies: rules of every form, each of which may refer to those before it.

use super::{
    tape::Tape,
    words::{Kind, Words},
};

/// What a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Value,
    Set,
    Object,
    /// With that many parameters.
    Function(usize),
}

/// A rule that later ones may refer to.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) kind: RuleKind,
}

/// Writes one policy.
pub(crate) struct Generator<'a> {
    pub(crate) tape: Tape<'a>,
    pub(crate) words: &'a Words,
    pub(crate) rules: Vec<Rule>,
    /// The variables that can be used, with what they are known to be.
    pub(crate) scope: Vec<(String, Kind)>,
    pub(crate) templates: bool,
    /// A variable of the body that has no value unless the head gives it one.
    pub(crate) given_by_head: Option<String>,
    names: usize,
}

/// The policy of `choices`: package `g`, whose rules are `r0`, `r1` and so on.
pub(crate) fn policy(words: &Words, choices: &[u16]) -> String {
    let templates = std::env::var("VERDICT_DIFFERENTIAL_WITHOUT").is_ok_and(|without| without.contains("template"));
    let mut generator = Generator {
        tape: Tape::new(choices),
        words,
        rules: Vec::new(),
        scope: Vec::new(),
        templates: !templates,
        given_by_head: None,
        names: 0,
    };
    let mut text = String::from("package g\n\nimport data.base as alias\n");
    for number in 0..8 {
        text += &generator.definitions(number);
        if generator.tape.ended() {
            break;
        }
    }
    text
}

impl Generator<'_> {
    pub(crate) fn fresh(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    /// All definitions of one rule.
    fn definitions(&mut self, number: usize) -> String {
        let name = format!("r{number}");
        let (kind, text) = match self.tape.weighted(&[40, 18, 18, 24]) {
            0 => (RuleKind::Value, self.values(&name)),
            1 => (RuleKind::Set, self.repeated(3, |own| own.contains(&name))),
            2 => (RuleKind::Object, self.objects(&name)),
            _ => {
                let arity = 1 + self.tape.below(2);
                (RuleKind::Function(arity), self.functions(&name, arity))
            }
        };
        self.rules.push(Rule { name, kind });
        format!("\n{text}")
    }

    fn repeated(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> String) -> String {
        let count = 1 + self.tape.below(most);
        let mut text = String::new();
        for _ in 0..count {
            self.scope.clear();
            self.given_by_head = None;
            let definition = one(self);
            text += &self.without_unused(definition);
            text.push('\n');
        }
        self.scope.clear();
        text
    }

    /// OPA rejects a variable that is declared and not used: it becomes `_`.
    fn without_unused(&self, mut definition: String) -> String {
        let part = |letter: char| letter.is_alphanumeric() || letter == '_';
        for number in 1..=self.names {
            let name = format!("v{number}");
            let mut places = definition.match_indices(&name).filter(|(at, _)| {
                let (before, after) = (&definition[..*at], &definition[at + name.len()..]);
                !before.ends_with(part) && !after.starts_with(part)
            });
            let (Some((at, _)), None) = (places.next(), places.next()) else { continue };
            let end = at + name.len();
            if !definition[end..].starts_with(" :=") {
                definition.replace_range(at..end, "_");
            }
        }
        definition
    }

    fn condition(&mut self) -> String {
        if self.tape.chance(75) {
            format!(" if {{\n\t{}\n}}", self.body(2, 3).replace("; ", "\n\t"))
        } else {
            String::new()
        }
    }

    fn values(&mut self, name: &str) -> String {
        if let Some(text) = self.without_messages(name) {
            return text;
        }
        let mut text = String::new();
        if self.tape.chance(30) {
            let value = self.literal('a');
            text += &format!("default {name} := {value}\n\n");
        }
        // One kind for all definitions: several values are then often one value.
        let kind = self.tape.one(&['a', 'b', 'n', 's', 'r', 't', 'o']);
        text + &self.repeated(3, |own| {
            let condition = own.condition();
            let mut text = if kind == 'b' && !condition.is_empty() && own.given_by_head.is_none() {
                format!("{name}{condition}")
            } else {
                let value = own.term(kind, 2);
                let value = own.in_head(value);
                format!("{name} := {value}{condition}")
            };
            if !condition.is_empty() {
                text += &own.otherwise(kind);
            }
            text
        })
    }

    fn otherwise(&mut self, kind: Kind) -> String {
        let mut text = String::new();
        while self.tape.chance(20) {
            self.scope.retain(|(name, _)| name.starts_with('p'));
            let condition = self.condition();
            let value = self.term(kind, 1);
            let value = self.in_head(value);
            text += &format!(" else := {value}{condition}");
            if condition.is_empty() {
                break;
            }
        }
        text
    }

    fn contains(&mut self, name: &str) -> String {
        let condition = self.condition();
        let value = self.term('a', 2);
        let value = self.in_head(value);
        format!("{name} contains {value}{condition}")
    }

    fn objects(&mut self, name: &str) -> String {
        let form = self.tape.below(6);
        self.repeated(3, |own| {
            let condition = own.condition();
            let key = own.key();
            let value = own.term('a', 2);
            let bare = own.given_by_head.is_none();
            let value = own.in_head(value);
            match form {
                0 => format!("{name}[{key}] := {value}{condition}"),
                1 => {
                    let second = own.key();
                    format!("{name}[{key}][{second}] := {value}{condition}")
                }
                2 => format!("{name}.x[{key}] := {value}{condition}"),
                3 => format!("{name}[{key}] contains {value}{condition}"),
                4 => {
                    let part = own.tape.one(&["a", "b", "a.c"]);
                    format!("{name}.{part} := {value}{condition}")
                }
                _ if condition.is_empty() || !bare => format!("{name}[{key}] := {value}{condition}"),
                _ => format!("{name}[{key}]{condition}"),
            }
        })
    }

    /// What stands in the brackets of a head: a variable or a constant.
    fn key(&mut self) -> String {
        if self.scope.is_empty() || self.tape.chance(25) {
            return self.tape.one(&["\"a\"", "\"b\"", "\"é\"", "1", "true"]).to_owned();
        }
        let at = self.tape.below(self.scope.len());
        self.scope[at].0.clone()
    }

    fn functions(&mut self, name: &str, arity: usize) -> String {
        let mut text = String::new();
        if self.tape.chance(20) {
            let value = self.literal('a');
            text += &format!("default {name}({}) := {value}\n\n", vec!["_"; arity].join(", "));
        }
        let kind = self.tape.one(&['a', 'b', 'n', 's']);
        text + &self.repeated(3, |own| {
            let parameters: Vec<String> = (0..arity).map(|at| own.parameter(at)).collect();
            let head = format!("{name}({})", parameters.join(", "));
            let condition = own.condition();
            let mut text = if kind == 'b' && !condition.is_empty() && own.given_by_head.is_none() {
                format!("{head}{condition}")
            } else {
                let value = own.term(kind, 2);
                let value = own.in_head(value);
                format!("{head} := {value}{condition}")
            };
            if !condition.is_empty() {
                text += &own.otherwise(kind);
            }
            text
        })
    }

    fn parameter(&mut self, at: usize) -> String {
        let name = format!("p{at}");
        match self.tape.weighted(&[60, 15, 6, 8, 9, 5]) {
            0 => {}
            1 => return self.literal('a'),
            2 => return "_".to_owned(),
            3 => {
                self.scope.extend([(name.clone(), 'a'), (format!("{name}x"), 'a')]);
                return format!("[{name}, {name}x]");
            }
            4 => return self.object_pattern(&name),
            // A variable of the argument before it.
            _ => match self.scope.iter().find(|(known, _)| known.starts_with('p')) {
                Some((known, _)) if self.tape.chance(50) => return known.clone(),
                Some((known, _)) => return format!("[{known}]"),
                None => {}
            },
        }
        self.scope.push((name.clone(), 'a'));
        name
    }
}
