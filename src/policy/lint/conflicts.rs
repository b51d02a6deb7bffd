//! Rules that can't stand beside each other, as OPA's compiler counts: of different kinds, or one in the other's extent.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    finding::Finding,
    names::{Source, head_name, parts},
};
use crate::policy::rego::ast::{Rule, Span};

/// What a definition makes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// One value, or a function's.
    Single,
    /// A set.
    Multi,
}

#[derive(Clone, Copy)]
struct Definition<'s, 'a> {
    source: &'s Source<'a>,
    rule: &'a Rule,
    kind: Kind,
    /// Whether its path has no variables.
    ground: bool,
}

#[derive(Default)]
struct Node<'s, 'a> {
    own: Vec<Definition<'s, 'a>>,
    children: BTreeMap<String, Node<'s, 'a>>,
    /// The first definition below it, and the first function.
    below: Option<Definition<'s, 'a>>,
    function_below: Option<Definition<'s, 'a>>,
}

/// Every conflict.
pub(super) fn check<'a>(sources: &[Source<'a>], found: &mut Vec<Finding<'a>>) {
    let mut root = Node::default();
    let mut packages: BTreeMap<&[String], &Source<'a>> = BTreeMap::new();
    for source in sources {
        packages.entry(&source.package).or_insert(source);
        for rule in source.module.rules.iter().filter(|rule| !rule.chained) {
            add(&mut root, source, rule);
        }
    }
    let mut open = vec![&root];
    while let Some(node) = open.pop() {
        found.extend(conflict(node));
        open.extend(node.children.values());
    }
    for source in sources {
        for rule in &source.module.rules {
            found.extend(package_conflict(source, rule, &packages));
        }
    }
    for source in sources.iter().filter(|source| source.module.v1) {
        imports(source, found);
    }
}

fn add<'s, 'a>(root: &mut Node<'s, 'a>, source: &'s Source<'a>, rule: &'a Rule) {
    let Some(head) = head_name(rule) else { return };
    let has_key = rule.head.key.is_some();
    let kind = if has_key && rule.head.value.is_none() { Kind::Multi } else { Kind::Single };
    let own = parts(&rule.head.reference);
    let length = own.len();
    let names: Vec<String> = own.into_iter().map_while(|part| part).collect();
    // `p[x] = y` of Rego v0 has its key beside the name.
    let ground = names.len() == length && (kind == Kind::Multi || !has_key);
    let definition = Definition { source, rule, kind, ground };
    let path = source.package.iter().cloned().chain([head.to_owned()]).chain(names);
    let mut at = root;
    for part in path {
        at.below.get_or_insert(definition);
        if rule.head.arguments.is_some() {
            at.function_below.get_or_insert(definition);
        }
        at = at.children.entry(part).or_default();
    }
    at.own.push(definition);
}

fn conflict<'a>(node: &Node<'_, 'a>) -> Option<Finding<'a>> {
    let first = node.own.first()?;
    let name = name(first);
    let place = first.rule.head.span;
    let inside = if node.own.iter().any(|one| one.ground) {
        node.below
    } else if node.own.iter().any(|one| !one.ground) {
        node.function_below
    } else {
        None
    };
    if let Some(other) = inside {
        let cause = format!("rule `{name}` conflicts with `{}`, which is inside of its value", self::name(&other));
        let help = format!("give one of them another name; the other is at {}", at(&other));
        return Some(Finding::fault("rego_type_error", first.source, place, cause, help));
    }
    let shape = |one: &Definition<'_, '_>| {
        let complete = one.kind == Kind::Single && one.ground;
        (one.kind, complete, one.rule.head.arguments.as_ref().map(Vec::len), one.ground)
    };
    // A rule and a function without arguments are one kind for OPA.
    let shape = |one: &Definition<'_, '_>| {
        let (kind, complete, arguments, ground) = shape(one);
        (kind, complete, arguments.unwrap_or(0), kind == Kind::Multi && ground)
    };
    if let Some(other) = node.own.iter().find(|one| shape(one) != shape(first)) {
        let cause = format!("conflicting rules `{name}`: {} here, {} at {}", what(first), what(other), at(other));
        let help = "all definitions of a rule are of one kind: a value, a set (`contains`), an object, or a function of \
                    as many arguments";
        return Some(Finding::fault("rego_type_error", other.source, other.rule.head.span, cause, help));
    }
    let default = node.own.iter().filter(|one| one.rule.default).nth(1)?;
    let cause = format!("multiple default rules `{name}`");
    Some(Finding::fault("rego_type_error", default.source, default.rule.span, cause, "keep one of them"))
}

fn name(definition: &Definition<'_, '_>) -> String {
    let path = definition.source.head(definition.rule).unwrap_or_default();
    format!("data.{}", path.join(".").replace('\0', ""))
}

fn at(definition: &Definition<'_, '_>) -> String {
    let Definition { source, rule, .. } = definition;
    let (line, column) = crate::policy::text::line_and_column(source.text, rule.span.start as usize);
    format!("{}:{line}:{column}", source.file)
}

fn what(definition: &Definition<'_, '_>) -> String {
    match (&definition.rule.head.arguments, definition.kind, definition.ground) {
        (Some(arguments), ..) => format!("a function of {}", arguments.len()),
        (None, Kind::Multi, _) => "a set".to_owned(),
        (None, Kind::Single, true) => "a value".to_owned(),
        (None, Kind::Single, false) => "an object".to_owned(),
    }
}

/// A rule `b` of package `a` where there is a package `a.b`.
fn package_conflict<'a>(
    source: &Source<'a>,
    rule: &'a Rule,
    packages: &BTreeMap<&[String], &Source<'a>>,
) -> Option<Finding<'a>> {
    if parts(&rule.head.reference).contains(&None) || rule.chained {
        return None;
    }
    let path = source.head(rule)?;
    let other = packages.get(path.as_slice())?;
    let cause = format!("rule `data.{}` has the path of the package of `{}`", path.join("."), other.file);
    let help = "give the rule or the package another name";
    Some(Finding::fault("rego_type_error", source, rule.head.span, cause, help))
}

/// Two imports of one name, which Rego v1 refuses.
fn imports<'a>(source: &Source<'a>, found: &mut Vec<Finding<'a>>) {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for import in source.module.imports.iter().filter(|import| super::names::is_document(import)) {
        let Some(name) = import.name() else { continue };
        if !known.insert(name) {
            let cause = format!("`{name}` is imported already");
            let span: Span = import.span;
            let help = "delete one of the imports, or name it with `as`";
            found.push(Finding::fault("rego_compile_error", source, span, cause, help));
        }
    }
}
