//! Names: what imports stand for, how a reference is written for regorus, what a body declares.

use std::collections::HashMap;

use super::super::ast::{Body, Expr, ExprKind, Module, Name, Operator, Ref, RefPartKind, Rule, Term, TermKind};

/// Words that regorus does not take for a name.
const KEYWORDS: [&str; 15] = [
    "as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some",
    "true", "with",
];

/// Whether a rule can have that name.
pub(crate) fn is_plain(name: &str) -> bool {
    is_identifier(name) && !KEYWORDS.contains(&name)
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// What the variables begin with that lowering makes.
pub(super) const VARIABLE: &str = "__verdict_";

/// The highest number of such a variable in a text: it may have been lowered before.
pub(super) fn numbered(text: &str) -> usize {
    let number = |rest: &str| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest.get(..digits).and_then(|digits| digits.parse().ok())
    };
    text.split(VARIABLE).skip(1).filter_map(number).max().unwrap_or(0)
}

/// A part of a reference, with its dot or brackets.
pub(crate) fn part(name: &str) -> String {
    if is_identifier(name) { format!(".{name}") } else { format!("[{}]", quoted(name)) }
}

/// A string as Rego writes it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `data.a["if"]` for its names.
pub(super) fn path(names: &[Name]) -> String {
    let mut written = String::new();
    for name in names {
        if written.is_empty() {
            written.push_str(&name.text);
        } else {
            written.push_str(&part(&name.text));
        }
    }
    written
}

/// `data.a["if"]` for names below `data`.
pub(super) fn data<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().fold("data".to_owned(), |path, name| path + &part(name))
}

/// The keywords that a rule's name begins with: what regorus takes for no name.
pub(crate) fn keywords(rule: &Rule) -> Vec<String> {
    let TermKind::Var(head) = &rule.head.reference.head.kind else { return Vec::new() };
    let rest = rule.head.reference.parts.iter().map_while(|part| constant(&part.kind));
    std::iter::once(head.as_str()).chain(rest).take_while(|name| !is_plain(name)).map(str::to_owned).collect()
}

/// The number of an array's element that a text names in a reference to base data. As OPA reads it: a sign, zeros first and
/// zeros after a point are no matter.
pub(crate) fn number_of(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !(1..=19).contains(&digits.len()) {
        return None;
    }
    let (whole, zeros) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) || !zeros.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let number = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
    let is_negative = text.starts_with('-') && number > 0;
    usize::try_from(number).ok().filter(|_| !is_negative)
}

/// Whether a name begins as a number does, which may find it in base data.
pub(crate) fn may_be_a_number(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_digit() || first == '-')
}

/// The name of a part that is a constant.
pub(crate) fn constant(part: &RefPartKind) -> Option<&str> {
    match part {
        RefPartKind::Dot(name) => Some(name),
        RefPartKind::Bracket(Term { kind: TermKind::String { value, .. }, .. }) => Some(value),
        RefPartKind::Bracket(_) => None,
    }
}

/// What each import's name stands for; imports of keywords have none.
pub(super) fn imports(module: &Module) -> HashMap<String, String> {
    let imports = module
        .imports
        .iter()
        .filter(|import| import.path.first().is_some_and(|root| root.text == "data" || root.text == "input"));
    imports.filter_map(|import| Some((import.name()?.to_owned(), path(&import.path)))).collect()
}

/// The path below `data` of each import that has one.
pub(super) fn import_paths(module: &Module) -> HashMap<String, Vec<String>> {
    let below = module.imports.iter().filter(|import| import.path.first().is_some_and(|root| root.text == "data"));
    below
        .filter_map(|import| {
            let path = import.path.iter().skip(1).map(|name| name.text.clone()).collect();
            Some((import.name()?.to_owned(), path))
        })
        .collect()
}

/// The name of a function or a built-in, `a.b.c`, where a reference has no other parts.
pub(crate) fn dotted(reference: &Ref) -> Option<String> {
    Some(path_of(reference)?.join("."))
}

/// The parts of that name.
pub(crate) fn path_of(reference: &Ref) -> Option<Vec<String>> {
    let TermKind::Var(head) = &reference.head.kind else { return None };
    let rest = reference.parts.iter().map(|part| constant(&part.kind).map(str::to_owned));
    std::iter::once(Some(head.clone())).chain(rest).collect()
}

/// The name of the function that calls a built-in for a `with`.
pub(super) fn wrapper_name(built_in: &str) -> String {
    format!("__verdict_with_{}", built_in.replace('.', "__"))
}

/// That function.
pub(super) fn wrapper(built_in: &str, arity: u8) -> String {
    let arguments: Vec<String> = (0..arity).map(|number| format!("a{number}")).collect();
    let arguments = arguments.join(", ");
    format!("{}({arguments}) := {built_in}({arguments})", wrapper_name(built_in))
}

/// The names that a body declares: by `some`, `some … in` and `:=`.
pub(crate) fn declared(body: &Body) -> Vec<&str> {
    let mut names = Vec::new();
    for expression in &body.expressions {
        declared_by(expression, &mut names);
    }
    names
}

/// The names that a condition declares, each as often as it does.
pub(crate) fn declared_by<'a>(expression: &'a Expr, names: &mut Vec<&'a str>) {
    match &expression.kind {
        ExprKind::Some(list) => names.extend(list.iter().map(|name| name.text.as_str())),
        ExprKind::SomeIn { key, value, .. } => {
            key.iter().chain([value]).for_each(|term| variables(term, names));
        }
        ExprKind::Term(Term { kind: TermKind::Infix { operator: Operator::Assign, left, .. }, .. }) => {
            variables(left, names);
        }
        ExprKind::Every { .. } | ExprKind::Not(_) | ExprKind::Logical { .. } | ExprKind::Term(_) => {}
    }
}

/// The variables of a pattern.
pub(crate) fn variables<'a>(pattern: &'a Term, names: &mut Vec<&'a str>) {
    match &pattern.kind {
        TermKind::Var(name) => names.push(name),
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| variables(item, names)),
        TermKind::Object(members) => members.iter().for_each(|(_, value)| variables(value, names)),
        TermKind::Parenthesised(inner) => variables(inner, names),
        _ => {}
    }
}
