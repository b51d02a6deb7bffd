//! Statements: which one it is, and rules from their heads to the last `else`.

use super::super::ast::{Body, Else, Head, Ref, RefPartKind, Rule, Span, Term, TermKind};
use super::head::after_dot;
use super::{Kind, Parse, Parser, Statements, checks, fault};

impl Parser<'_> {
    /// One statement, into `statements`.
    pub(super) fn statement(&mut self, statements: &mut Statements) -> Parse<()> {
        let start = self.span();
        match self.kind() {
            Kind::Package if !self.is_reference_ahead() => {
                let package = self.package()?;
                if statements.package.is_some() || !statements.imports.is_empty() || !statements.rules.is_empty() {
                    return Err(fault(start, "the package is stated once, above everything else"));
                }
                statements.package = Some(package);
            }
            Kind::Import if !self.is_reference_ahead() => statements.imports.push(self.import()?),
            _ => statements.rules.extend(self.rule()?),
        }
        if statements.package.is_none() && self.faults.is_empty() {
            self.faults.push(fault(start, "the module begins with its package"));
        }
        Ok(())
    }

    /// A rule, and in v0 one more for each further body.
    fn rule(&mut self) -> Parse<Vec<Rule>> {
        let start = self.span();
        self.keyword_as_name();
        let default = self.accept(Kind::Default);
        if default {
            self.keyword_as_name();
        }
        if self.kind() != Kind::Ident {
            return Err(self.unexpected("a rule, an import or a package"));
        }
        let (mut head, spaced) = self.head()?;
        if default {
            let rule =
                Rule { span: self.span_from(start), default, chained: false, head, body: None, otherwise: Vec::new() };
            checks::default(&rule)?;
            return Ok(vec![rule]);
        }
        let body = match self.kind() {
            Kind::If => {
                self.at += 1;
                head.if_ = true;
                Some(self.body_after_if()?)
            }
            kind => {
                set_by_key(&mut head);
                match kind {
                    Kind::LeftBrace => Some(self.braced()?),
                    _ if head.contains => None,
                    _ => {
                        self.check_fact(&head, spaced)?;
                        None
                    }
                }
            }
        };
        let mut otherwise = Vec::new();
        if body.is_some() && self.kind() == Kind::Else && !self.keyword_as_name() {
            checks::may_have_else(&head).map_err(|cause| fault(self.span(), cause))?;
            self.all_else(&mut otherwise)?;
        }
        let has_body = body.is_some();
        let rule = Rule { span: self.span_from(start), default, chained: false, head, body, otherwise };
        let mut rules = vec![rule];
        while has_body && self.kind() == Kind::LeftBrace {
            self.further_body(&mut rules)?;
        }
        Ok(rules)
    }

    fn further_body(&mut self, rules: &mut Vec<Rule>) -> Parse<()> {
        let start = self.span();
        let Some(first) = rules.first() else { return Ok(()) };
        if !first.otherwise.is_empty() {
            return Err(self.unexpected("`else`, as the body before it has one"));
        }
        let head = first.head.clone();
        let body = Some(self.braced()?);
        let span = self.span_from(start);
        rules.push(Rule { span, default: false, chained: true, head, body, otherwise: Vec::new() });
        Ok(())
    }

    /// A body in braces or one condition. What can be a term is one, but a set: it would always hold.
    fn body_after_if(&mut self) -> Parse<Body> {
        let (start, at) = (self.span(), self.at);
        let braces = self.kind() == Kind::LeftBrace;
        match self.literal() {
            Ok(condition) if !(braces && checks::is_set(&condition)) => {
                Ok(Body { span: self.span_from(start), braces: false, expressions: vec![condition] })
            }
            Err(fault) if !braces => Err(fault),
            _ => {
                self.rewind(at);
                self.braced()
            }
        }
    }

    fn all_else(&mut self, otherwise: &mut Vec<Else>) -> Parse<()> {
        while self.kind() == Kind::Else {
            let start = self.span();
            self.at += 1;
            let assigned = self.kind() == Kind::Assign;
            let value = match self.kind() {
                Kind::Assign | Kind::Unify => {
                    self.at += 1;
                    Some(self.infix(true)?)
                }
                Kind::If | Kind::LeftBrace => None,
                _ => return Err(self.unexpected("`:=`, `if` or a body after `else`")),
            };
            let if_ = self.accept(Kind::If);
            let body = match self.kind() {
                Kind::LeftBrace => Some(self.braced()?),
                _ if if_ => {
                    let start = self.span();
                    let condition = self.literal()?;
                    Some(Body { span: self.span_from(start), braces: false, expressions: vec![condition] })
                }
                _ => None,
            };
            let is_last = body.is_none();
            otherwise.push(Else { span: self.span_from(start), value, assigned, if_, body });
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// A head, and whether there is space inside its name, which a rule with a body may have.
    fn head(&mut self) -> Parse<(Head, bool)> {
        let start = self.span();
        let name = self.variable();
        let next = self.raw(0);
        let continues = matches!(next.kind, Kind::LeftParenthesis | Kind::Dot | Kind::LeftBracket);
        let named = if continues { self.reference(name)? } else { name };
        let (reference, arguments) = parts_of(named)?;
        let mut head = Head {
            span: start,
            reference,
            arguments,
            key: None,
            contains: false,
            value: None,
            assigned: false,
            if_: false,
        };
        match self.kind() {
            Kind::Contains => {
                if head.arguments.is_some() {
                    return Err(self.unexpected("a function's value: it has no keys"));
                }
                self.at += 1;
                head.contains = true;
                head.key = Some(self.infix(true)?);
            }
            Kind::Assign | Kind::Unify => {
                head.assigned = self.kind() == Kind::Assign;
                self.at += 1;
                head.value = Some(self.infix(true)?);
            }
            _ => {}
        }
        head.span = self.span_from(start);
        Ok((head, continues && next.space))
    }

    /// Refuses what is a head before a body, but no rule by itself.
    fn check_fact(&self, head: &Head, spaced: bool) -> Parse<()> {
        let no_arguments = head.arguments.as_ref().is_some_and(Vec::is_empty);
        let bare = head.reference.parts.is_empty() && head.key.is_none() && head.arguments.is_none();
        if head.value.is_none() && (bare || no_arguments) {
            return Err(self.unexpected("`:=`, `if` or `contains` after the name of a rule"));
        }
        if spaced {
            return Err(fault(head.span, "a rule without a body has no space inside its name"));
        }
        let ends = !matches!(self.kind(), Kind::With | Kind::Semicolon | Kind::LogicalAnd | Kind::LogicalOr);
        if ends { Ok(()) } else { Err(self.unexpected("`if` or the end of the rule")) }
    }
}

/// A head without `if`, `contains` and value whose name has one part, `p[x]` or `p.x`, is a set with this key.
fn set_by_key(head: &mut Head) {
    if head.contains || head.arguments.is_some() || head.value.is_some() || head.reference.parts.len() != 1 {
        return;
    }
    if let Some(part) = head.reference.parts.pop() {
        head.reference.span = head.reference.head.span;
        head.key = Some(match part.kind {
            RefPartKind::Dot(value) => {
                Term { span: after_dot(part.span), kind: TermKind::String { value, raw: false } }
            }
            RefPartKind::Bracket(key) => key,
        });
    }
}

/// A head's name and arguments.
fn parts_of(named: Term) -> Parse<(Ref, Option<Vec<Term>>)> {
    let span: Span = named.span;
    let (reference, arguments) = match named.kind {
        TermKind::Ref(reference) => (reference, None),
        TermKind::Call { function, arguments } => (function, Some(arguments)),
        kind @ TermKind::Var(_) => (Ref { span, head: Box::new(Term { span, kind }), parts: Vec::new() }, None),
        _ => return Err(fault(span, "this can't be the name of a rule")),
    };
    if matches!(reference.head.kind, TermKind::Var(_)) {
        Ok((reference, arguments))
    } else {
        Err(fault(span, "this can't be the name of a rule"))
    }
}
