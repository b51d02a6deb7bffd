//! Variables that nothing can give a value: a typo under a `not` would otherwise make it true.
//!
//! What is safe is what OPA's documentation says: each variable of a condition gets its value from one that is not
//! negated, in whatever order they stand, and what is closed over from outside. regorus finds some of the others only
//! when it evaluates, and takes some for undefined.

mod solve;
mod statements;

use super::{World, finding::Finding, names::Source};
use crate::policy::rego::{
    ast::{Rule, Span, Term, TermKind},
    visit::{self, Node},
};
use solve::Solver;
use statements::Builder;

/// Adds a fault for each such name of each rule, where it first stands.
pub(super) fn check<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    for source in world.sources {
        for rule in source.module.rules.iter().filter(|rule| !rule.default) {
            let before = found.len();
            arguments(source, rule, found);
            if found.len() > before {
                continue;
            }
            let mut builder = Builder::new(world, source, rule);
            let bodies = builder.rule(rule);
            for (name, span) in std::mem::take(&mut builder.unused) {
                let cause = format!("`{name}` is declared by `every`, and not used");
                let help = "use it in the body, or write `_` in its place";
                found.push(Finding::fault("rego_compile_error", source, span, cause, help));
            }
            let mut solver = Solver::new(&builder.arguments);
            for body in &bodies {
                solver.body(body);
            }
            for (variable, negated) in solver.into_unsafe() {
                let Some((name, span)) = builder.name(variable) else { continue };
                found.push(unsafe_variable(source, name, span, negated));
            }
        }
    }
}

fn unsafe_variable<'a>(source: &Source<'a>, name: &str, span: Span, negated: bool) -> Finding<'a> {
    let cause = format!("`{name}` is unsafe: nothing gives it a value");
    let help = match (negated, name) {
        (true, "_") => {
            "a `not` gives nothing a value: put what it asks in a rule of its own, and write `not` before that rule; \
             for each element, write `every x in …`"
        }
        (true, _) => {
            "a `not` gives nothing a value: bind it before, `some x in …`, or put what is negated in a rule of its own"
        }
        (false, "_") => "name what it should be",
        (false, _) => "is it misspelt? bind it: `some x in …`, `x := …`, or import what it should name",
    };
    Finding::fault("rego_unsafe_var_error", source, span, cause, help)
}

/// Adds a fault for each argument of a function that is no pattern: a document, a rule or a call.
fn arguments<'a>(source: &Source<'a>, rule: &'a Rule, found: &mut Vec<Finding<'a>>) {
    for argument in rule.head.arguments.iter().flatten() {
        visit::term(argument, &mut |node, scopes| match node {
            Node::Ref(reference) => {
                if let TermKind::Var(name) = &reference.head.kind
                    && !scopes.declares(name)
                    && (matches!(name.as_str(), "input" | "data") || source.is_defined(name))
                    && !is_inside_of_a_comprehension(argument, reference.span)
                {
                    let cause = format!("`{name}` can't stand in the arguments of a function");
                    let help =
                        "give the argument a name of its own, and compare it in the body: `f(x) if x == input.a`";
                    found.push(Finding::fault("rego_unsafe_var_error", source, reference.span, cause, help));
                }
            }
            Node::Call { span, .. } if !is_inside_of_a_comprehension(argument, span) => {
                let cause = "a call can't stand in the arguments of a function";
                let help = "give the argument a name, and compare it in the body: `f(x) if x == g(y)`";
                found.push(Finding::fault("rego_compile_error", source, span, cause, help));
            }
            _ => {}
        });
    }
}

fn is_inside_of_a_comprehension(pattern: &Term, span: Span) -> bool {
    let mut inside = false;
    visit::term(pattern, &mut |node, _| {
        if let Node::Body(_) = node {
            inside = true;
        }
    });
    // Rare enough to be lenient with what stands beside one.
    inside && pattern.span.start <= span.start
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
    fn what_only_a_negation_or_a_set_names_is_refused() {
        for rule in [
            "r if { not input.checks[z].pass }",
            "r if { some z; not input.l[z] == 1; z == 1 }",
            "r if { not g(input.x[z]) }",
            "r if { some z; {z} = {1} }",
            "r if { some {z} in [{1}] }",
            "r if { {z: 1} = {1: 1} }",
            "r if { z == 1 }",
            "r if { x = z; z = x }",
            "r if { [x, 1] = [z, 1] }",
            "r if { input.a with input.b as z }",
            "r if { not z == 1; not z == 2 }",
            "r if { every y in z { y == 1 } }",
            "r if { every y in [1] { y == z } }",
            "r if { x := 1; y := [z | not x == z] }",
            "r if { false } else := z if { true }",
            "r if { z := z + 1 }",
            "r if { some y in z; y == 1 }",
        ] {
            assert!(faults(rule).iter().any(|fault| fault.contains("`z` is unsafe")), "{rule}: {:?}", faults(rule));
        }
        assert!(faults("r if { not input.checks[_].pass }").iter().any(|fault| fault.contains("`_` is unsafe")));
    }

    #[test]
    fn what_else_opa_refuses_is_refused() {
        for rule in [
            "h(input) := 1",
            "h(data.t.c) := 1",
            "h(input.a, x) := x",
            "h(xs[0]) := 1",
            "h(g(x)) := 1",
            "h() := 1\nr := h()",
            "r if { every k, v in [1] { v == 1 } }",
            "r if { every v in [1] { true } }",
            "h(x) := x if { some x }",
        ] {
            assert!(!faults(rule).is_empty(), "{rule}");
        }
    }

    #[test]
    fn what_can_be_bound_is_not() {
        let rules = [
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
            "r if { not startswith(lower(input.x[z]), \"a\") }",
            "r if { not [1 | input.x[z]] == [] }",
            "r if { not z == 1; z = input.a }",
            "r if { z > 1; g(y, z); y = x; x = input.a[_] }",
            "r if { x := 1; y := [x | x := x + 1]; y == [2] }",
            "r if { every k, v in [1] { k == 0; v == 1 } }",
            "r if { every _ in [1] { true } }",
            "r if { every v in [1] { every w in [1] { v == w } } }",
            "r if { y = [x | x = z]; z = 1; y == [1] }",
            "r contains input.a[z]",
            "r[input.a[z]] := z",
            "r := [y | y := xs[z]; z > 0]",
            "r := data.q[z].w",
            "h({z}) := 1",
            "h(z, z[0]) := 1",
            "h([y | y := 1]) := 1",
            "h(z) := y if { z[y] } else := z",
            "r if { some z, y in xs; z == y }",
            "r if { some [z, 0] in [[1, 0]]; z == 1 }",
            "r if { eq(z, 1); z == 1 }",
            "r if { input.a with input.b as z; z = 1 }",
            "r if { {\"a\": [z, y]} = input.a; z == y }",
            "r if { not input.a with input.b as xs[0] }",
            "r if { print(input.a, xs[0]) }",
            "r if { {\"a\": {\"b\": z}} = {\"a\": {\"b\": 1}}; z == 1 }",
            "r if { y = [z | z = 1]; z = y[0] + 1 }",
            "r contains z if { input.q[{\"a\": 1, z: 2}] }",
            "r if { xs[z] with input as {}; z == 0 }",
            "r := $\"a {input.b}\"",
            "r if { x := xs; some y in x; y == z; z = 2 }",
        ];
        let refused: Vec<_> =
            rules.iter().map(|rule| (rule, faults(rule))).filter(|(_, faults)| !faults.is_empty()).collect();
        assert!(refused.is_empty(), "{refused:#?}");
    }
}
