//! Bodies and what is in them: `not`, `with`, `some`, `every`, and terms.

use super::super::ast::{Body, Expr, ExprKind, Name, Operator, Ref, Span, Term, TermKind, With};
use super::{Kind, MAX_CONDITIONS, Parse, Parser, fault};

impl Parser<'_> {
    /// Conditions to `end`, which is not passed. The span is that of the conditions.
    pub(super) fn body(&mut self, end: Kind) -> Parse<Body> {
        self.nested(|parser| {
            let start = parser.span();
            if parser.kind() == end {
                return Err(fault(start, "this body is empty"));
            }
            let (mut expressions, mut height) = (Vec::new(), 0);
            loop {
                expressions.push(parser.literal()?);
                parser.bounded(expressions.len(), MAX_CONDITIONS, "a body", "conditions")?;
                height = height.max(parser.height);
                if parser.accept(Kind::Semicolon) {
                    continue;
                }
                if parser.kind() == end {
                    break;
                }
                if !parser.raw(0).newline {
                    return Err(parser.unexpected("an operator, the end of the line, `;` or the end of the body"));
                }
            }
            parser.above(height)?;
            Ok(Body { span: parser.span_from(start), braces: false, expressions })
        })
    }

    /// A body in braces, from `{`.
    pub(super) fn braced(&mut self) -> Parse<Body> {
        let start = self.span();
        self.expect(Kind::LeftBrace, "`{`")?;
        let body = self.body(Kind::RightBrace)?;
        self.at += 1;
        Ok(Body { span: self.span_from(start), braces: true, ..body })
    }

    /// Conditions to the end of the text.
    pub(super) fn query(&mut self) -> Parse<Body> {
        let start = self.span();
        let mut expressions = Vec::new();
        loop {
            expressions.push(self.literal()?);
            self.bounded(expressions.len(), MAX_CONDITIONS, "a body", "conditions")?;
            // OPA needs nothing between them, but something after a semicolon.
            if !self.accept(Kind::Semicolon) && self.kind() == Kind::End {
                return Ok(Body { span: self.span_from(start), braces: false, expressions });
            }
        }
    }

    /// One condition.
    pub(super) fn literal(&mut self) -> Parse<Expr> {
        let start = self.span();
        if self.keywords.and || self.keywords.or {
            let operand = match self.kind() {
                Kind::LeftBrace => self.braced_operand()?,
                Kind::LeftParenthesis => self.group(false)?,
                _ => None,
            };
            if let Some(operand) = operand {
                return self.after_operand(operand, start);
            }
        }
        if self.keyword_as_name() {
            return self.condition(false, start);
        }
        let negated = self.accept(Kind::Not);
        if negated && self.keywords.not_body && self.kind() == Kind::LeftBrace {
            let operand = self.not_body(start)?;
            return self.after_operand(operand, start);
        }
        match self.kind() {
            Kind::Some | Kind::Every if negated => Err(self.unexpected("a condition that can be negated")),
            Kind::Some => self.some(start),
            Kind::Every => self.every(start),
            _ => self.condition(negated, start),
        }
    }

    /// A term or an assignment, with `with`.
    fn condition(&mut self, negated: bool, start: Span) -> Parse<Expr> {
        if negated
            && self.keywords.not_body
            && self.kind() == Kind::LeftParenthesis
            && let Some(operand) = self.group(true)?
        {
            let operand = self.negated_operand(operand, start)?;
            return self.after_operand(operand, start);
        }
        let kind = ExprKind::Term(self.assignment()?);
        let height = self.height;
        let with_span = self.span();
        let with = self.with(height)?;
        let expr = Expr { span: self.span_from(start), negated, kind, with };
        if matches!(self.kind(), Kind::LogicalAnd | Kind::LogicalOr) {
            if !expr.with.is_empty() {
                return Err(fault(with_span, "`with` can't stand in an operand of `and` and `or`"));
            }
            return self.after_plain_operand(expr, start);
        }
        Ok(expr)
    }

    /// A term, `a := b` or `a = b`.
    pub(super) fn assignment(&mut self) -> Parse<Term> {
        let left = self.infix(true)?;
        let operator = match self.kind() {
            Kind::Assign => Operator::Assign,
            Kind::Unify => Operator::Unify,
            _ => return Ok(left),
        };
        let (operator_span, height) = (self.span(), self.height);
        self.at += 1;
        let right = self.infix(true)?;
        self.above(height.max(self.height))?;
        let span = left.span.to(right.span);
        let (left, right) = (Box::new(left), Box::new(right));
        Ok(Term { span, kind: TermKind::Infix { operator, operator_span, left, right } })
    }

    /// All `with` that follow, at something as high as `height`.
    pub(super) fn with(&mut self, mut height: u32) -> Parse<Vec<With>> {
        let mut all = Vec::new();
        while self.kind() == Kind::With {
            let start = self.span();
            self.at += 1;
            if self.kind() != Kind::Ident {
                return Err(self.unexpected("what `with` replaces: a path below `input` or `data`, or a function"));
            }
            let target = self.term()?;
            height = height.max(self.height);
            let target_span = target.span;
            let target = match target.kind {
                TermKind::Ref(target) => target,
                TermKind::Var(_) => Ref { span: target_span, head: Box::new(target), parts: Vec::new() },
                _ => return Err(fault(target_span, "`with` replaces a path below `input` or `data`, or a function")),
            };
            self.expect(Kind::As, "`as`")?;
            let value = self.infix(true)?;
            height = height.max(self.height);
            all.push(With { span: self.span_from(start), target, value });
        }
        self.above(height)?;
        Ok(all)
    }

    fn some(&mut self, start: Span) -> Parse<Expr> {
        self.at += 1;
        let at = self.at;
        let tried = self.infix(true);
        let tried = match tried.map(member) {
            Ok(Ok((key, value, collection))) => {
                let with = self.with(self.height)?;
                let kind = ExprKind::SomeIn { key, value, collection };
                return Ok(Expr { span: self.span_from(start), negated: false, kind, with });
            }
            Ok(Err(other)) if is_call(&other.kind) => {
                return Err(fault(other.span, "expected `some x in xs` or `some k, x in xs`"));
            }
            Ok(Err(_)) => None,
            Err(fault) => Some(fault),
        };
        self.rewind(at);
        let mut names = Vec::new();
        loop {
            if self.kind() != Kind::Ident {
                return Err(tried.unwrap_or_else(|| self.unexpected("a name")));
            }
            names.push(self.take_name());
            if !self.accept(Kind::Comma) {
                break;
            }
        }
        if let (Some(tried), Kind::In) = (tried, self.kind()) {
            return Err(tried);
        }
        self.above(1)?;
        Ok(Expr { span: self.span_from(start), negated: false, kind: ExprKind::Some(names), with: Vec::new() })
    }

    fn every(&mut self, start: Span) -> Parse<Expr> {
        self.at += 1;
        let domain = self.infix(true)?;
        let mut height = self.height;
        let whole = domain.span;
        let Ok((key, value, domain)) = member(domain) else {
            return Err(fault(whole, "expected `every x in xs { … }` or `every k, x in xs { … }`"));
        };
        let key = key.map(|key| name_of(key, "the key")).transpose()?;
        let value = name_of(value, "the value")?;
        let body = self.braced()?;
        height = height.max(self.height);
        let with = self.with(height)?;
        let kind = ExprKind::Every { key, value, domain, body };
        Ok(Expr { span: self.span_from(start), negated: false, kind, with })
    }
}

/// The key, value and collection of `x in xs` and `k, x in xs`, also in parentheses; the term if it is neither.
fn member(term: Term) -> Result<(Option<Term>, Term, Term), Term> {
    match term.kind {
        TermKind::Infix { operator: Operator::In, left, right, .. } => Ok((None, *left, *right)),
        TermKind::MemberWithKey { key, value, collection } => Ok((Some(*key), *value, *collection)),
        TermKind::Parenthesised(inner) => member(*inner),
        _ => Err(term),
    }
}

/// Whether OPA has it as a call.
fn is_call(kind: &TermKind) -> bool {
    match kind {
        TermKind::Parenthesised(inner) => is_call(&inner.kind),
        TermKind::Call { .. } | TermKind::Infix { .. } | TermKind::MemberWithKey { .. } | TermKind::Minus(_) => true,
        _ => false,
    }
}

fn name_of(term: Term, what: &str) -> Parse<Name> {
    match term.kind {
        TermKind::Var(text) => Ok(Name { span: term.span, text }),
        TermKind::Parenthesised(inner) => name_of(*inner, what),
        _ => Err(fault(term.span, format!("{what} of `every` is a name"))),
    }
}
