//! Numbers, strings and templates.

use super::super::ast::{ExprKind, Operator, TemplatePart, TermKind};
use super::super::lexer::unescape;
use super::{Kind, Parse, Parser, fault};

/// How large a number's exponent to the base 2 is at most, in either direction: OPA's bound.
const MAX_EXPONENT: f64 = 1e5;

impl Parser<'_> {
    /// A number, with what is before its digits: a sign, a point.
    pub(super) fn number(&mut self) -> Parse<TermKind> {
        let start = self.span();
        let mut text = String::new();
        if self.accept(Kind::Minus) {
            text.push('-');
        }
        let point = self.accept(Kind::Dot);
        if point {
            text.push('.');
        }
        if self.kind() != Kind::Number {
            return Err(self.unexpected("a number"));
        }
        let digits = self.slice(self.span());
        self.at += 1;
        text.push_str(digits);
        let span = self.span_from(start);
        let after_zero = digits.strip_prefix('0').unwrap_or_default();
        if !point && after_zero.starts_with(|next: char| next.is_ascii_digit()) {
            return Err(fault(span, "a number has no zeros before its other digits"));
        }
        if !is_within_bounds(&text) {
            return Err(fault(span, "this number is too large, too small, or has two points"));
        }
        self.height = 1;
        Ok(TermKind::Number(text))
    }

    pub(super) fn string(&mut self) -> Parse<TermKind> {
        let (span, raw) = (self.span(), self.kind() == Kind::RawString);
        let text = self.slice(span);
        let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        let value = if raw { Some(inner.to_owned()) } else { unescape(inner, false) };
        let Some(value) = value else {
            return Err(fault(span, "this string has a control character beside an escape"));
        };
        self.at += 1;
        self.height = 1;
        Ok(TermKind::String { value, raw })
    }

    /// A template, from its first text to its last.
    pub(super) fn template(&mut self) -> Parse<TermKind> {
        let raw = self.slice(self.span()).starts_with("$`");
        let (mut parts, mut height) = (Vec::new(), 0);
        loop {
            let (span, kind) = (self.span(), self.kind());
            let text = self.slice(span);
            let opening = if text.starts_with('$') { 2 } else { 1 };
            let inner = text.get(opening..text.len().saturating_sub(1)).unwrap_or_default();
            let value = if raw { Some(inner.replace("\\{", "{")) } else { unescape(inner, true) };
            let Some(value) = value else {
                return Err(fault(span, "this template has a control character beside an escape"));
            };
            if !value.is_empty() {
                parts.push(TemplatePart::Text(value));
            }
            self.at += 1;
            if kind == Kind::TemplateEnd {
                self.above(height)?;
                return Ok(TermKind::Template { parts, raw });
            }
            let expression = self.nested(Self::literal)?;
            height = height.max(self.height);
            let refused = match &expression.kind {
                _ if expression.negated => Some("a negation"),
                ExprKind::Some(_) | ExprKind::SomeIn { .. } => Some("`some`"),
                ExprKind::Every { .. } => Some("`every`"),
                ExprKind::Term(term) => match &term.kind {
                    TermKind::Infix { operator: Operator::Assign | Operator::Unify, .. } => Some("an assignment"),
                    _ => None,
                },
                ExprKind::Not(_) | ExprKind::Logical { .. } => None,
            };
            if let Some(refused) = refused {
                return Err(fault(expression.span, format!("{refused} can't stand in a template")));
            }
            parts.push(TemplatePart::Expr(Box::new(expression)));
            if !matches!(self.kind(), Kind::TemplatePart | Kind::TemplateEnd)
                || !self.slice(self.span()).starts_with('}')
            {
                return Err(self.unexpected("`}` after the expression"));
            }
        }
    }
}

/// Whether a number is written right and its binary exponent is bounded; zero has none.
fn is_within_bounds(text: &str) -> bool {
    let text = text.trim_start_matches('-');
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    if fraction.contains('.') {
        return false;
    }
    let digits = || whole.bytes().chain(fraction.bytes());
    let Some(leading) = digits().position(|digit| digit != b'0') else { return true };
    let significant: String = digits().skip(leading).take(17).map(char::from).collect();
    let Ok(significand) = significant.parse::<f64>() else { return false };
    let shift = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let scale = exponent
        .saturating_add(shift(whole.len()))
        .saturating_sub(shift(leading))
        .saturating_sub(shift(significant.len()));
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is far out of bounds")]
    let binary = significand.log2() + (scale as f64) * std::f64::consts::LOG2_10;
    // As OPA counts, with a significand of at least a half and below one.
    (binary.floor() + 1.0).abs() <= MAX_EXPONENT
}
