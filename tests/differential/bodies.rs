//! Bodies: statements that bind variables, iterate, negate, quantify, and replace what others see.

use super::generate::{Generator, RuleKind};

impl Generator<'_> {
    /// At least one statement, at most `most`, with `; ` between them. Variables that it binds stay in scope.
    pub(crate) fn body(&mut self, depth: usize, most: usize) -> String {
        let count = 1 + self.tape.below(most);
        let mut statements = Vec::new();
        for _ in 0..count {
            statements.push(self.statement(depth));
        }
        // The order of statements is the author's, not the evaluation's.
        if statements.len() > 1 && self.tape.chance(8) && !statements.iter().any(|one| one.contains(":=")) {
            statements.reverse();
        }
        statements.join("; ")
    }

    fn statement(&mut self, depth: usize) -> String {
        let deeper = usize::from(depth > 0);
        match self.tape.weighted(&[16, 14, 14, 14, 8, 8, 9, 5 * deeper, 6, 4, 3, 12, 8]) {
            0 => self.truth(depth),
            1 => {
                let value = self.term('a', depth);
                let name = self.fresh();
                self.scope.push((name.clone(), 'a'));
                format!("{name} := {value}")
            }
            2 => {
                let (left, right) = self.sides(depth);
                let operator = self.tape.one(&["==", "!=", "<", "<=", ">", ">="]);
                format!("{left} {operator} {right}")
            }
            3 => self.some_in(depth),
            4 => self.iteration(),
            5 => self.unification(depth),
            6 => {
                let outer = self.scope.len();
                let inner = match self.tape.below(3) {
                    0 => self.truth(depth),
                    1 => {
                        let (left, right) = self.sides(0);
                        format!("{left} == {right}")
                    }
                    _ => self.with(depth, false),
                };
                self.scope.truncate(outer);
                format!("not {inner}")
            }
            7 => self.every(depth),
            8 => self.with(depth, true),
            9 => {
                let (item, collection) = (self.term('a', depth), self.collection(depth));
                format!("{item} in {collection}")
            }
            11 => self.beside(depth),
            12 => self.late(),
            _ => {
                let (path, value) = (self.fresh(), self.fresh());
                let of = self.reference('o');
                self.scope.extend([(path.clone(), 'r'), (value.clone(), 'a')]);
                format!("walk({of}, [{path}, {value}])")
            }
        }
    }

    /// Two terms that may be equal for all that OPA's types say.
    pub(crate) fn sides(&mut self, depth: usize) -> (String, String) {
        let (one, other) = (self.unknown(), self.term('a', depth));
        if self.tape.chance(50) { (other, one) } else { (one, other) }
    }

    /// A term of no known type.
    fn unknown(&mut self) -> String {
        if self.tape.chance(40) && !self.scope.is_empty() {
            let at = self.tape.below(self.scope.len());
            return self.scope[at].0.clone();
        }
        self.reference('a')
    }

    /// An expression that holds or not.
    fn truth(&mut self, depth: usize) -> String {
        match self.tape.weighted(&[5, 4, 4]) {
            0 => self.reference('a'),
            1 => self.term('a', depth),
            _ => self.call('b', depth),
        }
    }

    fn collection(&mut self, depth: usize) -> String {
        let kind = self.tape.one(&['r', 'r', 'o', 't', 'a']);
        if self.tape.chance(40) { self.reference(kind) } else { self.term(kind, depth) }
    }

    fn some_in(&mut self, depth: usize) -> String {
        let collection = self.collection(depth);
        let item = self.fresh();
        match self.tape.weighted(&[10, 6, 2, 3]) {
            0 => {
                self.scope.push((item.clone(), 'a'));
                format!("some {item} in {collection}")
            }
            1 => {
                let key = self.fresh();
                self.scope.extend([(key.clone(), 'a'), (item.clone(), 'a')]);
                format!("some {key}, {item} in {collection}")
            }
            2 => {
                let other = self.fresh();
                self.scope.extend([(item.clone(), 'a'), (other.clone(), 'a')]);
                format!("some [{item}, {other}] in {collection}")
            }
            _ => {
                let key = if self.tape.chance(30) { format!("{}, ", self.declared()) } else { String::new() };
                format!("some {key}{} in {collection}", self.object_pattern(&item))
            }
        }
    }

    fn declared(&mut self) -> String {
        let name = self.fresh();
        self.scope.push((name.clone(), 'a'));
        name
    }

    /// An object with that variable in it, some of whose keys what it is held against may not have.
    pub(crate) fn object_pattern(&mut self, item: &str) -> String {
        let form = self.tape.below(6);
        // A literal alone binds nothing: what is taken for more than it says needs no variable.
        if form != 5 {
            self.scope.push((item.to_owned(), 'a'));
        }
        match form {
            0 | 1 => format!("{{\"a\": {item}}}"),
            2 => format!("{{\"a\": {item}, \"b\": _}}"),
            3 => format!("{{\"a\": {{\"b\": {item}}}}}"),
            4 => format!("[{{\"a\": {item}}}, _]"),
            _ => "{\"a\": 1}".to_owned(),
        }
    }

    /// `x[_]`, `x[i]` with and without a declaration, over anything.
    fn iteration(&mut self) -> String {
        let kind = self.tape.one(&['r', 'o', 'a']);
        let of = match self.tape.below(3) {
            0 | 1 => self.reference(kind),
            _ => match self.rules.iter().rev().find(|rule| !matches!(rule.kind, RuleKind::Function(_))) {
                Some(rule) => rule.name.clone(),
                None => self.reference(kind),
            },
        };
        let (index, item) = (self.fresh(), self.fresh());
        match self.tape.below(11) {
            0 => {
                self.scope.push((item.clone(), 'a'));
                format!("{item} := {of}[_]")
            }
            // Each `_` is another one, also where one is a parameter or declared.
            5 => format!("some _ in {of}"),
            6 => {
                self.scope.push((item.clone(), 'a'));
                format!("some _, {item} in {of}")
            }
            7 => {
                self.scope.push((index.clone(), 'a'));
                format!("some {index}, _ in {of}")
            }
            8 => {
                self.scope.push((item.clone(), 'a'));
                format!("{item} := {of}[_][_]")
            }
            9 => format!("{of}[_]"),
            10 => {
                self.scope.push((item.clone(), 'a'));
                format!("[_, {item}] = {of}[_]")
            }
            1 => {
                self.scope.extend([(index.clone(), 'a'), (item.clone(), 'a')]);
                format!("some {index}; {item} := {of}[{index}]")
            }
            2 => {
                let value = self.unknown();
                format!("{of}[_] == {value}")
            }
            3 => {
                self.scope.push((index.clone(), 'a'));
                format!("{of}[{index}]")
            }
            _ => {
                self.scope.extend([(index.clone(), 'a'), (item.clone(), 'a')]);
                format!("{of}[{index}] = {item}")
            }
        }
    }

    fn unification(&mut self, depth: usize) -> String {
        let (one, other) = (self.fresh(), self.fresh());
        let value = self.term('a', depth);
        match self.tape.below(9) {
            0 => {
                self.scope.push((one.clone(), 'a'));
                format!("{one} = {value}")
            }
            1 => {
                self.scope.extend([(one.clone(), 'a'), (other.clone(), 'a')]);
                format!("[{one}, {other}] = {value}")
            }
            2 => {
                let known = self.term('a', 0);
                self.scope.push((one.clone(), 'a'));
                format!("[{one}, {known}] = [{value}, 1]")
            }
            3 => format!("{} = {value}", self.object_pattern(&one)),
            // A literal can't be assigned to.
            6 => {
                self.scope.push((one.clone(), 'a'));
                format!("{{\"a\": {one}}} := {value}")
            }
            7 => {
                let right = self.unknown();
                format!("{right} = {}", self.object_pattern(&one))
            }
            8 => {
                let right = self.unknown();
                self.scope.extend([(one.clone(), 'a'), (other.clone(), 'a')]);
                format!("[{one}, {other}] = [{other}, {right}]")
            }
            4 => {
                self.scope.extend([(one.clone(), 'a'), (other.clone(), 'a')]);
                format!("[{one}, {other}] := {value}")
            }
            _ => {
                let right = self.unknown();
                format!("{value} = {right}")
            }
        }
    }

    fn every(&mut self, depth: usize) -> String {
        let outer = self.scope.len();
        let collection = self.collection(depth - 1);
        let item = self.fresh();
        let mut names = item.clone();
        self.scope.push((item, 'a'));
        if self.tape.chance(40) {
            let key = self.fresh();
            names = format!("{key}, {names}");
            self.scope.push((key, 'a'));
        }
        let around = self.given_by_head.take();
        let mut body = self.body(depth - 1, 2);
        // An `every` has no head.
        if let Some(index) = self.given_by_head.take() {
            body += &format!("; {}[{index}]", self.reference('o'));
        }
        self.given_by_head = around;
        self.scope.truncate(outer);
        format!("every {names} in {collection} {{ {body} }}")
    }

    /// A statement that sees something else.
    fn with(&mut self, depth: usize, binds: bool) -> String {
        let inner = match self.rules.len() {
            0 => self.truth(depth),
            count => {
                let rule = self.rules[count - 1 - self.tape.below(count)].clone();
                let reference = match rule.kind {
                    RuleKind::Function(arity) => {
                        let arguments: Vec<String> = (0..arity).map(|_| self.term('a', 0)).collect();
                        format!("{}({})", rule.name, arguments.join(", "))
                    }
                    _ => rule.name,
                };
                if binds && self.tape.chance(50) {
                    let name = self.fresh();
                    let text = format!("{name} := {reference}");
                    self.scope.push((name, 'a'));
                    text
                } else {
                    reference
                }
            }
        };
        let mut text = inner;
        for _ in 0..=self.tape.below(2) {
            text += &self.replacement();
        }
        text
    }

    fn replacement(&mut self) -> String {
        let hidden = self.scope.pop();
        let value = self.term('a', 1);
        self.scope.extend(hidden);
        let form = self.tape.below(7);
        if form >= 5 && !self.rules.is_empty() {
            let rule = self.rules[self.tape.below(self.rules.len())].clone();
            return match rule.kind {
                RuleKind::Function(_) if form == 5 => format!(" with {} as {value}", rule.name),
                RuleKind::Function(1) => format!(" with {} as count", rule.name),
                _ => format!(" with {} as {value}", rule.name),
            };
        }
        match form {
            0 => format!(" with input.a as {value}"),
            1 => format!(" with input as {value}"),
            2 => format!(" with data.base.n as {value}"),
            3 => format!(" with input.o.b as {value}"),
            _ => {
                let name = self.tape.one(&["count", "upper", "is_string", "sum", "startswith"]);
                format!(" with {name} as {value}")
            }
        }
    }
}
