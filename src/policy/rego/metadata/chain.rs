//! `rego.metadata.chain()` and `rego.metadata.rule()`: what the modules together say of one rule.

use serde_json::{Map, Value, json};

use super::super::ast::{Module, Rule};
use super::super::parser::SyntaxError;
use super::{Annotation, Scope, Target, block::constants};

/// The annotations of a rule of `module`, the closest first: of the rule, of its document, of its package, of the
/// packages above. `modules` are all there are, `module` among them. In an `else` there are none of the rule itself.
pub(crate) fn chain(modules: &[&Module], module: &Module, rule: &Rule, in_else: bool) -> Value {
    let path = document(module, rule);
    let own: Vec<&Annotation> = of_rule(module, rule, in_else).rev().collect();
    let mut links = if own.is_empty() { vec![link(&path, None)] } else { Vec::new() };
    links.extend(own.into_iter().map(|annotation| link(&path, Some(annotation))));
    links.extend(at(modules, &path).map(|annotation| link(&path, Some(annotation))));
    let package = package(module);
    let of_package = annotations(modules)
        .find(|(other, annotation)| annotation.scope == Scope::Package && self::package(other) == package);
    links.extend(of_package.map(|(_, annotation)| link(&package, Some(annotation))));
    for length in (1..=package.len()).rev() {
        let above = package.get(..length).unwrap_or_default();
        links.extend(at(modules, above).map(|annotation| link(above, Some(annotation))));
    }
    Value::Array(links)
}

/// The first annotation of the rule itself; an empty object if it has none.
pub(crate) fn rule(module: &Module, rule: &Rule, in_else: bool) -> Value {
    of_rule(module, rule, in_else).next().map_or_else(|| json!({}), Annotation::to_json)
}

/// Annotations that say again of a document, a package or its subpackages what another one says: the index of their
/// module, and the fault.
pub(crate) fn redeclared(modules: &[&Module]) -> Vec<(usize, SyntaxError)> {
    let mut known: Vec<(bool, Vec<Value>)> = Vec::new();
    let mut faults = Vec::new();
    for (index, module) in modules.iter().enumerate() {
        for annotation in module.annotations.iter().filter(|annotation| annotation.scope != Scope::Rule) {
            let place = (annotation.scope == Scope::Package, path_of(module, annotation));
            if known.contains(&place) {
                let cause = format!("another annotation of scope `{}` says this", annotation.scope.name());
                faults.push((index, SyntaxError { span: annotation.span, cause, help: None }));
            } else {
                known.push(place);
            }
        }
    }
    faults
}

fn of_rule<'m>(
    module: &'m Module,
    rule: &Rule,
    in_else: bool,
) -> impl DoubleEndedIterator<Item = &'m Annotation> + use<'m> {
    let target = Target::Rule(rule.span);
    let is_own =
        move |annotation: &&Annotation| !in_else && annotation.scope == Scope::Rule && annotation.target == target;
    module.annotations.iter().filter(is_own)
}

/// The annotation of a document or of subpackages at this path: OPA has one for both.
fn at<'m>(modules: &[&'m Module], path: &[Value]) -> Option<&'m Annotation> {
    annotations(modules)
        .find(|(module, annotation)| {
            matches!(annotation.scope, Scope::Document | Scope::Subpackages) && path_of(module, annotation) == path
        })
        .map(|(_, annotation)| annotation)
}

fn annotations<'m>(modules: &[&'m Module]) -> impl Iterator<Item = (&'m Module, &'m Annotation)> {
    modules.iter().flat_map(|module| module.annotations.iter().map(move |annotation| (*module, annotation)))
}

fn path_of(module: &Module, annotation: &Annotation) -> Vec<Value> {
    let Target::Rule(span) = annotation.target else { return package(module) };
    let rule = module.rules.iter().find(|rule| rule.span == span);
    rule.map_or_else(|| package(module), |rule| document(module, rule))
}

fn package(module: &Module) -> Vec<Value> {
    module.package.path.iter().map(|name| name.text.as_str().into()).collect()
}

/// The constant beginning of a rule's path.
fn document(module: &Module, rule: &Rule) -> Vec<Value> {
    let mut path = package(module);
    path.extend(constants(&rule.head.reference, false).unwrap_or_default());
    path
}

fn link(path: &[Value], annotation: Option<&Annotation>) -> Value {
    let mut link = Map::from_iter([("path".to_owned(), Value::from(path))]);
    if let Some(annotation) = annotation {
        link.insert("annotations".to_owned(), annotation.to_json());
    }
    Value::Object(link)
}
