//! Modules and rules.

use super::{
    super::{
        ast::{Body, Else, ExprKind, Head, Module, RefPart, RefPartKind, Rule, Span, Term, TermKind},
        visit::{self, Node},
    },
    KEY, Lowering, Place, names,
    shared::below_data,
};

/// OPA passes it at the start of a file; to regorus it is no character of Rego.
const BYTE_ORDER_MARK: char = '\u{feff}';

impl<'a> Lowering<'a> {
    pub(super) fn module(&mut self, module: &'a Module) {
        if self.text.starts_with(BYTE_ORDER_MARK) {
            self.replace(Span { start: 0, end: 3 }, "");
        }
        let names = self.package.iter().chain(&self.keywords);
        let path = below_data(&names::data(names));
        if self.text.get(module.package.path_span.range()) != Some(path.as_str()) {
            self.replace(module.package.path_span, path);
        }
        for import in &module.imports {
            // Its uses are whole references now; regorus would read a package for the name alone.
            let root = import.path.first().map(|name| name.text.as_str());
            // In Rego v1 keywords need no import, and regorus takes a second import of one for a fault.
            if matches!(root, Some("data" | "input")) || (root == Some("future") && module.v1) {
                self.replace(import.span, "");
            }
        }
        for (number, rule) in module.rules.iter().enumerate() {
            if names::keywords(rule) == self.keywords {
                self.place = Place { rule: number, in_else: false };
                self.rule(rule, module.v1);
            } else {
                self.replace(rule.span, "");
            }
        }
    }

    fn rule(&mut self, rule: &'a Rule, v1: bool) {
        let mixed = (self.world.mixed)(rule);
        if mixed.is_some() && rule.default {
            return self.replace(rule.span, "");
        }
        self.key = mixed.and_then(|at| self.constant(rule, at)).map(|constant| format!("{KEY} := {constant}"));
        let mut arguments = Vec::new();
        rule.head.arguments.iter().flatten().for_each(|argument| names::variables(argument, &mut arguments));
        self.levels.push(arguments.iter().copied().collect());
        self.scopes.push(arguments);
        // The head sees what the body declares.
        self.scopes.push(rule.body.as_ref().map(names::declared).unwrap_or_default());
        // A further body of a rule of Rego v0 has the head of the first, where that stands.
        if !rule.chained {
            self.asked_of_head.clear();
            self.once = v1 && mixed.is_none() && self.has_one_solution(rule);
            self.first = self.key.iter().cloned().collect();
            self.in_head(rule.body.as_ref(), rule.head.key.iter().chain(&rule.head.value), |lowering| {
                lowering.head(rule, mixed);
            });
        }
        let asked = self.asked_of_head.clone();
        match &rule.body {
            Some(body) => self.rule_body(body, of_head(&rule.head), &asked),
            None => self.no_body(rule.head.span.end, &asked, v1),
        }
        self.scopes.pop();
        for otherwise in &rule.otherwise {
            self.otherwise(otherwise, v1);
        }
        self.scopes.pop();
        self.levels.pop();
    }

    /// A constant in a head, as text.
    fn constant(&self, rule: &Rule, at: usize) -> Option<String> {
        let part = rule.head.reference.parts.get(at);
        if let Some(name) = part.and_then(|part| names::constant(&part.kind)) {
            return Some(names::quoted(name));
        }
        let term = match part.map(|part| &part.kind) {
            Some(RefPartKind::Bracket(index)) => index,
            _ => rule.head.key.as_ref()?,
        };
        self.text.get(term.span.range()).map(str::to_owned)
    }

    /// Whether a head defines something in a member whose key is a constant, but no string.
    fn is_in_a_scalar(&self, head: &Head) -> bool {
        let scalar = |part: &RefPart| match &part.kind {
            RefPartKind::Bracket(index) => {
                matches!(index.kind, TermKind::Null | TermKind::Bool(_) | TermKind::Number(_))
            }
            RefPartKind::Dot(_) => false,
        };
        head.key.is_none() && self.key.is_none() && head.reference.parts.iter().any(scalar)
    }

    /// The head, and in it a variable for the part with that number.
    fn head(&mut self, rule: &'a Rule, mixed: Option<usize>) {
        let head = &rule.head;
        match (self.world.shared)(rule) {
            Some(name) => self.replace(head.reference.span, name),
            None => self.defines(rule, mixed),
        }
        let mut replaced = self.parameters(rule).into_iter().peekable();
        for (number, argument) in head.arguments.iter().flatten().enumerate() {
            match replaced.next_if(|(at, _)| *at == number) {
                Some((_, variable)) => self.replace(argument.span, variable),
                None => self.term(argument),
            }
        }
        match &head.key {
            Some(key) if mixed == Some(head.reference.parts.len()) => self.replace(key.span, KEY),
            key => key.iter().for_each(|key| self.head_term(rule, key)),
        }
        head.value.iter().for_each(|term| self.head_term(rule, term));
        // A function that is all head is true; regorus wants that written. And without a value in its head, it would take
        // one whose `else` has an undefined value for true. What has an `else` has no further body, which would lose it.
        let written = rule.body.is_none() || !rule.otherwise.is_empty();
        if head.arguments.is_some() && head.value.is_none() && written {
            self.insert(head.span.end, " := true");
        }
    }

    /// What a head defines, and in it a variable for the part with that number.
    fn defines(&mut self, rule: &'a Rule, mixed: Option<usize>) {
        let head = &rule.head;
        // Its first name is what it defines, not a use.
        let named = self.keywords.len();
        if let Some(part) = named.checked_sub(1).and_then(|last| head.reference.parts.get(last)) {
            let name = names::constant(&part.kind).unwrap_or_default();
            self.replace(Span { start: head.reference.span.start, end: part.span.end }, name);
        }
        // The cases of a table are listed by the keys of its head (`policy/testing`): those stay there.
        let is_test = matches!(&head.reference.head.kind, TermKind::Var(name) if name.starts_with("test_"));
        for (number, part) in head.reference.parts.iter().enumerate().skip(named) {
            match &part.kind {
                _ if mixed == Some(number) => self.replace(part.span, format!("[{KEY}]")),
                // regorus takes a default in brackets for one of another type than the rule's.
                RefPartKind::Bracket(_) if rule.default => {
                    if let Some(name) = names::constant(&part.kind) {
                        self.replace(part.span, names::part(name));
                    }
                }
                RefPartKind::Bracket(index) if is_test => self.term(index),
                RefPartKind::Bracket(index) => self.head_term(rule, index),
                // For what ends so, regorus makes the object around it, also where it holds for nothing.
                RefPartKind::Dot(name) if number + 1 == head.reference.parts.len() && self.is_in_a_scalar(head) => {
                    self.replace(part.span, format!("[{}]", names::quoted(name)));
                }
                RefPartKind::Dot(_) => {}
            }
        }
    }

    /// What a head asks goes to the end of the body: where it is undefined, that solution has no value, but others may.
    fn head_term(&mut self, rule: &'a Rule, term: &'a Term) {
        // With one solution it is all the same, and what stays takes less time.
        let stays = || (rule.body.is_none() || self.once) && !self.iterates(term) && !self.is_out_of_order(&[term]);
        if rule.default || stays() {
            return self.term(term);
        }
        let asked = self.asked_by_head(&[term]);
        self.asked_of_head.extend(asked);
    }

    /// Whether a rule has one value, in one solution of its only body: nothing else is asked where its head is undefined.
    fn has_one_solution(&self, rule: &Rule) -> bool {
        let is_value = rule.head.key.is_none() && !rule.head.contains;
        let is_named = rule.head.reference.parts.iter().all(|part| names::constant(&part.kind).is_some());
        let holds_once = |body: &Body| {
            body.expressions.iter().all(|condition| {
                let values = condition.with.iter().map(|with| &with.value);
                let asked = match &condition.kind {
                    ExprKind::Some(_) | ExprKind::SomeIn { .. } => return false,
                    ExprKind::Every { domain, .. } => Some(domain),
                    ExprKind::Not(_) | ExprKind::Logical { .. } => None,
                    ExprKind::Term(term) => Some(term),
                };
                !asked.into_iter().chain(values).any(|term| self.iterates(term) || calls_walk(term))
            })
        };
        is_value && is_named && rule.otherwise.is_empty() && rule.body.as_ref().is_some_and(holds_once)
    }

    /// Where there is no body, one of what the head asks, and of what gives values to the variables in it.
    fn no_body(&mut self, at: u32, asked: &[String], v1: bool) {
        let conditions: Vec<String> = self.first.iter().chain(asked).cloned().collect();
        if !conditions.is_empty() {
            self.insert(at, format!("{} {{ {} }}", if v1 { " if" } else { "" }, conditions.join("; ")));
        }
    }

    fn otherwise(&mut self, otherwise: &'a Else, v1: bool) {
        self.place.in_else = true;
        self.scopes.push(otherwise.body.as_ref().map(names::declared).unwrap_or_default());
        let value = otherwise.value.as_ref();
        let asked = self.in_head(otherwise.body.as_ref(), value, |lowering| {
            let Some(value) = value else { return Vec::new() };
            if otherwise.body.is_some() || lowering.iterates(value) || lowering.is_out_of_order(&[value]) {
                return lowering.asked_by_head(&[value]);
            }
            lowering.term(value);
            Vec::new()
        });
        match &otherwise.body {
            Some(body) => self.rule_body(body, value, &asked),
            None => self.no_body(otherwise.span.end, &asked, v1),
        }
        self.scopes.pop();
    }

    /// A body of a rule, which has no braces where it is one expression, and what its head asks.
    fn rule_body(&mut self, body: &'a Body, head: impl IntoIterator<Item = &'a Term>, asked: &[String]) {
        let outer = std::mem::take(&mut self.edits);
        let more = self.expressions(body, head);
        let own = std::mem::replace(&mut self.edits, outer);
        // regorus takes a brace after `if` for that of a body, whatever follows.
        let opens = || self.text.get(body.span.range()).is_some_and(|text| text.starts_with('{'));
        let braces = !body.braces && (more || !asked.is_empty() || !self.first.is_empty() || opens());
        if braces {
            self.insert(body.span.start, "{ ");
        }
        if let (false, Some(first)) = (self.first.is_empty(), body.expressions.first()) {
            let conditions = self.first.join("; ");
            self.insert(first.span.start, format!("{conditions}; "));
        }
        self.edits.extend(own);
        if !asked.is_empty() {
            let end = body.expressions.last().map_or(body.span.end, |last| last.span.end);
            self.insert(end, format!("; {}", asked.join("; ")));
        }
        if braces {
            self.insert(body.span.end, " }");
        }
    }

    /// Whether a term may have several values: a variable that nothing has given a value is in brackets in it.
    pub(super) fn iterates(&self, term: &Term) -> bool {
        let mut found = false;
        visit::term(term, &mut |node, _| {
            let Node::Ref(reference) = node else { return };
            found |= reference.parts.iter().any(|part| match &part.kind {
                // Each `_` is another one, whatever stands in the scopes.
                RefPartKind::Bracket(Term { kind: TermKind::Var(name), .. }) => {
                    name == "_"
                        || self.has_no_value(name)
                        || !self.is_local(name) && !self.imports.contains_key(name) && !(self.world.defined)(name)
                }
                RefPartKind::Bracket(Term {
                    kind: TermKind::Array(_) | TermKind::Object(_) | TermKind::Parenthesised(_),
                    ..
                }) => true,
                _ => false,
            });
        });
        found
    }
}

/// The terms of a head.
fn of_head(head: &Head) -> impl Iterator<Item = &Term> {
    let keys = head.reference.parts.iter().filter_map(|part| match &part.kind {
        RefPartKind::Bracket(index) => Some(index),
        RefPartKind::Dot(_) => None,
    });
    keys.chain(&head.key).chain(&head.value)
}

/// Whether `walk` is called in a term, which has many values.
fn calls_walk(term: &Term) -> bool {
    let mut found = false;
    visit::term(term, &mut |node, _| {
        found |= matches!(node, Node::Call { function, .. } if names::dotted(function).as_deref() == Some("walk"));
    });
    found
}
