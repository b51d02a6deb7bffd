//! Expressions: terms of a wanted kind, over the variables in scope, `input`, `data` and the rules so far.

use super::{
    generate::{Generator, RuleKind},
    words::Kind,
};

/// Members of `input` and of `data.base`, with what they mostly are.
pub(crate) const MEMBERS: &[(&str, Kind)] = &[
    ("a", 'a'),
    ("b", 'a'),
    ("n", 'n'),
    ("m", 'n'),
    ("s", 's'),
    ("u", 's'),
    ("xs", 'r'),
    ("ss", 'S'),
    ("o", 'o'),
    ("p", 'o'),
    ("f", 'b'),
];

impl Generator<'_> {
    /// A term that is meant to be of `kind`, nesting at most `depth` more.
    pub(crate) fn term(&mut self, kind: Kind, depth: usize) -> String {
        let deeper = usize::from(depth > 0);
        // A wrong kind on purpose.
        let kind = if self.tape.chance(4) { self.tape.one(&['a', 'n', 's', 'r', 't', 'o']) } else { kind };
        match self.tape.weighted(&[20, 20, 22, 10, 14 * deeper, 14 * deeper, 5 * deeper, 6 * deeper]) {
            0 => self.literal(kind),
            1 => self.reference(kind),
            2 => self.variable(kind),
            3 => self.rule(kind, depth),
            4 => self.compound(kind, depth),
            5 => self.call(kind, depth),
            6 => self.comprehension(kind, depth),
            _ => self.operation(kind, depth),
        }
    }

    pub(crate) fn literal(&mut self, kind: Kind) -> String {
        let all = self.words.literals(kind);
        all[self.tape.below(all.len())].to_owned()
    }

    /// Something of `input` or `data.base`.
    pub(crate) fn reference(&mut self, kind: Kind) -> String {
        let root = if self.tape.chance(20) { self.base() } else { "input".to_owned() };
        let fitting: Vec<&str> =
            MEMBERS.iter().filter(|(_, of)| *of == kind || kind == 'a').map(|(name, _)| *name).collect();
        let member =
            if fitting.is_empty() || self.tape.chance(10) { self.tape.one(MEMBERS).0 } else { self.tape.one(&fitting) };
        let mut reference = match self.tape.weighted(&[10, 1]) {
            0 => format!("{root}.{member}"),
            _ => format!("{root}[\"{member}\"]"),
        };
        if self.tape.chance(if kind == 'a' { 30 } else { 8 }) {
            let unknown = self.lookup();
            reference += match self.tape.below(9) {
                0 => ".a",
                1 => "[0]",
                2 => "[1]",
                3 => "[\"b\"]",
                4 => ".a.b",
                5 => "[-1]",
                7 => &unknown,
                8 => "[_]",
                _ => "[\"é\"]",
            };
        }
        reference
    }

    /// A part of a reference whose name is known only when it is evaluated, at times in parentheses.
    fn lookup(&mut self) -> String {
        let name = if self.scope.is_empty() || self.tape.chance(30) {
            self.tape.one(&["input.s", "input.n", "input.b", "data.base.b"]).to_owned()
        } else {
            let at = self.tape.below(self.scope.len());
            self.scope[at].0.clone()
        };
        if self.tape.chance(20) { format!("[({name})]") } else { format!("[{name}]") }
    }

    fn base(&mut self) -> String {
        if self.tape.chance(30) { "alias".to_owned() } else { "data.base".to_owned() }
    }

    fn variable(&mut self, kind: Kind) -> String {
        let fitting: Vec<usize> = (0..self.scope.len())
            .filter(|&at| self.scope[at].1 == kind || self.scope[at].1 == 'a' || kind == 'a')
            .collect();
        if fitting.is_empty() {
            return self.reference(kind);
        }
        // Later variables are nearer.
        let at = fitting[fitting.len() - 1 - self.tape.below(fitting.len())];
        let name = self.scope[at].0.clone();
        if self.scope[at].1 == 'a' && self.tape.chance(15) {
            let member = self.tape.one(&[".a", "[0]", ".b", "[\"a\"]", "[1]", "[_]"]);
            return if self.tape.chance(15) { format!("({name}){member}") } else { format!("{name}{member}") };
        }
        name
    }

    /// A rule that is already there, or a call of a function.
    fn rule(&mut self, kind: Kind, depth: usize) -> String {
        if self.rules.is_empty() {
            return self.reference(kind);
        }
        let at = self.tape.below(self.rules.len());
        let rule = self.rules[self.rules.len() - 1 - at].clone();
        let name = match self.tape.weighted(&[6, 2]) {
            0 => rule.name.clone(),
            _ => format!("data.g.{}", rule.name),
        };
        match rule.kind {
            RuleKind::Function(arity) => {
                let arguments: Vec<String> = (0..arity).map(|_| self.term('a', depth.saturating_sub(1))).collect();
                format!("{name}({})", arguments.join(", "))
            }
            RuleKind::Object if self.tape.chance(40) => {
                let key = self.term('a', 0);
                format!("{name}[{key}]")
            }
            _ => name,
        }
    }

    fn compound(&mut self, kind: Kind, depth: usize) -> String {
        let depth = depth - 1;
        let size = self.tape.below(4);
        match kind {
            't' | 'U' => {
                let inner = if kind == 'U' { 't' } else { 'a' };
                let items: Vec<String> = (0..=size).map(|_| self.term(inner, depth)).collect();
                format!("{{{}}}", items.join(", "))
            }
            'o' => {
                let mut items = Vec::new();
                for _ in 0..size {
                    let key = if self.tape.chance(75) { self.literal('s') } else { self.term('a', depth) };
                    items.push(format!("{key}: {}", self.term('a', depth)));
                }
                format!("{{{}}}", items.join(", "))
            }
            's' => self.template(depth),
            'n' => self.operation('n', depth),
            'b' => self.comparison(depth),
            _ => {
                let inner = match kind {
                    'N' => 'n',
                    'S' => 's',
                    'u' => 'o',
                    _ => 'a',
                };
                let mut items: Vec<String> = (0..size).map(|_| self.term(inner, depth)).collect();
                if inner == 'a' && self.tape.chance(25) {
                    items.extend([self.reference('a'), self.asked(depth)]);
                }
                format!("[{}]", items.join(", "))
            }
        }
    }

    fn template(&mut self, depth: usize) -> String {
        if !self.templates {
            return self.call('s', depth + 1);
        }
        let first = self.term('a', depth);
        let mut text = format!("$\"x {{{first}}}");
        if self.tape.chance(40) {
            let second = self.term('s', depth);
            text += &format!(" é-{{{second}}}");
        }
        text + "\""
    }

    pub(crate) fn call(&mut self, kind: Kind, depth: usize) -> String {
        let fitting: Vec<usize> = (0..self.words.builtins.len())
            .filter(|&at| {
                let result = self.words.builtins[at].result;
                result == kind || kind == 'a' || (result == 'a' && self.tape_free(at))
            })
            .collect();
        if fitting.is_empty() {
            return self.literal(kind);
        }
        let builtin = &self.words.builtins[fitting[self.tape.below(fitting.len())]];
        let (name, kinds) = (builtin.name, builtin.arguments);
        let arguments: Vec<String> = kinds.chars().map(|kind| self.argument(kind, depth.saturating_sub(1))).collect();
        format!("{name}({})", arguments.join(", "))
    }

    /// `json.unmarshal` and its like can be asked for anything.
    fn tape_free(&self, at: usize) -> bool {
        self.words.builtins[at].name.ends_with("unmarshal")
    }

    fn argument(&mut self, kind: Kind, depth: usize) -> String {
        match self.tape.weighted(&[40, 40, 14]) {
            // What only literals make sense of.
            0 => self.literal(kind),
            1 => self.term(kind, depth),
            _ => self.reference('a'),
        }
    }

    fn comprehension(&mut self, kind: Kind, depth: usize) -> String {
        let outer = self.scope.len();
        let around = self.given_by_head.take();
        let body = self.body(depth - 1, 2);
        let value = self.term('a', depth - 1);
        let value = self.in_head(value);
        let text = match kind {
            't' => format!("{{{value} | {body}}}"),
            'o' => {
                let key = self.term('s', 0);
                format!("{{{key}: {value} | {body}}}")
            }
            'n' => format!("count([{value} | {body}])"),
            _ => format!("[{value} | {body}]"),
        };
        self.scope.truncate(outer);
        self.given_by_head = around;
        text
    }

    fn operation(&mut self, kind: Kind, depth: usize) -> String {
        let depth = depth.saturating_sub(1);
        if kind == 't' || (kind == 'a' && self.tape.chance(40)) {
            let (left, right) = (self.term('t', depth), self.term('t', depth));
            let operator = self.tape.one(&["|", "&", "-"]);
            return format!("({left} {operator} {right})");
        }
        if kind == 'b' {
            return self.comparison(depth);
        }
        let (left, right) = (self.term('n', depth), self.term('n', depth));
        let operator = self.tape.one(&["+", "-", "*", "/", "%"]);
        format!("({left} {operator} {right})")
    }

    fn comparison(&mut self, depth: usize) -> String {
        let (left, right) = self.sides(depth);
        let operator = self.tape.one(&["==", "!=", "<", "<=", ">", ">=", "in"]);
        format!("({left} {operator} {right})")
    }
}
