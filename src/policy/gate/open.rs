//! Constructs that regorus answers more openly than OPA: where OPA refuses, or finds nothing, it finds something.
//!
//! Each of these was seen to turn a deny into an allow with regorus 0.14.1.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref, Rule};

use super::negation;
use crate::{
    decision::SourcePosition,
    policy::{
        fault::Fault,
        syntax::{self, Node},
    },
};

/// Package to its modules.
type Packages<'a> = BTreeMap<Vec<String>, Vec<&'a Module>>;

/// Every such fault, and its place. Modules that nest too deep are left out; they are refused anyway.
pub(super) fn faults(modules: &[Ref<Module>]) -> Vec<(Fault, SourcePosition)> {
    let mut faults = Vec::new();
    let mut packages = Packages::new();
    for module in modules {
        packages.entry(syntax::package(module)).or_default().push(module);
    }
    for (package, own) in &packages {
        let rules = own.iter().flat_map(|module| &module.policy);
        let heads = rules.filter_map(|rule| syntax::path(syntax::head_reference(rule))?.parts.into_iter().next());
        let defined: BTreeSet<String> = heads.collect();
        for module in own {
            let is_test = module.package.span.source.file().ends_with("_test.rego");
            let imports = imports(module);
            // Names that are no variables.
            let globals =
                |name: &str| defined.contains(name) || imports.contains(name) || name == "input" || name == "data";
            for rule in &module.policy {
                faults.extend(negation::faults(rule, &globals));
                if !is_test {
                    faults.extend(lost_replacements(rule));
                }
            }
        }
        faults.extend(misplaced(own, &packages, package));
    }
    faults
}

fn imports(module: &Module) -> BTreeSet<String> {
    let names = module.imports.iter().filter_map(|import| match &import.r#as {
        Some(alias) => Some(alias.text().to_owned()),
        None => syntax::path(&import.refr)?.parts.pop(),
    });
    names.collect()
}

/// `x with a as b.c with d as e`: where `b.c` is undefined, so is the statement for OPA; regorus forgets it.
fn lost_replacements(rule: &Rule) -> Vec<(Fault, SourcePosition)> {
    let mut faults = Vec::new();
    let walked = syntax::walk(rule, &mut |node| {
        let Node::Statement(statement) = node else { return };
        let Some((_, earlier)) = statement.with_mods.split_last() else { return };
        for with in earlier {
            if matches!(with.r#as.as_ref(), Expr::RefDot { .. } | Expr::RefBrack { .. } | Expr::Call { .. }) {
                let cause = "of several `with`, only the last may take a value that can be undefined";
                let help = "bind it first (`value := …`), and write `with … as value`";
                faults.push((Fault::new("rego_compile_error", cause).help(help), syntax::position(&with.r#as)));
            }
        }
    });
    if walked.is_err() { Vec::new() } else { faults }
}

/// A `deny` or `decision` that the decision contract would not see: of several parts, a function, or a package.
fn misplaced(modules: &[&Module], packages: &Packages<'_>, package: &[String]) -> Vec<(Fault, SourcePosition)> {
    let rules = || modules.iter().flat_map(|module| &module.policy);
    let parts = |rule: &Rule| syntax::path(syntax::head_reference(rule)).map(|path| path.parts).unwrap_or_default();
    let is_entry = rules().any(|rule| {
        !syntax::is_function(rule) && matches!(parts(rule).as_slice(), [name] if name == "allow" || name == "decision")
    });
    if !is_entry {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for rule in rules() {
        let parts = parts(rule);
        let (Some(first), more) = (parts.first(), parts.len() > 1) else { continue };
        if (first == "deny" || first == "decision") && (more || syntax::is_function(rule)) {
            let cause = format!("`{}` beside `allow` would not be heard: only a rule `{first}` is", parts.join("."));
            let help = format!("write `{first} contains … if …` or `{first} := …`, or give it another name");
            let place = syntax::position(syntax::head_reference(rule));
            faults.push((Fault::new("contract_error", cause).help(help), place));
        }
    }
    for name in ["deny", "decision"] {
        let below: Vec<String> = package.iter().cloned().chain([name.to_owned()]).collect();
        if let Some(module) = packages.get(&below).and_then(|modules| modules.first()) {
            let cause =
                format!("package `{}` would not be heard as the `{name}` of `{}`", below.join("."), package.join("."));
            let help = "give the package another name, or make it a rule";
            faults.push((Fault::new("contract_error", cause).help(help), syntax::position(&module.package.refr)));
        }
    }
    faults
}
