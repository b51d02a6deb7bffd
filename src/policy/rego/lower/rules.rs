//! Modules and rules.

use super::{
    super::ast::{Body, Else, Module, RefPartKind, Rule, Span, Term, TermKind},
    Lowering, Place, names,
};

impl<'a> Lowering<'a> {
    pub(super) fn module(&mut self, module: &'a Module) {
        let names = self.package.iter().chain(&self.keywords);
        // A package's path has no `data`.
        let path = names::data(names);
        let path = path.strip_prefix("data.").map_or_else(|| path.replacen("data", "", 1), str::to_owned);
        if self.text.get(module.package.path_span.range()) != Some(path.as_str()) {
            self.replace(module.package.path_span, path);
        }
        for import in &module.imports {
            // Its uses are whole references now; regorus would read a package for the name alone.
            let root = import.path.first().map(|name| name.text.as_str());
            if matches!(root, Some("data" | "input")) {
                self.replace(import.span, "");
            }
        }
        for (number, rule) in module.rules.iter().enumerate() {
            if names::keywords(rule) == self.keywords {
                self.place = Place { rule: number, in_else: false };
                self.rule(rule);
            } else {
                self.replace(rule.span, "");
            }
        }
    }

    fn rule(&mut self, rule: &'a Rule) {
        let mut arguments = Vec::new();
        rule.head.arguments.iter().flatten().for_each(|argument| names::variables(argument, &mut arguments));
        self.scopes.push(arguments);
        // The head sees what the body declares.
        self.scopes.push(rule.body.as_ref().map(names::declared).unwrap_or_default());
        // A further body of a rule of Rego v0 has the head of the first, where that stands.
        if !rule.chained {
            self.asked_of_head.clear();
            self.head(rule);
        }
        let asked = self.asked_of_head.clone();
        if let Some(body) = &rule.body {
            self.rule_body(body, &asked);
        }
        self.scopes.pop();
        for otherwise in &rule.otherwise {
            self.otherwise(otherwise);
        }
        self.scopes.pop();
    }

    fn head(&mut self, rule: &'a Rule) {
        let head = &rule.head;
        // Its first name is what it defines, not a use.
        let named = self.keywords.len();
        if let Some(part) = named.checked_sub(1).and_then(|last| head.reference.parts.get(last)) {
            let name = names::constant(&part.kind).unwrap_or_default();
            self.replace(Span { start: head.reference.span.start, end: part.span.end }, name);
        }
        // The cases of a table are listed by the keys of its head (`policy/testing`): those stay there.
        let is_test = matches!(&head.reference.head.kind, TermKind::Var(name) if name.starts_with("test_"));
        for part in head.reference.parts.get(named..).unwrap_or_default() {
            match &part.kind {
                RefPartKind::Bracket(index) if is_test => self.term(index),
                RefPartKind::Bracket(index) => self.head_term(rule, index),
                RefPartKind::Dot(_) => {}
            }
        }
        head.arguments.iter().flatten().for_each(|argument| self.term(argument));
        head.key.iter().chain(&head.value).for_each(|term| self.head_term(rule, term));
        // A function that is all head is true; regorus wants that written.
        if head.arguments.is_some() && head.value.is_none() && rule.body.is_none() {
            self.insert(head.span.end, " := true");
        }
    }

    /// What a head asks goes to the end of the body: where it is undefined, that solution has no value, but others may.
    fn head_term(&mut self, rule: &'a Rule, term: &'a Term) {
        // With one solution it is all the same.
        if rule.default || rule.body.is_none() {
            return self.term(term);
        }
        let asked = self.apart(|lowering| lowering.hoist(term, ""));
        self.asked_of_head.extend(asked);
    }

    fn otherwise(&mut self, otherwise: &'a Else) {
        self.place.in_else = true;
        self.scopes.push(otherwise.body.as_ref().map(names::declared).unwrap_or_default());
        let value = otherwise.value.as_ref();
        let asked = value.map(|value| {
            if otherwise.body.is_some() {
                return self.apart(|lowering| lowering.hoist(value, ""));
            }
            self.term(value);
            Vec::new()
        });
        if let Some(body) = &otherwise.body {
            self.rule_body(body, &asked.unwrap_or_default());
        }
        self.scopes.pop();
    }

    /// A body of a rule, which has no braces where it is one expression, and what its head asks.
    fn rule_body(&mut self, body: &'a Body, asked: &[String]) {
        let outer = std::mem::take(&mut self.edits);
        let more = self.expressions(body);
        let own = std::mem::replace(&mut self.edits, outer);
        let braces = !body.braces && (more || !asked.is_empty());
        if braces {
            self.insert(body.span.start, "{ ");
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
}
