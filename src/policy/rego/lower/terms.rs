//! Terms.

use std::fmt::Write as _;

use super::{
    super::ast::{Body, Expr, ExprKind, Operator, Ref, RefPart, RefPartKind, Span, TemplatePart, Term, TermKind},
    Lowering, MEMBER_WITH_KEY, OWN, TEMPLATE, names,
};

impl<'a> Lowering<'a> {
    pub(super) fn term(&mut self, term: &'a Term) {
        if let Some(variable) = self.settled.get(&term.span) {
            return self.replace(term.span, variable.clone());
        }
        match &term.kind {
            TermKind::String { value, raw: true } if self.flat && value.contains('\n') => {
                self.replace(term.span, names::quoted(value));
            }
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => {}
            TermKind::Template { parts, .. } => self.template(term.span, parts),
            TermKind::Var(name) => {
                self.merged_name(name, term.span);
                self.name(name, term.span);
            }
            TermKind::Ref(reference) => self.reference(reference),
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| self.term(item)),
            TermKind::Object(members) => self.object(term.span, members, Self::term),
            TermKind::ArrayComprehension(item, body) | TermKind::SetComprehension(item, body) => {
                self.comprehension(&[item], body);
            }
            TermKind::ObjectComprehension(member, body) => self.comprehension(&[&member.0, &member.1], body),
            TermKind::Call { function, arguments } => self.call(term.span, function, arguments),
            TermKind::Infix { operator: operator @ (Operator::Assign | Operator::Unify), left, right, .. } => {
                self.sides(*operator, left, right);
            }
            TermKind::Infix { operator, operator_span, left, right } => {
                self.infix(term.span, (*operator, *operator_span), [left, right], Self::term);
            }
            TermKind::MemberWithKey { key, value, collection } => {
                self.member_with_key(term.span, [key, value, collection], Self::term);
            }
            TermKind::Parenthesised(inner) => self.term(inner),
            TermKind::Minus(inner) => {
                self.replace(term.span.before(inner.span), format!("{OWN}.minus(0, "));
                self.term(inner);
                self.insert(term.span.end, ")");
            }
        }
    }

    /// `a + b` as a call of ours, where it is one.
    pub(super) fn infix(
        &mut self,
        at: Span,
        (operator, operator_span): (Operator, Span),
        [left, right]: [&'a Term; 2],
        operand: impl Fn(&mut Self, &'a Term),
    ) {
        let function = function(operator, [left, right]);
        if let Some(function) = function {
            self.insert(at.start, format!("{OWN}.{function}("));
        }
        operand(self, left);
        if function.is_some() {
            self.replace(operator_span, ",");
        }
        operand(self, right);
        if function.is_some() {
            self.insert(at.end, ")");
        }
    }

    /// What is assigned to a pattern: a name in it that is declared around, too, is still that one.
    pub(super) fn assigned(&mut self, pattern: &'a Term, value: &'a Term) {
        let mut names = Vec::new();
        names::variables(pattern, &mut names);
        names.retain(|name| self.declared_around(name) > 0);
        if let Some(scope) = self.scopes.last_mut() {
            scope.retain(|name| !names.contains(name));
        }
        self.term(value);
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names);
        }
    }

    /// `k, v in c` as a call of ours.
    pub(super) fn member_with_key(&mut self, at: Span, parts: [&'a Term; 3], operand: impl Fn(&mut Self, &'a Term)) {
        let [key, value, collection] = parts;
        self.insert(at.start, format!("{MEMBER_WITH_KEY}("));
        operand(self, key);
        operand(self, value);
        self.replace(value.span.between(collection.span), ", ");
        operand(self, collection);
        self.insert(at.end, ")");
    }

    fn name(&mut self, name: &str, at: Span) {
        if self.is_local(name) {
            return self.local(name, at);
        }
        if let Some(target) = self.imports.get(name) {
            let target = target.clone();
            self.replace(at, target);
        } else if self.is_named_from_data(name) {
            self.replace(at, names::data(self.package.iter().chain([&name.to_owned()])));
        }
    }

    /// Whether a name is of this package, but not of the one that the rule goes to; or one that regorus takes for none.
    pub(super) fn is_named_from_data(&self, name: &str) -> bool {
        (self.world.defined)(name) && (!self.keywords.is_empty() || !names::is_plain(name))
    }

    /// regorus refuses a variable with the name of a rule.
    pub(super) fn local(&mut self, name: &str, at: Span) {
        if let Some(other) = self.other_name(name) {
            self.replace(at, other);
        }
    }

    /// Another name for a variable that has the name of a rule, or of a variable around it: regorus takes some of these
    /// for a second declaration of the same.
    pub(super) fn other_name(&self, name: &str) -> Option<String> {
        if self.is_late(name) {
            return Some(format!("__verdict_other_{name}"));
        }
        match self.declared_around(name) {
            0 => (self.world.defined)(name).then(|| format!("__verdict_local_{name}")),
            around => Some(format!("__verdict_local{around}_{name}")),
        }
    }

    /// How many scopes around the one that declares a name declare it, too.
    fn declared_around(&self, name: &str) -> usize {
        // Each `_` is another.
        if name == "_" {
            return 0;
        }
        let Some(own) = self.scopes.iter().rposition(|scope| scope.contains(&name)) else { return 0 };
        let around = self.scopes.iter().enumerate().take(own);
        around.filter(|(at, scope)| scope.contains(&name) || self.declares_later(*at, name)).count()
    }

    /// Takes away the parentheses around the head of a reference: regorus takes none there.
    pub(super) fn bare_head(&mut self, reference: &Ref) {
        let (whole, head) = (reference.span, reference.head.span);
        if whole.start < head.start {
            let end = reference.parts.first().map_or(whole.end, |part| part.span.start);
            self.replace(Span { start: whole.start, end: head.start }, "");
            self.replace(Span { start: head.end, end }, "");
        }
    }

    pub(super) fn reference(&mut self, reference: &'a Ref) {
        self.keyed(reference);
        if self.dynamic(reference, false, Self::bracket) {
            return;
        }
        self.elements_by_calls(reference, 0, false);
        if !self.looks_up(reference) {
            self.named(reference);
        }
    }

    /// A reference as it stands.
    pub(super) fn named(&mut self, reference: &'a Ref) {
        self.bare_head(reference);
        self.head_of_reference(&reference.head);
        self.parts(&reference.parts, &mut Self::bracket);
    }

    /// What a reference begins with.
    pub(super) fn head_of_reference(&mut self, head: &'a Term) {
        match &head.kind {
            TermKind::Var(name) if !self.settled.contains_key(&head.span) => self.name(name, head.span),
            _ => self.term(head),
        }
    }

    /// The parts of a reference, and what is in their brackets by `index`.
    pub(super) fn parts(&mut self, parts: &'a [RefPart], index: &mut impl FnMut(&mut Self, &'a Term)) {
        for part in parts {
            match &part.kind {
                _ if self.element(part, index) => {}
                RefPartKind::Dot(_) => {}
                RefPartKind::Bracket(inner) => {
                    self.keyed_part(part);
                    index(self, inner);
                }
            }
        }
    }

    fn comprehension(&mut self, items: &[&'a Term], body: &'a Body) {
        self.scopes.push(names::declared(body));
        let asked = self.in_head(Some(body), items.iter().copied(), |lowering| {
            if lowering.is_out_of_order(items) {
                return lowering.asked_by_head(items);
            }
            let mut asked = Vec::new();
            for item in items {
                // In the head, regorus would err where it iterates over what is no collection.
                if lowering.iterates(item) {
                    asked.extend(lowering.asked_by_head(&[item]));
                } else {
                    lowering.term(item);
                }
            }
            asked
        });
        self.expressions(body, items.iter().copied());
        if let (false, Some(last)) = (asked.is_empty(), body.expressions.last()) {
            self.insert(last.span.end, format!("; {}", asked.join("; ")));
        }
        self.scopes.pop();
    }

    /// `$"a {x}"` becomes `TEMPLATE(["a ", {t | t := x}])`.
    fn template(&mut self, at: Span, parts: &'a [TemplatePart]) {
        let mut from = at.start;
        let mut written = format!("{TEMPLATE}([");
        for part in parts {
            match part {
                TemplatePart::Text(text) => {
                    written.push_str(&names::quoted(text));
                    written.push_str(", ");
                }
                TemplatePart::Expr(expression) => {
                    if let Some(number) = written_number(expression) {
                        written.push_str(&names::quoted(number));
                        written.push_str(", ");
                        continue;
                    }
                    let variable = self.variable();
                    let outer = std::mem::take(&mut self.edits);
                    // What the condition around has for variables has values here.
                    let (mut looked_up, mut asked) = (Vec::new(), Vec::new());
                    self.seeing([], |lowering| (looked_up, asked) = lowering.separate(expression));
                    let own = std::mem::replace(&mut self.edits, outer);
                    let asked: String = looked_up.into_iter().chain(asked).map(|one| one + "; ").collect();
                    // Writing to a string does not fail.
                    let _ = write!(written, "{{{variable} | {asked}{variable} := ");
                    self.replace(Span { start: from, end: expression.span.start }, std::mem::take(&mut written));
                    self.edits.extend(own);
                    from = expression.span.end;
                    written.push_str("}, ");
                }
            }
        }
        let end = format!("{}])", written.strip_suffix(", ").unwrap_or(&written));
        self.replace(Span { start: from, end: at.end }, end);
    }
}

/// Our function for an operator; `None` where regorus' own means the same.
pub(super) fn function(operator: Operator, operands: [&Term; 2]) -> Option<&'static str> {
    Some(match operator {
        Operator::Plus => "plus",
        Operator::Minus => "minus",
        Operator::Multiply => "multiply",
        Operator::Divide => "divide",
        Operator::Remainder => "remainder",
        Operator::And => "intersection",
        Operator::Or => "union",
        Operator::In => "member",
        // regorus has another order of objects and sets; with a scalar it does not matter.
        _ if operands.into_iter().any(is_scalar) => return None,
        Operator::Less => "less",
        Operator::LessOrEqual => "less_or_equal",
        Operator::Greater => "greater",
        Operator::GreaterOrEqual => "greater_or_equal",
        _ => return None,
    })
}

/// The number that a template has as it was written: `1.50` is no `1.5`.
fn written_number(expression: &Expr) -> Option<&str> {
    let ExprKind::Term(term) = &expression.kind else { return None };
    match &bare(term).kind {
        TermKind::Number(number) if !expression.negated && expression.with.is_empty() => Some(number),
        _ => None,
    }
}

fn bare(mut term: &Term) -> &Term {
    while let TermKind::Parenthesised(inner) = &term.kind {
        term = inner;
    }
    term
}

fn is_scalar(term: &Term) -> bool {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => true,
        TermKind::Parenthesised(inner) => is_scalar(inner),
        _ => false,
    }
}
