//! Terms: a type and a value each. Operators are calls, and sets and objects are sorted as OPA sorts them.

use std::str::FromStr;

use serde_json::{Number, Value, json};

use super::super::ast::{Body, Operator, Ref, RefPartKind, Span, TemplatePart, Term, TermKind};
use super::{Writer, boolean, order, string, term, variable};

impl Writer<'_> {
    pub(super) fn terms(&mut self, terms: &[Term]) -> Vec<Value> {
        terms.iter().map(|term| self.term(term)).collect()
    }

    pub(super) fn term(&mut self, of: &Term) -> Value {
        match &of.kind {
            TermKind::Null => term("null", json!({})),
            TermKind::Bool(value) => boolean(*value),
            TermKind::Number(text) => term("number", self.number(text)),
            TermKind::String { value, .. } => string(value),
            TermKind::Template { parts, raw } => {
                let parts = self.template(parts, of.span);
                let parts = if parts.is_empty() { Value::Null } else { Value::Array(parts) };
                term("templatestring", json!({ "parts": parts, "multi_line": raw }))
            }
            TermKind::Var(name) if name == "_" => self.wildcard(),
            TermKind::Var(name) => variable(name),
            TermKind::Ref(reference) => self.reference(reference),
            TermKind::Array(terms) => term("array", self.terms(terms)),
            TermKind::Set(terms) => term("set", order::set(self.terms(terms))),
            TermKind::Object(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| (self.term(key), self.term(value))).collect();
                term("object", order::object(pairs))
            }
            TermKind::ArrayComprehension(head, body) => self.comprehension("arraycomprehension", head, body),
            TermKind::SetComprehension(head, body) => self.comprehension("setcomprehension", head, body),
            TermKind::ObjectComprehension(head, body) => {
                let (key, value) = (self.term(&head.0), self.term(&head.1));
                term("objectcomprehension", json!({ "key": key, "value": value, "body": self.body(body) }))
            }
            TermKind::Parenthesised(inner) => self.term(inner),
            TermKind::Call { .. } | TermKind::Infix { .. } | TermKind::MemberWithKey { .. } | TermKind::Minus(_) => {
                term("call", self.call(of).unwrap_or_default())
            }
        }
    }

    /// What is called and with what; `None` if it is no call.
    pub(super) fn call(&mut self, of: &Term) -> Option<Vec<Value>> {
        match &of.kind {
            TermKind::Parenthesised(inner) => self.call(inner),
            TermKind::Call { function, arguments } => {
                let function = self.reference(function);
                Some(std::iter::once(function).chain(self.terms(arguments)).collect())
            }
            TermKind::Infix { operator, left, right, .. } => {
                Some(vec![name_of(*operator), self.term(left), self.term(right)])
            }
            TermKind::MemberWithKey { key, value, collection } => {
                Some(vec![internal("member_3"), self.term(key), self.term(value), self.term(collection)])
            }
            TermKind::Minus(inner) => Some(vec![name_of(Operator::Minus), term("number", 0), self.term(inner)]),
            _ => None,
        }
    }

    pub(super) fn reference(&mut self, reference: &Ref) -> Value {
        term("ref", self.reference_parts(reference))
    }

    pub(super) fn reference_parts(&mut self, reference: &Ref) -> Vec<Value> {
        let mut parts = vec![self.term(&reference.head)];
        for part in &reference.parts {
            parts.push(match &part.kind {
                RefPartKind::Dot(name) => string(name),
                RefPartKind::Bracket(term) => self.term(term),
            });
        }
        parts
    }

    fn number(&mut self, text: &str) -> Value {
        let number = Number::from_str(text);
        self.is_json &= number.is_ok();
        number.map_or(Value::Null, Value::Number)
    }

    pub(super) fn wildcard(&mut self) -> Value {
        let name = format!("${}", self.wildcards);
        self.wildcards += 1;
        variable(&name)
    }

    fn comprehension(&mut self, kind: &str, head: &Term, body: &Body) -> Value {
        let head = self.term(head);
        term(kind, json!({ "term": head, "body": self.body(body) }))
    }

    fn template(&mut self, parts: &[TemplatePart], span: Span) -> Vec<Value> {
        let mut from = span.start;
        let mut written = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                TemplatePart::Text(text) => written.push(string(text)),
                TemplatePart::Expr(expression) => {
                    let between = from..expression.span.start;
                    let comments = &self.module.comments;
                    let first = comments.partition_point(|comment| comment.span.start < between.start);
                    let commented = comments.get(first).is_some_and(|comment| between.contains(&comment.span.start));
                    let constant = if commented { None } else { self.constant(expression) };
                    written.push(constant.unwrap_or_else(|| self.expression(expression, 0)));
                    from = expression.span.end;
                }
            }
        }
        written
    }
}

pub(super) fn internal(name: &str) -> Value {
    term("ref", vec![variable("internal"), string(name)])
}

fn name_of(operator: Operator) -> Value {
    match operator {
        Operator::Assign => term("ref", vec![variable("assign")]),
        Operator::In => internal("member_2"),
        other => term("ref", vec![variable(other.builtin().unwrap_or_default())]),
    }
}
