//! What the policies put under hidden names: `{"password": data.k}`.
//!
//! Such a value is reported where it stands, so that it is known and hidden wherever else it turns up; and what it is
//! made of is hidden, too. What may have hidden names that only the evaluation knows is reported whole.

use super::{
    insert::Insertion,
    instrument::{Writer, is_literal},
    record::{ConditionId, LOOK, SECRET, SEEN},
    scope::{Scope, Uses},
};
use crate::policy::rego::{
    ast::{ExprKind, Operator, Rule, Span, Term, TermKind},
    visit::{self, Node},
};

/// The ranks of insertions: around operands, and inside of them.
const OUTER: u8 = 2;
const INNER: u8 = 4;

impl<'a> Writer<'a> {
    /// Has a rule report what it puts under hidden names.
    pub(super) fn secrets(&mut self, rule: &'a Rule, chained: bool) {
        self.secret.clear();
        // Where a term is a pattern, or the name of something, nothing may stand for it.
        let head = &rule.head;
        let mut taken: Vec<Span> = vec![head.reference.span];
        taken.extend(head.arguments.iter().flatten().map(|argument| argument.span));
        taken.extend(head.key.iter().filter(|_| !head.contains).map(|key| key.span));
        taken.extend(head.value.iter().filter(|_| chained || rule.default).map(|value| value.span));
        let mut found: Vec<(&'a Term, ConditionId, u8)> = Vec::new();
        let redaction = self.redaction;
        visit::rule(rule, &mut |node, _| match node {
            Node::Expr(expression) => match &expression.kind {
                ExprKind::SomeIn { key, value, .. } => taken.extend(key.iter().chain([value]).map(|term| term.span)),
                ExprKind::Term(Term { kind: TermKind::Infix { operator, left, right, .. }, .. }) => match operator {
                    Operator::Assign => taken.push(left.span),
                    Operator::Unify => taken.extend([left.span, right.span]),
                    _ => {}
                },
                // The last may take the call's value.
                ExprKind::Term(Term { kind: TermKind::Call { arguments, .. }, .. }) => {
                    taken.extend(arguments.last().filter(|_| arguments.len() > 1).map(|term| term.span));
                }
                _ => {}
            },
            Node::Term(term) => match &term.kind {
                TermKind::Object(members) => {
                    let mut open = false;
                    for (key, value) in members {
                        match &key.kind {
                            TermKind::String { value: name, .. } if redaction.hides(name) => {
                                found.push((value, SECRET, OUTER));
                                made_of(value, &mut |part| found.push((part, SECRET, INNER)));
                            }
                            kind => open |= !matches!(kind, TermKind::String { .. }),
                        }
                    }
                    if open {
                        found.push((term, LOOK, OUTER));
                    }
                }
                TermKind::ObjectComprehension(..) => found.push((term, LOOK, OUTER)),
                TermKind::Ref(reference) if matches!(reference.head.kind, TermKind::Call { .. }) => {
                    found.push((&*reference.head, LOOK, INNER));
                }
                _ => {}
            },
            Node::Call { function, arguments, .. } => {
                if matches!(&function.head.kind, TermKind::Var(name) if name == "walk") {
                    taken.extend(arguments.iter().map(|argument| argument.span));
                }
                let calls = arguments.iter().filter(|argument| matches!(argument.kind, TermKind::Call { .. }));
                found.extend(calls.map(|call| (call, LOOK, INNER)));
            }
            _ => {}
        });
        for (term, report, rank) in found {
            if report == SECRET && rank == OUTER {
                self.secret.push(term);
            }
            let wildcard = matches!(&term.kind, TermKind::Var(name) if name == "_");
            if !wildcard && !is_literal(term) && !taken.iter().any(|span| within(term.span, *span)) {
                self.wrap(term, report, rank);
            }
        }
    }

    fn wrap(&mut self, term: &Term, report: ConditionId, rank: u8) {
        let text = format!("{SEEN}({report}, 0, (");
        self.insertions.push(Insertion { at: term.span.start, closes: false, rank, text });
        self.close(term.span.end, "))".to_owned());
    }

    /// Notes where what is put under hidden names comes from, of a condition or a value that uses all that. What is in
    /// `apart` is noted elsewhere.
    pub(super) fn secret_sources(&mut self, span: Span, apart: Option<Span>, scope: &Scope, uses: &Uses) {
        for term in &self.secret {
            if !within(term.span, span) || apart.is_some_and(|apart| within(term.span, apart)) {
                continue;
            }
            let own = scope.uses(term, self.names).sources;
            // Names of a comprehension's own come from what it goes through.
            let sources = if scope.has_unknown(term, self.names) { uses.sources.clone() } else { own };
            self.program.secret.extend(sources);
        }
    }
}

/// What a value is made of: references and variables, but not what chooses among their members.
fn made_of<'t>(term: &'t Term, found: &mut dyn FnMut(&'t Term)) {
    match &term.kind {
        TermKind::Var(_) | TermKind::Ref(_) => found(term),
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| made_of(item, found)),
        TermKind::Call { arguments, .. } => arguments.iter().for_each(|argument| made_of(argument, found)),
        TermKind::Infix { left, right, .. } => {
            made_of(left, found);
            made_of(right, found);
        }
        TermKind::Object(members) => members.iter().for_each(|(_, value)| made_of(value, found)),
        TermKind::Parenthesised(inner) => made_of(inner, found),
        _ => {}
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.start >= outer.start && inner.end <= outer.end
}
