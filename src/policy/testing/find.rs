//! Finding the tests of a policy set, and giving each a name under which it can be asked alone.

use std::{collections::BTreeMap, fmt::Write as _};

use regorus::{
    Value as Rego,
    unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead},
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
    name: std::ops::Range<usize>,
    /// Rego comprehensions of the cases, one for each depth and body.
    lists: Vec<String>,
}

/// Names of the rules that list a table's cases, as arrays of their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
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
    let mut known: BTreeMap<(Vec<String>, String), usize> = BTreeMap::new();
    for test in &mut found {
        let count = known.entry((test.package.clone(), test.rule.clone())).or_default();
        test.number = *count;
        *count += 1;
    }
    found
}

fn test(package: &[String], rule: &Rule) -> Option<Found> {
    let mut reference = syntax::head_reference(rule);
    let position = syntax::position(reference);
    let mut keys = Vec::new();
    let name = loop {
        match reference {
            Expr::RefDot { refr, field: (_, field), .. } => {
                keys.push(Some(field.to_string()));
                reference = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                keys.push(match index.as_ref() {
                    Expr::Var { span, .. } => Some(span.text().to_owned()),
                    Expr::String { value, .. } | Expr::RawString { value, .. } => Some(value.to_string()),
                    _ => None,
                });
                reference = refr;
            }
            Expr::Var { span, value: Rego::String(name), .. } => break (span, name.to_string()),
            _ => return None,
        }
    };
    let (span, rule_name) = name;
    if !rule_name.starts_with("test_") && !rule_name.starts_with("todo_test_") {
        return None;
    }
    keys.reverse();
    let variables = variables(syntax::head_reference(rule));
    // In Rego v0, `test_x[note] { … }` is a set, and so never `true`.
    let variable =
        variables.iter().any(Option::is_some) && !matches!(rule, Rule::Spec { head: RuleHead::Set { .. }, .. });
    let bytes = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    let lists = if variable { lists(rule, &keys, &variables).unwrap_or_default() } else { Vec::new() };
    Some(Found {
        package: package.to_vec(),
        rule: rule_name,
        number: 0,
        position,
        function: syntax::is_function(rule),
        indexed: !keys.is_empty(),
        variable,
        alias: None,
        table: None,
        name: bytes(span.start)..bytes(span.end),
        lists,
    })
}

/// The variable of each key of a head; `None` for a key that is none.
fn variables(mut reference: &Expr) -> Vec<Option<String>> {
    let mut variables = Vec::new();
    loop {
        reference = match reference {
            Expr::RefDot { refr, .. } => {
                variables.push(None);
                refr
            }
            Expr::RefBrack { refr, index, .. } => {
                variables.push(match index.as_ref() {
                    Expr::Var { span, .. } => Some(span.text().to_owned()),
                    Expr::String { .. } | Expr::RawString { .. } => None,
                    // Not a variable, but nothing that can be told beforehand either.
                    other => Some(other.span().text().to_owned()),
                });
                refr
            }
            _ => break,
        };
    }
    variables.reverse();
    variables
}

/// What lists the cases of a table: for each depth of its keys, the keys as its first statements bind them. Those after
/// are what a case must pass. `None` where that can't be told.
fn lists(rule: &Rule, keys: &[Option<String>], variables: &[Option<String>]) -> Option<Vec<String>> {
    let Rule::Spec { bodies, .. } = rule else { return None };
    let mut lists = Vec::new();
    for depth in 1..=keys.len() {
        let bound: Vec<&String> = variables.iter().take(depth).flatten().collect();
        let mut tuple = Vec::new();
        for (key, variable) in keys.iter().zip(variables).take(depth) {
            let key = key.as_ref()?;
            tuple.push(if variable.is_some() {
                key.clone()
            } else {
                serde_json::Value::from(key.as_str()).to_string()
            });
        }
        if bound.is_empty() {
            continue;
        }
        for body in bodies {
            let statements = &body.query.stmts;
            let last = (1..=statements.len())
                .find(|count| bound.iter().all(|name| statements.iter().take(*count).any(|one| mentions(one, name))))?;
            let (first, last) = (statements.first()?, statements.get(last - 1)?);
            let text = first.span.source.contents();
            let range = usize::try_from(first.span.start).ok()?..usize::try_from(last.span.end).ok()?;
            lists.push(format!("{{[{}] | {}\n}}", tuple.join(", "), text.get(range)?));
        }
    }
    Some(lists)
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
/// where it was. With `tables`, adds the lists of cases at the end.
pub(super) fn edit<'a>(text: &mut String, found: impl Iterator<Item = &'a mut Found>, names: &mut Names, tables: bool) {
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
        if tables && !test.lists.is_empty() {
            let mut table = Table::default();
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
    fn of_length(&mut self, length: usize) -> Option<String> {
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
