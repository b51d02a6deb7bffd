//! `and`, `or` and `not { … }`, which a module imports from `future.keywords`.

use super::super::ast::{Body, Expr, ExprKind, Logical, Operator, Span, TermKind};
use super::{Kind, Parse, Parser, Tried, fault};

impl Parser<'_> {
    /// Conditions in braces as the first operand; `None` if no operator follows: then the braces are a term's.
    pub(super) fn braced_operand(&mut self) -> Parse<Option<Body>> {
        let at = self.at;
        if self.failed.contains(&(at, Tried::Operand)) {
            return Ok(None);
        }
        if let Ok(body) = self.braced()
            && self.is_logical()
        {
            return unambiguous(body).map(Some);
        }
        self.failed.insert((at, Tried::Operand));
        self.rewind(at);
        Ok(None)
    }

    /// `not { … }` after its `not`, as an operand.
    pub(super) fn not_body(&mut self, start: Span) -> Parse<Body> {
        let body = unambiguous(self.braced()?)?;
        self.negated_operand(body, start)
    }

    /// `not` of a whole operand.
    pub(super) fn negated_operand(&mut self, operand: Body, start: Span) -> Parse<Body> {
        self.above(self.height)?;
        Ok(single(self.span_from(start), ExprKind::Not(operand)))
    }

    /// The condition that begins with this operand.
    pub(super) fn after_operand(&mut self, operand: Body, start: Span) -> Parse<Expr> {
        let operand = if self.is_logical() { self.chain(operand)? } else { operand };
        self.modified(operand, start)
    }

    /// The condition whose first operand is a term or an assignment.
    pub(super) fn after_plain_operand(&mut self, operand: Expr, start: Span) -> Parse<Expr> {
        if self.slice(operand.span).starts_with('{') {
            let cause = "an operand of `and` and `or` begins with `{` only where conditions are in the braces";
            return Err(fault(operand.span, cause));
        }
        let operand = Body { span: operand.span, braces: false, expressions: vec![operand] };
        let chain = self.chain(operand)?;
        self.modified(chain, start)
    }

    /// A group in parentheses; `None` if they are a term's. `operand` if it is one already: after `not`, `and`, `or`.
    pub(super) fn group(&mut self, operand: bool) -> Parse<Option<Body>> {
        let (at, tried) = (self.at, Tried::Group { operand });
        if self.failed.contains(&(at, tried)) {
            return Ok(None);
        }
        let group = self.nested(|parser| parser.grouped(operand));
        if matches!(group, Ok(None)) {
            self.failed.insert((at, tried));
            self.rewind(at);
        }
        group
    }

    fn grouped(&mut self, operand: bool) -> Parse<Option<Body>> {
        let start = self.span();
        self.at += 1;
        if self.kind() == Kind::RightParenthesis {
            return if operand { Err(self.unexpected("a condition")) } else { Ok(None) };
        }
        let at = self.at;
        let Ok(mut body) = self.operand() else { return Ok(None) };
        if self.is_logical() {
            let chain = self.chain(body)?;
            let chained = self.modified(chain, start)?;
            body = Body { span: chained.span, braces: false, expressions: vec![chained] };
        } else if self.kind() == Kind::With && !body.braces {
            body = self.group_with(body, start)?;
            let closed = self.second();
            if !operand && !matches!(closed, Kind::LogicalAnd | Kind::LogicalOr) {
                return Ok(None);
            }
        } else if body.braces {
            let span = self.span_from(start);
            self.rewind(at);
            return match self.term() {
                Ok(_) => Ok(None),
                Err(_) => Err(fault(span, "conditions in braces stand without parentheses")),
            };
        } else if !is_group(&body) {
            return Ok(None);
        }
        self.expect(Kind::RightParenthesis, "`)`")?;
        Ok(Some(Body { span: self.span_from(start), ..body }))
    }

    /// `(a with x as y`, to the parenthesis.
    fn group_with(&mut self, body: Body, start: Span) -> Parse<Body> {
        let with_span = self.span();
        let modified = self.modified(body, start)?;
        if self.is_logical() {
            return Err(fault(with_span, "`with` can't stand in an operand of `and` and `or`"));
        }
        if self.kind() != Kind::RightParenthesis {
            return Err(self.unexpected("`)`"));
        }
        Ok(Body { span: modified.span, braces: false, expressions: vec![modified] })
    }

    /// The operators after a first operand: `and` binds tighter, both from the left.
    fn chain(&mut self, first: Body) -> Parse<Body> {
        let mut left = self.conjunction(first)?;
        let mut height = self.height;
        while self.accept(Kind::LogicalOr) {
            let right = self.operand()?;
            let right = self.conjunction(right)?;
            self.above(height.max(self.height))?;
            height = self.height;
            left = joined(Logical::Or, left, right)?;
        }
        self.height = height;
        Ok(left)
    }

    fn conjunction(&mut self, first: Body) -> Parse<Body> {
        let (mut left, mut height) = (first, self.height);
        while self.accept(Kind::LogicalAnd) {
            let right = self.operand()?;
            self.above(height.max(self.height))?;
            height = self.height;
            left = joined(Logical::And, left, right)?;
        }
        self.height = height;
        Ok(left)
    }

    fn operand(&mut self) -> Parse<Body> {
        let start = self.span();
        if self.kind() == Kind::LeftBrace {
            return unambiguous(self.braced()?);
        }
        let negated = self.kind() == Kind::Not && !self.is_reference_ahead();
        if negated {
            self.at += 1;
        }
        let not_body = self.keywords.not_body;
        if negated && not_body && self.kind() == Kind::LeftBrace {
            return self.not_body(start);
        }
        if self.kind() == Kind::LeftParenthesis
            && (self.keywords.and || self.keywords.or)
            && (!negated || not_body)
            && let Some(group) = self.group(true)?
        {
            return if negated { self.negated_operand(group, start) } else { Ok(group) };
        }
        let kind = ExprKind::Term(self.assignment()?);
        let mut body = single(self.span_from(start), kind);
        for expression in &mut body.expressions {
            expression.negated = negated;
        }
        Ok(body)
    }

    /// The one condition of an operand, from `start`, with `with`.
    fn modified(&mut self, operand: Body, start: Span) -> Parse<Expr> {
        let with = self.with(self.height)?;
        let span = self.span_from(start);
        let condition = operand.expressions.into_iter().next();
        let mut condition = condition.ok_or_else(|| fault(operand.span, "this body is empty"))?;
        condition.span = span;
        condition.with.extend(with);
        Ok(condition)
    }

    fn is_logical(&self) -> bool {
        matches!(self.kind(), Kind::LogicalAnd | Kind::LogicalOr)
    }
}

fn single(span: Span, kind: ExprKind) -> Body {
    Body { span, braces: false, expressions: vec![Expr { span, negated: false, kind, with: Vec::new() }] }
}

fn joined(operator: Logical, left: Body, right: Body) -> Parse<Body> {
    for operand in [&left, &right] {
        if operand.expressions.iter().all(prints) {
            return Err(fault(operand.span, "an operand of `and` and `or` that only prints never fails"));
        }
    }
    Ok(single(left.span.to(right.span), ExprKind::Logical { operator, left, right }))
}

/// Whether it is a call of the one built-in without a value.
fn prints(condition: &Expr) -> bool {
    match &condition.kind {
        ExprKind::Term(term) if !condition.negated => match &term.kind {
            TermKind::Call { function, .. } => {
                function.parts.is_empty() && matches!(&function.head.kind, TermKind::Var(name) if name == "print")
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether an operand in parentheses makes these a group's.
fn is_group(operand: &Body) -> bool {
    let [condition] = operand.expressions.as_slice() else { return false };
    condition.negated || matches!(condition.kind, ExprKind::Not(_) | ExprKind::Logical { .. })
}

/// Refuses `{ a | b }`, which looks like a comprehension.
fn unambiguous(body: Body) -> Parse<Body> {
    if let Some(Expr { kind: ExprKind::Term(term), .. }) = body.expressions.first()
        && matches!(term.kind, TermKind::Infix { operator: Operator::Or, .. })
    {
        let help = Some("write `({ … })` for a comprehension, or `{ (… | …) }` for the union of sets".to_owned());
        let cause = "these braces could be conditions or a comprehension".to_owned();
        return Err(super::SyntaxError { span: body.span, cause, help });
    }
    Ok(body)
}
