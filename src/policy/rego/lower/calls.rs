//! Calls: of built-ins, of functions of the set, and of operators by their names.

use super::{
    super::ast::{Operator, Ref, Span, Term, TermKind},
    Lowering, MOCKED, OWN, SHAPED, WALK, names, terms,
};

impl<'a> Lowering<'a> {
    pub(super) fn call(&mut self, at: Span, function: &'a Ref, arguments: &'a [Term]) {
        let chain = match names::dotted(function).as_deref() {
            Some("rego.metadata.chain") => Some(true),
            Some("rego.metadata.rule") => Some(false),
            _ => None,
        };
        if let Some(json) = chain.and_then(|chain| (self.world.metadata)(self.place, chain)) {
            return self.replace(at, json);
        }
        if let Some(operator) = self.operator(function) {
            return self.operation(at, (operator, " = "), arguments, Self::term);
        }
        if let (true, Some((of, into))) = (self.is_walk(function), arguments.split_first()) {
            return self.walk(at, function, (of, into.first()), Self::term);
        }
        self.called(function);
        for argument in arguments {
            self.term(argument);
        }
        self.assign_output(at, function, arguments);
    }

    /// The operator that a call calls by its name, as `plus(1, 2)` does.
    pub(super) fn operator(&self, function: &Ref) -> Option<Operator> {
        let TermKind::Var(name) = &function.head.kind else { return None };
        let is_free = function.parts.is_empty() && !self.is_local(name) && !self.is_rule(name);
        Operator::named(name).filter(|_| is_free)
    }

    /// `plus(a, b)` as a call of ours, `equal(a, b)` as `a == b`; `plus(a, b, x)` is that `= x`. `equals` is how that is
    /// asked.
    pub(super) fn operation(
        &mut self,
        at: Span,
        (operator, equals): (Operator, &str),
        arguments: &'a [Term],
        operand: impl Fn(&mut Self, &'a Term),
    ) {
        let [left, right, output @ ..] = arguments else { return };
        let own = match operator {
            Operator::Less => Some("less"),
            Operator::LessOrEqual => Some("less_or_equal"),
            Operator::Greater => Some("greater"),
            Operator::GreaterOrEqual => Some("greater_or_equal"),
            _ => terms::function(operator, [left, right]),
        };
        let (open, between, close) = match (own, operator) {
            (Some(own), _) => (format!("{OWN}.{own}("), ", ", ")"),
            (None, Operator::NotEqual) => (String::new(), " != ", ""),
            (None, Operator::Equal) => (String::new(), " == ", ""),
            (None, _) => (String::new(), equals, ""),
        };
        let (open, close) = match output {
            [] => (open, close.to_owned()),
            _ => (open, format!("{close}{equals}")),
        };
        self.replace(Span { start: at.start, end: left.span.start }, open);
        operand(self, left);
        self.replace(left.span.between(right.span), between);
        operand(self, right);
        match output {
            [output] => {
                self.replace(right.span.between(output.span), close);
                operand(self, output);
                self.replace(Span { start: output.span.end, end: at.end }, "");
            }
            _ => self.replace(Span { start: right.span.end, end: at.end }, close),
        }
    }

    pub(super) fn is_walk(&self, function: &Ref) -> bool {
        names::dotted(function).as_deref() == Some("walk")
            && !self.is_local("walk")
            && !self.imports.contains_key("walk")
            && !(self.world.defined)("walk")
    }

    /// `walk(x)` becomes `WALK(x)[_]`, of which regorus would take what it is assigned to for an argument; and
    /// `walk(x, p)` becomes `WALK(x)[_] = p`, because an `every` does not see what regorus' own `walk` binds.
    pub(super) fn walk(
        &mut self,
        at: Span,
        function: &Ref,
        (of, into): (&'a Term, Option<&'a Term>),
        operand: impl Fn(&mut Self, &'a Term),
    ) {
        let shape = into.and_then(|into| self.shape_of(into));
        if shape.is_some() {
            self.insert(function.span.start, format!("{SHAPED}("));
        }
        self.replace(function.span, WALK);
        operand(self, of);
        match into {
            Some(into) => {
                let shape = shape.map(|shape| format!(", {shape})")).unwrap_or_default();
                self.replace(of.span.between(into.span), format!(")[_]{shape} = "));
                operand(self, into);
                self.replace(Span { start: into.span.end, end: at.end }, "");
            }
            None => self.insert(at.end, "[_]"),
        }
    }

    /// `f(a, b, x)`, where `f` is a built-in of two arguments, becomes `f(a, b) = x`: regorus knows the arity of its own
    /// built-ins alone.
    fn assign_output(&mut self, at: Span, function: &'a Ref, arguments: &'a [Term]) {
        let Some(name) = names::dotted(function) else { return };
        let [.., before, output] = arguments else { return };
        let first = name.split('.').next().unwrap_or_default();
        let known = self.is_local(first) || self.imports.contains_key(first) || (self.world.defined)(&name);
        let arity = (self.world.built_in)(&name).map(usize::from);
        if !known && arity.is_some_and(|arity| arity + 1 == arguments.len()) {
            match self.shape_of(output) {
                Some(shape) => {
                    self.insert(at.start, format!("{SHAPED}("));
                    self.replace(before.span.between(output.span), format!("), {shape}) = "));
                }
                None => self.replace(before.span.between(output.span), ") = "),
            }
            self.replace(Span { start: output.span.end, end: at.end }, "");
        }
    }

    /// What is called: a function of this package by its whole name, as a `with` knows it.
    pub(super) fn called(&mut self, function: &'a Ref) {
        if self.mocked(function) {
            return;
        }
        let is_function = names::dotted(function)
            .is_some_and(|name| (self.world.function)(&format!("data.{}.{name}", self.package.join("."))).is_some());
        if !is_function || !self.whole(function) {
            self.named(function);
        }
    }

    /// Lowers a built-in that a `with` somewhere replaces, and that regorus does not know, to the function that calls it.
    pub(super) fn mocked(&mut self, function: &Ref) -> bool {
        let Some(name) = names::dotted(function).filter(|name| (self.world.mocked)(name)) else { return false };
        let first = name.split('.').next().unwrap_or_default();
        if self.is_local(first) || self.imports.contains_key(first) || (self.world.defined)(first) {
            return false;
        }
        self.replace(function.span, format!("data.{MOCKED}.{}", names::wrapper_name(&name)));
        true
    }

    /// Lowers a reference to a rule of this package by its whole name; `false` for any other, and then nothing is done.
    pub(super) fn whole(&mut self, reference: &'a Ref) -> bool {
        let TermKind::Var(name) = &reference.head.kind else { return false };
        if self.is_local(name) || self.imports.contains_key(name) || !(self.world.defined)(name) {
            return false;
        }
        let whole = names::data(self.package.iter().chain([name]));
        self.bare_head(reference);
        self.replace(reference.head.span, whole);
        self.parts(&reference.parts, &mut Self::bracket);
        true
    }
}
