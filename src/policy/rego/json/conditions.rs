//! Bodies and conditions.

use serde_json::{Map, Value, json};

use super::super::ast::{Body, Expr, ExprKind, Logical, Ref, Term, TermKind};
use super::{Writer, boolean, term, variable};

impl Writer<'_> {
    /// A rule's body; `true` where it has none.
    pub(super) fn rule_body(&mut self, body: Option<&Body>) -> Value {
        body.map_or_else(|| json!([{ "index": 0, "terms": boolean(true) }]), |body| self.body(body))
    }

    pub(super) fn body(&mut self, body: &Body) -> Value {
        body.expressions.iter().enumerate().map(|(index, expression)| self.expression(expression, index)).collect()
    }

    pub(super) fn expression(&mut self, expression: &Expr, index: usize) -> Value {
        let mut terms = self.kind(&expression.kind);
        let mut negated = expression.negated;
        if negated && self.not_body {
            terms = json!({ "type": "not", "body": [{ "index": 0, "terms": terms }], "explicit_body": false });
            negated = false;
        }
        let mut result = Map::from_iter([("index".to_owned(), index.into()), ("terms".to_owned(), terms)]);
        if negated {
            result.insert("negated".to_owned(), true.into());
        }
        if !expression.with.is_empty() {
            let mut with = Vec::new();
            for one in &expression.with {
                let target = self.target(&one.target);
                with.push(json!({ "target": target, "value": self.term(&one.value) }));
            }
            result.insert("with".to_owned(), with.into());
        }
        Value::Object(result)
    }

    /// The term of a template's condition that is a constant.
    pub(super) fn constant(&mut self, expression: &Expr) -> Option<Value> {
        let ExprKind::Term(term) = &expression.kind else { return None };
        let mut inner = term;
        while let TermKind::Parenthesised(term) = &inner.kind {
            inner = term;
        }
        let is_constant =
            matches!(inner.kind, TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. });
        is_constant.then(|| self.term(inner))
    }

    fn kind(&mut self, kind: &ExprKind) -> Value {
        match kind {
            ExprKind::Term(of) => match self.call(of) {
                Some(call) => call.into(),
                None => self.term(of),
            },
            ExprKind::Some(names) => {
                let names: Vec<Value> = names.iter().map(|name| self.name(&name.text)).collect();
                json!({ "symbols": names })
            }
            ExprKind::SomeIn { key, value, collection } => {
                let name = if key.is_some() { "member_3" } else { "member_2" };
                let mut call = vec![super::terms::internal(name)];
                call.extend(key.iter().map(|key| self.term(key)));
                call.extend([self.term(value), self.term(collection)]);
                json!({ "symbols": [term("call", call)] })
            }
            ExprKind::Every { key, value, domain, body } => {
                let key = key.as_ref().map(|key| self.name(&key.text));
                let value = self.name(&value.text);
                let domain = self.term(domain);
                json!({ "key": key, "value": value, "domain": domain, "body": self.body(body) })
            }
            ExprKind::Not(body) => {
                json!({ "type": "not", "explicit_body": body.braces, "body": self.body(body) })
            }
            ExprKind::Logical { operator, left, right } => {
                let name = match operator {
                    Logical::And => "and",
                    Logical::Or => "or",
                };
                let (lhs, rhs) = (self.body(left), self.body(right));
                let mut result = Map::from_iter([
                    ("type".to_owned(), name.into()),
                    ("lhs".to_owned(), lhs),
                    ("rhs".to_owned(), rhs),
                ]);
                for (name, operand) in [("explicit_lhs", left), ("explicit_rhs", right)] {
                    if operand.braces {
                        result.insert(name.to_owned(), true.into());
                    }
                }
                Value::Object(result)
            }
        }
    }

    pub(super) fn name(&mut self, name: &str) -> Value {
        if name == "_" { self.wildcard() } else { variable(name) }
    }

    /// What `with` replaces: a name alone is a variable, but `input` and `data` are references.
    fn target(&mut self, target: &Ref) -> Value {
        match &target.head.as_ref() {
            Term { kind: TermKind::Var(name), .. } if target.parts.is_empty() && name != "input" && name != "data" => {
                variable(name)
            }
            _ => self.reference(target),
        }
    }
}
