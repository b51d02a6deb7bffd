//! Constructs that regorus answers more openly than OPA: where OPA refuses, or finds nothing, it finds something.
//!
//! Each of these was seen to turn a deny into an allow with regorus 0.14.1.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref, Rule};

use super::negation;

use crate::{
    decision::SourcePosition,
    policy::{
        fault::Fault,
        syntax::{self, Node},
    },
};

/// Every such fault, and its place. Modules that nest too deep are left out; they are refused anyway.
pub(super) fn faults(modules: &[Ref<Module>]) -> Vec<(Fault, SourcePosition)> {
    let mut faults = Vec::new();
    let packages: BTreeSet<Vec<String>> = modules.iter().map(|module| syntax::package(module)).collect();
    for module in modules {
        let is_test = module.package.span.source.file().ends_with("_test.rego");
        let globals = globals(modules, module);
        for rule in &module.policy {
            faults.extend(negation::faults(rule, &globals));
            if !is_test {
                faults.extend(lost_replacements(rule));
            }
        }
    }
    for package in &packages {
        faults.extend(misplaced(modules, &packages, package));
    }
    faults
}

/// Names that are not variables in a module: its package's rules, its imports, the documents.
fn globals(modules: &[Ref<Module>], module: &Module) -> BTreeSet<String> {
    let package = syntax::package(module);
    let rules = modules.iter().filter(|other| syntax::package(other) == package).flat_map(|other| &other.policy);
    let heads = rules.filter_map(|rule| syntax::path(syntax::head_reference(rule))?.parts.into_iter().next());
    let imports = module.imports.iter().filter_map(|import| match &import.r#as {
        Some(alias) => Some(alias.text().to_owned()),
        None => syntax::path(&import.refr)?.parts.pop(),
    });
    heads.chain(imports).chain(["input".to_owned(), "data".to_owned()]).collect()
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
fn misplaced(
    modules: &[Ref<Module>],
    packages: &BTreeSet<Vec<String>>,
    package: &[String],
) -> Vec<(Fault, SourcePosition)> {
    let rules = || modules.iter().filter(|module| syntax::package(module) == package).flat_map(|module| &module.policy);
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
        if packages.contains(&below)
            && let Some(module) = modules.iter().find(|module| syntax::package(module) == below)
        {
            let cause =
                format!("package `{}` would not be heard as the `{name}` of `{}`", below.join("."), package.join("."));
            let help = "give the package another name, or make it a rule";
            faults.push((Fault::new("contract_error", cause).help(help), syntax::position(&module.package.refr)));
        }
    }
    faults
}
