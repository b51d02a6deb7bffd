//! Terms.

use super::{
    super::ast::{Body, Operator, Ref, RefPartKind, Span, TemplatePart, Term, TermKind},
    Lowering, OWN, TEMPLATE, names,
};

impl<'a> Lowering<'a> {
    pub(super) fn term(&mut self, term: &'a Term) {
        match &term.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => {}
            TermKind::Template { parts, .. } => self.template(term.span, parts),
            TermKind::Var(name) => self.name(name, term.span),
            TermKind::Ref(reference) => self.reference(reference),
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| self.term(item)),
            TermKind::Object(members) => {
                for (key, value) in members {
                    self.term(key);
                    self.term(value);
                }
            }
            TermKind::ArrayComprehension(item, body) | TermKind::SetComprehension(item, body) => {
                self.comprehension(&[item], body);
            }
            TermKind::ObjectComprehension(member, body) => self.comprehension(&[&member.0, &member.1], body),
            TermKind::Call { function, arguments } => self.call(term.span, function, arguments),
            TermKind::Infix { operator, operator_span, left, right } => match function(*operator) {
                Some(function) => {
                    self.insert(term.span.start, format!("{OWN}.{function}("));
                    self.term(left);
                    self.replace(*operator_span, ",");
                    self.term(right);
                    self.insert(term.span.end, ")");
                }
                None => {
                    self.term(left);
                    self.term(right);
                }
            },
            TermKind::MemberWithKey { key, value, collection } => {
                [key, value, collection].into_iter().for_each(|part| self.term(part));
            }
            TermKind::Parenthesised(inner) => self.term(inner),
            TermKind::Minus(inner) => {
                self.replace(term.span.before(inner.span), format!("{OWN}.minus(0, "));
                self.term(inner);
                self.insert(term.span.end, ")");
            }
        }
    }

    fn name(&mut self, name: &str, at: Span) {
        if let Some(target) = self.imports.get(name).filter(|_| !self.is_local(name)) {
            let target = target.clone();
            self.replace(at, target);
        }
    }

    pub(super) fn reference(&mut self, reference: &'a Ref) {
        self.term(&reference.head);
        self.parts(reference);
    }

    pub(super) fn parts(&mut self, reference: &'a Ref) {
        for part in &reference.parts {
            match &part.kind {
                RefPartKind::Dot(name) if !names::is_plain(name) => self.replace(part.span, names::part(name)),
                RefPartKind::Dot(_) => {}
                RefPartKind::Bracket(index) => self.term(index),
            }
        }
    }

    fn comprehension(&mut self, items: &[&'a Term], body: &'a Body) {
        self.scopes.push(names::declared(body));
        items.iter().for_each(|item| self.term(item));
        self.expressions(body);
        self.scopes.pop();
    }

    fn call(&mut self, at: Span, function: &'a Ref, arguments: &'a [Term]) {
        let chain = match names::dotted(function).as_deref() {
            Some("rego.metadata.chain") => Some(true),
            Some("rego.metadata.rule") => Some(false),
            _ => None,
        };
        if let Some(json) = chain.and_then(|chain| (self.world.metadata)(self.rule, chain)) {
            return self.replace(at, json);
        }
        self.reference(function);
        arguments.iter().for_each(|argument| self.term(argument));
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
                    self.templates += 1;
                    let variable = format!("__verdict_{}", self.templates);
                    written.push_str(&format!("{{{variable} | {variable} := "));
                    self.replace(Span { start: from, end: expression.span.start }, std::mem::take(&mut written));
                    self.expression(expression);
                    from = expression.span.end;
                    written.push_str("}, ");
                }
            }
        }
        let end = format!("{}])", written.strip_suffix(", ").unwrap_or(&written));
        self.replace(Span { start: from, end: at.end }, end);
    }
}

/// Our function for an operator of values; `None` for comparisons and the like.
fn function(operator: Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Plus => "plus",
        Operator::Minus => "minus",
        Operator::Multiply => "multiply",
        Operator::Divide => "divide",
        Operator::Remainder => "remainder",
        Operator::And => "intersection",
        Operator::Or => "union",
        _ => return None,
    })
}
