//! Terms: operators by their precedence, references, calls.

use super::super::ast::{Operator, Ref, RefPart, RefPartKind, Span, Term, TermKind};
use super::{Kind, MAX_PARTS, Parse, Parser, fault};

/// How tightly the comparisons bind; `in` binds less.
const COMPARISON: u8 = 1;

impl Parser<'_> {
    /// A term with operators. `pair` where `k, v in x` is one: not in lists.
    pub(super) fn infix(&mut self, pair: bool) -> Parse<Term> {
        let start = self.span();
        let left = self.operators(None, COMPARISON)?;
        let left = if pair { self.pair(left, start)? } else { left };
        self.infix_after(left)
    }

    /// What follows a first term that was read alone.
    pub(super) fn infix_after(&mut self, first: Term) -> Parse<Term> {
        let first = self.operators(Some(first), COMPARISON)?;
        // A keyword directly before `.` or `[` is a name, and begins what comes next.
        self.keyword_as_name();
        self.operators(Some(first), 0)
    }

    /// `, value in collection` after a key; the key alone if that doesn't follow.
    fn pair(&mut self, key: Term, start: Span) -> Parse<Term> {
        if self.kind() != Kind::Comma {
            return Ok(key);
        }
        let (at, mut below) = (self.at, self.height);
        self.at += 1;
        if let Ok(value) = self.operators(None, COMPARISON)
            && self.kind() == Kind::In
        {
            below = below.max(self.height);
            self.at += 1;
            let collection = self.operators(None, COMPARISON)?;
            self.above(below.max(self.height))?;
            let (key, value, collection) = (Box::new(key), Box::new(value), Box::new(collection));
            let kind = TermKind::MemberWithKey { key, value, collection };
            return Ok(Term { span: self.span_from(start), kind });
        }
        self.rewind(at);
        self.height = below;
        Ok(key)
    }

    /// A term and the operators after it that bind at least as tightly as `least`.
    fn operators(&mut self, first: Option<Term>, least: u8) -> Parse<Term> {
        let mut left = match first {
            Some(first) => first,
            None => self.term()?,
        };
        let mut height = self.height;
        while let Some((operator, precedence)) = self.operator()
            && precedence >= least
        {
            let operator_span = self.span();
            self.at += 1;
            let right = self.operators(None, precedence + 1)?;
            self.above(height.max(self.height))?;
            height = self.height;
            let span = left.span.to(right.span);
            let (left_box, right) = (Box::new(left), Box::new(right));
            left = Term { span, kind: TermKind::Infix { operator, operator_span, left: left_box, right } };
        }
        self.height = height;
        Ok(left)
    }

    fn operator(&self) -> Option<(Operator, u8)> {
        Some(match self.kind() {
            // Directly before `.` or `[`, it is a name.
            Kind::In if !self.is_reference_ahead() => (Operator::In, 0),
            Kind::Equal => (Operator::Equal, COMPARISON),
            Kind::NotEqual => (Operator::NotEqual, COMPARISON),
            Kind::Less => (Operator::Less, COMPARISON),
            Kind::LessOrEqual => (Operator::LessOrEqual, COMPARISON),
            Kind::Greater => (Operator::Greater, COMPARISON),
            Kind::GreaterOrEqual => (Operator::GreaterOrEqual, COMPARISON),
            Kind::Or => (Operator::Or, 2),
            Kind::And => (Operator::And, 3),
            Kind::Plus => (Operator::Plus, 4),
            Kind::Minus => (Operator::Minus, 4),
            Kind::Multiply => (Operator::Multiply, 5),
            Kind::Divide => (Operator::Divide, 5),
            Kind::Remainder => (Operator::Remainder, 5),
            _ => return None,
        })
    }

    /// A term without operators.
    pub(super) fn term(&mut self) -> Parse<Term> {
        self.nested(|parser| {
            let start = parser.span();
            let kind = match parser.kind() {
                Kind::Minus if matches!(parser.second(), Kind::Ident | Kind::Contains) => {
                    parser.at += 1;
                    let name = parser.variable();
                    let negated = parser.finish(name)?;
                    parser.above(parser.height)?;
                    let kind = TermKind::Minus(Box::new(negated));
                    return Ok(Term { span: parser.span_from(start), kind });
                }
                Kind::LogicalAnd | Kind::LogicalOr if parser.is_call_ahead() => return parser.name_term(),
                Kind::Ident | Kind::Contains => return parser.name_term(),
                Kind::Null => parser.constant(TermKind::Null),
                Kind::True => parser.constant(TermKind::Bool(true)),
                Kind::False => parser.constant(TermKind::Bool(false)),
                Kind::Minus | Kind::Dot | Kind::Number => parser.number()?,
                Kind::String | Kind::RawString => parser.string()?,
                Kind::TemplatePart | Kind::TemplateEnd => parser.template()?,
                Kind::LeftBracket => parser.array()?,
                Kind::LeftBrace => parser.set_or_object()?,
                Kind::LeftParenthesis => {
                    parser.at += 1;
                    let inner = parser.infix(true)?;
                    parser.expect(Kind::RightParenthesis, "an operator or `)`")?;
                    // A name in parentheses is that name, also where more of a reference follows.
                    if parser.continues()
                        && let Some(name) = named(&inner)
                    {
                        parser.height = 1;
                        return parser.reference_from(parser.span_from(start), name);
                    }
                    parser.above(parser.height)?;
                    TermKind::Parenthesised(Box::new(inner))
                }
                _ => return Err(parser.unexpected("a term")),
            };
            let term = Term { span: parser.span_from(start), kind };
            parser.finish(term)
        })
    }

    fn constant(&mut self, kind: TermKind) -> TermKind {
        self.at += 1;
        self.height = 1;
        kind
    }

    fn name_term(&mut self) -> Parse<Term> {
        let name = self.variable();
        self.finish(name)
    }

    /// The next token as a variable.
    pub(super) fn variable(&mut self) -> Term {
        let name = self.take_name();
        self.height = 1;
        Term { span: name.span, kind: TermKind::Var(name.text) }
    }

    /// Whether `(` directly follows the next token.
    fn is_call_ahead(&self) -> bool {
        let next = self.raw(1);
        next.kind == Kind::LeftParenthesis && !next.space
    }

    /// Whether the next token, directly after the last, continues a reference or makes it a call.
    fn continues(&self) -> bool {
        let next = self.raw(0);
        matches!(next.kind, Kind::LeftParenthesis | Kind::Dot | Kind::LeftBracket) && !next.space
    }

    /// The parts and arguments after a term.
    fn finish(&mut self, head: Term) -> Parse<Term> {
        if self.continues() { self.reference(head) } else { Ok(alone(head)) }
    }

    /// What follows `head`, at least one part or a call.
    pub(super) fn reference(&mut self, head: Term) -> Parse<Term> {
        self.reference_from(head.span, head)
    }

    /// The same where the head stands in parentheses, which begin at `start`.
    fn reference_from(&mut self, start: Span, head: Term) -> Parse<Term> {
        if !may_be_indexed(&head.kind) {
            return Err(fault(head.span, "this can't be indexed or called"));
        }
        let mut height = self.height;
        let mut head = Ref { span: start, head: Box::new(head), parts: Vec::new() };
        // The first part may have space before it in a rule's head.
        let mut first = true;
        while first || self.continues() {
            first = false;
            self.bounded(head.parts.len() + 1, MAX_PARTS, "a reference", "parts")?;
            let part_start = self.span();
            match self.kind() {
                Kind::Dot => {
                    self.at += 1;
                    let name = self.raw(0);
                    if !name.kind.is_word() || name.space {
                        return Err(self.unexpected("a name directly after `.`"));
                    }
                    let kind = RefPartKind::Dot(self.take_name().text);
                    head.parts.push(RefPart { span: self.span_from(part_start), kind });
                }
                Kind::LeftBracket => {
                    self.at += 1;
                    let index = self.infix(true)?;
                    self.expect(Kind::RightBracket, "an operator or `]`")?;
                    height = height.max(self.height);
                    head.parts.push(RefPart { span: self.span_from(part_start), kind: RefPartKind::Bracket(index) });
                }
                Kind::LeftParenthesis => {
                    self.at += 1;
                    head.span = self.tokens_before(start);
                    let arguments = self.list(Kind::RightParenthesis, "`,` or `)`", Vec::new())?;
                    self.at += 1;
                    self.above(height.max(self.height))?;
                    height = self.height;
                    let kind = called(head, arguments);
                    let called = Term { span: self.span_from(start), kind };
                    if !self.continues() || self.kind() == Kind::LeftParenthesis {
                        self.height = height;
                        return Ok(called);
                    }
                    head = Ref { span: start, head: Box::new(called), parts: Vec::new() };
                }
                _ => return Err(self.unexpected("`.`, `[` or `(`")),
            }
        }
        head.span = self.span_from(start);
        self.above(height)?;
        Ok(Term { span: head.span, kind: TermKind::Ref(head) })
    }

    /// From `start` to the end of the token before the one just passed.
    fn tokens_before(&self, start: Span) -> Span {
        let last = self.at.checked_sub(2).and_then(|at| self.tokens.get(at));
        start.to(last.map_or(start, |token| token.span))
    }
}

/// `input` and `data` alone are references.
fn alone(head: Term) -> Term {
    match &head.kind {
        TermKind::Var(name) if matches!(name.as_str(), "input" | "data") => {
            let span = head.span;
            Term { span, kind: TermKind::Ref(Ref { span, head: Box::new(head), parts: Vec::new() }) }
        }
        _ => head,
    }
}

/// The variable that stands alone in parentheses, or in several.
fn named(term: &Term) -> Option<Term> {
    match &term.kind {
        TermKind::Var(_) => Some(term.clone()),
        TermKind::Parenthesised(inner) => named(inner),
        _ => None,
    }
}

fn called(function: Ref, arguments: Vec<Term>) -> TermKind {
    let is_set = function.parts.is_empty() && matches!(&function.head.kind, TermKind::Var(name) if name == "set");
    if is_set && arguments.is_empty() { TermKind::Set(arguments) } else { TermKind::Call { function, arguments } }
}

fn may_be_indexed(kind: &TermKind) -> bool {
    match kind {
        TermKind::Parenthesised(inner) => may_be_indexed(&inner.kind),
        TermKind::Null
        | TermKind::Bool(_)
        | TermKind::Number(_)
        | TermKind::String { .. }
        | TermKind::Template { .. }
        | TermKind::Ref(_) => false,
        TermKind::Var(_)
        | TermKind::Array(_)
        | TermKind::Set(_)
        | TermKind::Object(_)
        | TermKind::ArrayComprehension(..)
        | TermKind::SetComprehension(..)
        | TermKind::ObjectComprehension(..)
        | TermKind::Call { .. }
        | TermKind::Infix { .. }
        | TermKind::MemberWithKey { .. }
        | TermKind::Minus(_) => true,
    }
}
