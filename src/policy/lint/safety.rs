//! Variables that nothing can give a value: a typo under a `not` would otherwise make it true.
//!
//! regorus finds most of them, some of them only when evaluated, and takes others for undefined. This looks for names
//! that stand nowhere in their rule where they could be bound; what is bound too late is left to regorus.

use std::collections::{BTreeMap, HashSet};

use super::{
    World,
    finding::Finding,
    names::{Callee, Source},
};
use crate::policy::{
    builtins,
    rego::{
        ast::{ExprKind, Operator, RefPartKind, Rule, Span, TermKind},
        lower::names::{dotted, variables},
        visit::{self, Node, Scopes},
    },
};

/// Adds a fault for each such name of each rule, where it first stands.
pub(super) fn check<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    for source in world.sources {
        for rule in &source.module.rules {
            for (name, span) in unbound(world, source, rule) {
                let cause = format!("`{name}` is unsafe: nothing gives it a value");
                let help = "is it misspelt? bind it: `some x in …`, `x := …`, or import what it should name";
                found.push(Finding::fault("rego_unsafe_var_error", source, span, cause, help));
            }
        }
    }
}

fn unbound<'a>(world: &World<'_, 'a>, source: &Source<'a>, rule: &'a Rule) -> BTreeMap<&'a str, Span> {
    let mut bound: HashSet<&str> = HashSet::new();
    let mut used: BTreeMap<&str, Span> = BTreeMap::new();
    let mut names = Vec::new();
    rule.head.arguments.iter().flatten().for_each(|argument| variables(argument, &mut names));
    visit::rule(rule, &mut |node, scopes| {
        binds(world, source, node, scopes, &mut names);
        let seen = match node {
            // A built-in stands alone where it is the value of a `with`.
            Node::Name(name, span) if builtins::arity(name).is_none() => Some((name, span)),
            Node::Ref(reference) if dotted(reference).is_none_or(|name| builtins::arity(&name).is_none()) => {
                match &reference.head.kind {
                    TermKind::Var(name) => Some((name.as_str(), reference.head.span)),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some((name, span)) = seen.filter(|(name, _)| !name.starts_with('_') && !is_known(source, name, scopes)) {
            used.entry(name).or_insert(span);
        }
    });
    bound.extend(names);
    used.retain(|name, _| !bound.contains(name));
    used
}

fn is_known(source: &Source<'_>, name: &str, scopes: &Scopes<'_>) -> bool {
    name == "input" || name == "data" || source.names(name, scopes)
}

/// Adds the variables that something can give a value.
fn binds<'a>(
    world: &World<'_, 'a>,
    source: &Source<'a>,
    node: Node<'a>,
    scopes: &Scopes<'a>,
    names: &mut Vec<&'a str>,
) {
    match node {
        Node::Ref(reference) => {
            for part in &reference.parts {
                if let RefPartKind::Bracket(index) = &part.kind {
                    variables(index, names);
                }
            }
        }
        Node::Expr(expression) => match &expression.kind {
            ExprKind::SomeIn { key, value, .. } => key.iter().chain([value]).for_each(|term| variables(term, names)),
            ExprKind::Every { key, value, .. } => {
                names.extend(key.iter().chain([value]).map(|name| name.text.as_str()));
            }
            _ => {}
        },
        Node::Term(term) => {
            if let TermKind::Infix { operator: operator @ (Operator::Assign | Operator::Unify), left, right, .. } =
                &term.kind
            {
                variables(left, names);
                if *operator == Operator::Unify {
                    variables(right, names);
                }
            }
        }
        Node::Call { function, arguments, .. } => {
            let arity = match source.callee(function, scopes) {
                Callee::BuiltIn(name) => builtins::arity(&name).map(usize::from),
                Callee::Path(path) => world.functions.get(&path).copied(),
                Callee::Unknown => None,
            };
            // What is unknown is a fault of its own.
            if arity.is_none_or(|arity| arguments.len() > arity) {
                for argument in arguments {
                    variables(argument, names);
                }
            }
        }
        Node::Name(..) | Node::Target(_) | Node::Body(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        bundle::Bundle,
        policy::{Options, Snapshot},
    };

    fn faults(rule: &str) -> Vec<String> {
        let text = format!("package p\nxs := [1]\ng(x) := x\n{rule}\n");
        let bundle = Bundle::from_files([("p.rego".to_owned(), text.into_bytes())]).unwrap();
        Snapshot::compile(&bundle, 1, Options::default())
            .err()
            .map(|faults| faults.0.iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    /// As `opa check` 1.20.2 says.
    #[test]
    fn what_nothing_binds_is_refused() {
        for rule in [
            "r := z",
            "r := [z]",
            "r contains z",
            "r[z] := 1",
            "f(a) := z",
            "r if { y := z; y }",
            "r if { some z; z > 1 }",
            "r if { y := [a | a := z]; y }",
            "r if { some z; not z }",
            "r if { y := [z]; count(y) > 0 }",
            "r if { some z; g(z) }",
            "r := z.b",
        ] {
            assert!(faults(rule).iter().any(|fault| fault.contains("`z` is unsafe")), "{rule}: {:?}", faults(rule));
        }
    }

    #[test]
    fn what_can_be_bound_is_not() {
        for rule in [
            "r contains z if { some z in xs }",
            "r[z] := y if { y := xs[z] }",
            "r if { some z; xs[z] == 1 }",
            "r if { z = 1; z > 0 }",
            "r if { [z, _] = [1, 2]; z > 0 }",
            "r if { walk(xs, [_, z]); z == 1 }",
            "r if { count(xs, z); z == 1 }",
            "r if { g(1, z); z == 1 }",
            "r if { every z in xs { z > 0 } }",
            "r := [z | some z in xs]",
            "f({\"a\": z}) := z",
            "r if { input.a[_].b == z; z = 1 }",
        ] {
            assert_eq!(faults(rule), Vec::<String>::new(), "{rule}");
        }
    }
}
