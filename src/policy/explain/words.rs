//! Why a condition did not hold, in a sentence.

use super::program::{Condition, Shape};
use crate::policy::rego::ast::Operator;

/// An operand and its value as they are shown; no value where it is undefined or was not evaluated.
pub(super) struct Said<'a> {
    pub(super) text: &'a str,
    pub(super) value: Option<&'a str>,
}

/// The most characters of a value in a sentence.
const MOST: usize = 120;

/// The sentence. `undefined` is the expression that had no value, where one had none.
pub(super) fn sentence(condition: &Condition, text: &str, operands: &[Said<'_>], undefined: Option<&str>) -> String {
    let value = |number: usize| operands.get(number).and_then(|operand| operand.value);
    if let Some(undefined) = undefined {
        return format!("{} is undefined", code(undefined));
    }
    if condition.negated {
        return match (condition.shape, value(0)) {
            (Shape::Truth { .. }, Some(shown)) if shown != "true" => {
                format!("{} is {}, so `not` does not hold", expression(operands, 0, text), quoted(shown, true))
            }
            _ => format!("{} holds, so `not` does not", code(text)),
        };
    }
    if let Shape::Compare { operator, right } = condition.shape
        && let (Some(left), Some(right)) = (value(0), value(right))
    {
        return comparison(operator, left, right);
    }
    match (condition.shape, value(0)) {
        (Shape::Truth { call: true }, Some("false")) => format!("{} is false", expression(operands, 0, text)),
        (Shape::Truth { .. } | Shape::Value, Some(shown)) => {
            format!("{} is {}", expression(operands, 0, text), quoted(shown, true))
        }
        (Shape::Each, Some("[]" | "{}")) => format!("{} is empty", expression(operands, 0, text)),
        (Shape::Each | Shape::Every(_), Some(shown)) if !shown.starts_with(['[', '{']) => {
            format!("{} is {}, which has no elements", expression(operands, 0, text), quoted(shown, true))
        }
        (Shape::Each, Some(_)) => format!("no element of {} fits", expression(operands, 0, text)),
        (Shape::Every(_), _) => "it does not hold for every element".to_owned(),
        (Shape::Assign, Some(shown)) => format!("{} does not fit the pattern", quoted(shown, true)),
        _ => "nothing fits it".to_owned(),
    }
}

fn comparison(operator: Operator, left: &str, right: &str) -> String {
    // Quotes stay where the two would look the same without.
    let exact = bare(left) == bare(right);
    let (left, right) = (quoted(left, exact), quoted(right, exact));
    match operator {
        Operator::Equal | Operator::Unify => format!("{left} is not {right}"),
        Operator::NotEqual => format!("both are {left}"),
        Operator::Less => format!("{left} is not less than {right}"),
        Operator::LessOrEqual => format!("{left} is more than {right}"),
        Operator::Greater => format!("{left} is not more than {right}"),
        Operator::GreaterOrEqual => format!("{left} is less than {right}"),
        Operator::In => format!("{left} is not in {right}"),
        _ => format!("{left} and {right} do not fit"),
    }
}

fn expression(operands: &[Said<'_>], number: usize, text: &str) -> String {
    code(operands.get(number).map_or(text, |operand| operand.text))
}

/// An expression of a policy on one line.
fn code(text: &str) -> String {
    format!("`{}`", cut(&text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

fn quoted(json: &str, exact: bool) -> String {
    format!("`{}`", cut(if exact { json } else { bare(json) }))
}

/// A string of JSON without its quotes, where that loses nothing.
fn bare(json: &str) -> &str {
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.is_empty() && !inner.contains('\\')).unwrap_or(json)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
