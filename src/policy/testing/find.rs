//! Finding the tests of a policy set, and giving each a name under which it can be asked alone.

use std::{collections::BTreeMap, fmt::Write as _, ops::Range};

use regorus::{
    Value as Rego,
    unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleBody, RuleHead, Span},
};

use crate::{
    decision::SourcePosition,
    policy::syntax::{self, Node},
};

/// One definition of a rule that is a test.
#[derive(Debug)]
pub(super) struct Found {
    /// Names of the package below `data`.
    pub(super) package: Vec<String>,
    /// Names between the package and the rule's name: `a` in `a.test_x`.
    pub(super) prefix: Vec<String>,
    /// The rule's name.
    pub(super) rule: String,
    /// How many definitions of that name stand before it.
    pub(super) number: usize,
    /// Where it stands.
    pub(super) position: SourcePosition,
    /// Whether it has arguments.
    pub(super) function: bool,
    /// Whether its head has more than the name.
    pub(super) indexed: bool,
    /// Whether its head has a variable: then it is a table.
    pub(super) variable: bool,
    /// Its name in the edited text, if that is another.
    pub(super) alias: Option<String>,
    /// Where the edited text lists its cases.
    pub(super) table: Option<Table>,
    /// Bytes of the text that are its name.
    name: Range<usize>,
    /// Rego comprehensions of the cases, one for each body.
    pub(super) lists: Vec<String>,
}

/// Names of the rules that list a table's cases, as arrays of their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Names of the package below `data`.
    pub(super) package: Vec<String>,
    pub(super) lists: Vec<String>,
}

/// Names that no text contains.
pub(super) struct Names {
    texts: Vec<String>,
    next: usize,
}

/// Every test, in the order of files and lines.
pub(super) fn tests(modules: &[Ref<Module>]) -> Vec<Found> {
    let mut found: Vec<Found> = modules
        .iter()
        .flat_map(|module| {
            let package = syntax::package(module);
            module.policy.iter().filter_map(move |rule| test(&package, rule))
        })
        .collect();
    found.sort_by(|one, other| one.position.cmp(&other.position));
    let mut known: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for test in &mut found {
        let count = known.entry(path(test)).or_default();
        test.number = *count;
        *count += 1;
    }
    found
}

fn path(test: &Found) -> Vec<String> {
    test.package.iter().chain(&test.prefix).chain([&test.rule]).cloned().collect()
}

fn test(package: &[String], rule: &Rule) -> Option<Found> {
    let head = syntax::head_reference(rule);
    let keys = keys(head)?;
    let named = |key: &&Key<'_>| matches!(key, Key::Name { .. });
    let at = keys.iter().take_while(named).position(
        |key| matches!(key, Key::Name { name, .. } if name.starts_with("test_") || name.starts_with("todo_test_")),
    )?;
    let (before, rest) = keys.split_at_checked(at)?;
    let (Key::Name { name, bytes }, keys) = rest.split_first()? else { return None };
    // In Rego v0, `test_x[note] { … }` is a set, and so never `true`.
    let variable = keys.iter().any(|key| matches!(key, Key::Expr(_)))
        && !matches!(rule, Rule::Spec { head: RuleHead::Set { .. }, .. });
    Some(Found {
        package: package.to_vec(),
        prefix: before
            .iter()
            .filter_map(|key| if let Key::Name { name, .. } = key { Some(name.clone()) } else { None })
            .collect(),
        rule: name.clone(),
        number: 0,
        position: syntax::position(head),
        function: syntax::is_function(rule),
        indexed: at > 0 || !keys.is_empty(),
        variable,
        alias: None,
        table: None,
        name: bytes.clone(),
        lists: if variable { lists(rule, keys).unwrap_or_default() } else { Vec::new() },
    })
}

/// One part of a head's reference.
enum Key<'a> {
    /// `name`, `.name` or `["name"]`, and where the name is in the text.
    Name { name: String, bytes: Range<usize> },
    /// What is found out by evaluating.
    Expr(&'a Expr),
}

/// The parts of a head's reference, first to last.
fn keys(mut reference: &Expr) -> Option<Vec<Key<'_>>> {
    let name = |name: &str, span: &Span| {
        let bytes = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let quote = usize::from(span.text().starts_with(['"', '`']));
        let bytes = bytes(span.start).saturating_add(quote)..bytes(span.end).saturating_sub(quote);
        Key::Name { name: name.to_owned(), bytes }
    };
    let mut keys = Vec::new();
    loop {
        match reference {
            Expr::RefDot { refr, field: (span, Rego::String(text)), .. } => {
                keys.push(name(text, span));
                reference = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                keys.push(match index.as_ref() {
                    Expr::String { span, value: Rego::String(text), .. }
                    | Expr::RawString { span, value: Rego::String(text), .. } => name(text, span),
                    other => Key::Expr(other),
                });
                reference = refr;
            }
            Expr::Var { span, value: Rego::String(text), .. } => {
                keys.push(name(text, span));
                keys.reverse();
                return Some(keys);
            }
            _ => return None,
        }
    }
}

/// What lists the cases of a table: its keys as soon as its first statements bind them, as in OPA. Those after are what
/// a case must pass. `None` where that can't be told.
fn lists(rule: &Rule, keys: &[Key<'_>]) -> Option<Vec<String>> {
    let Rule::Spec { bodies, .. } = rule else { return None };
    let tuple: Vec<String> = keys
        .iter()
        .map(|key| match key {
            Key::Name { name, .. } => serde_json::Value::from(name.as_str()).to_string(),
            Key::Expr(expr) => expr.span().text().to_owned(),
        })
        .collect();
    let mut used = Vec::new();
    for key in keys {
        if let Key::Expr(expr) = key {
            // What nests too deep has been refused before.
            let _ = syntax::walk_open(expr, &mut |node| {
                if let Node::Expr(Expr::Var { span, .. }) = node {
                    used.push(span.text());
                }
            });
        }
    }
    let list = |body: &RuleBody| {
        let statements = &body.query.stmts;
        let bound = |name: &&str| statements.iter().position(|one| mentions(one, name));
        let last = used.iter().filter_map(bound).max()?;
        let (first, last) = (statements.first()?, statements.get(last)?);
        let text = first.span.source.contents();
        let range = quoted(text, usize::try_from(first.span.start).ok()?..usize::try_from(last.span.end).ok()?);
        Some(format!("{{[{}] | {}\n}}", tuple.join(", "), text.get(range)?))
    };
    bodies.iter().map(list).collect()
}

/// With the quotes of strings at its ends, which regorus' spans leave out.
fn quoted(text: &str, range: Range<usize>) -> Range<usize> {
    let is_quote = |at: usize| matches!(text.as_bytes().get(at), Some(b'"' | b'`'));
    let before = range.start.checked_sub(1).is_some_and(is_quote);
    range.start - usize::from(before)..range.end + usize::from(is_quote(range.end))
}

/// Whether a statement can bind a variable: declaring it is not enough.
fn mentions(statement: &LiteralStmt, name: &str) -> bool {
    if matches!(statement.literal, Literal::SomeVars { .. } | Literal::NotExpr { .. }) {
        return false;
    }
    let mut found = false;
    let mut visit = |node: Node<'_>| {
        if let Node::Expr(Expr::Var { span, .. }) = node {
            found |= span.text() == name;
        }
    };
    // What nests too deep has been refused before.
    let _ = syntax::walk_statement(statement, &mut visit);
    found
}

/// Gives later definitions of a name names of their own, of the same length, so that every place in the text stays
/// where it was. Adds the lists of cases at the end.
pub(super) fn edit<'a>(text: &mut String, found: impl Iterator<Item = &'a mut Found>, names: &mut Names) {
    let mut added = String::new();
    for test in found {
        if test.number > 0 && test.alias.is_none() {
            test.alias = names.of_length(test.name.len());
        }
        if let Some(alias) = &test.alias
            && text.get(test.name.clone()) == Some(test.rule.as_str())
        {
            text.replace_range(test.name.clone(), alias);
        }
        test.table = None;
        if !test.lists.is_empty() {
            let mut table = Table { package: test.package.clone(), lists: Vec::new() };
            for list in &test.lists {
                let Some(name) = names.of_length(24) else { continue };
                let _ = write!(added, "\n{name} := {list}\n");
                table.lists.push(name);
            }
            test.table = Some(table);
        }
    }
    text.push_str(&added);
}

impl Names {
    pub(super) fn new(texts: Vec<String>) -> Self {
        Self { texts, next: 0 }
    }

    /// A new identifier of that many bytes. `None` where there is none left.
    pub(super) fn of_length(&mut self, length: usize) -> Option<String> {
        let digits = length.checked_sub(1)?;
        loop {
            let name = format!("t{:0digits$x}", self.next);
            self.next += 1;
            if name.len() > length {
                return None;
            }
            if !self.texts.iter().any(|text| text.contains(&name)) {
                return Some(name);
            }
        }
    }
}
