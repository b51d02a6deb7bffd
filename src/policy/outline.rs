//! What Rego texts define, so that two versions of them can be compared.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    compile,
    fault::{Fault, Faults},
    lowering,
    rego::{
        self,
        ast::{Module as Tree, Rule},
    },
};
use crate::bundle::{Module, RegoVersion};

/// What one file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The file.
    pub path: String,
    /// Its package: `data.authz`.
    pub package: String,
    /// What it imports, as it is written there.
    pub imports: Vec<String>,
    /// Its definitions by name (`data.authz.allow`): the same for texts that differ in comments and layout alone.
    pub definitions: BTreeMap<String, Vec<String>>,
}

/// The outlines of files, or every fault of their syntax. `rego_v0` is how files are read whose bundle does not say it.
pub fn outlines(modules: &[&Module], rego_v0: bool) -> Result<Vec<Outline>, Faults> {
    let read = || {
        let (mut outlines, mut faults) = (Vec::new(), Vec::new());
        for module in modules {
            let v1 = module.version.map_or(!rego_v0, |version| version == RegoVersion::V1);
            match rego::parser::parse(&module.text, v1) {
                Ok(tree) => outlines.push(outline(module, tree)),
                Err(errors) => faults.extend(errors.into_iter().map(|error| lowering::fault(module, error))),
            }
        }
        if faults.is_empty() { Ok(outlines) } else { Err(Faults(faults)) }
    };
    compile::on_a_thread(read)
}

/// Every package of the files that can be read, and a fault for each that can't.
#[must_use]
pub fn packages(modules: &[&Module], rego_v0: bool) -> (Vec<String>, Vec<Fault>) {
    let (mut packages, mut faults) = (Vec::new(), Vec::new());
    for module in modules {
        match outlines(&[module], rego_v0) {
            Ok(outlines) => packages.extend(outlines.into_iter().map(|outline| outline.package)),
            Err(Faults(found)) => faults.extend(found),
        }
    }
    packages.sort();
    packages.dedup();
    (packages, faults)
}

fn outline(module: &Module, tree: Tree) -> Outline {
    let package = std::iter::once("data").chain(tree.package.path.iter().map(|name| name.text.as_str()));
    let package = package.collect::<Vec<_>>().join(".");
    let written = |span: rego::ast::Span| module.text.get(span.range()).unwrap_or_default();
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let imports = tree.imports.iter().map(|import| squeezed(written(import.span))).collect();
    let mut single = tree;
    let rules = std::mem::take(&mut single.rules);
    let mut definitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for group in groups(rules) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let name: String = written(first.head.reference.span).split_whitespace().collect();
        let text = squeezed(written(first.span.to(last.span)));
        single.rules = group;
        // What has no JSON is compared as it is written.
        let tree = rego::json::module(&single, "", "").and_then(|mut tree| tree.get_mut("rules").map(Json::take));
        let tree = tree.map_or(text, |rules| rules.to_string());
        definitions.entry(format!("{package}.{name}")).or_default().push(tree);
    }
    for same in definitions.values_mut() {
        same.sort();
    }
    Outline { path: module.path.clone(), package, imports, definitions }
}

/// Each rule with its further bodies.
fn groups(rules: Vec<Rule>) -> Vec<Vec<Rule>> {
    let mut groups: Vec<Vec<Rule>> = Vec::new();
    for rule in rules {
        match groups.last_mut() {
            Some(group) if rule.chained => group.push(rule),
            _ => groups.push(vec![rule]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Outline {
        let module = Module { path: "a.rego".to_owned(), text: text.to_owned(), ..Module::default() };
        outlines(&[&module], false).unwrap().remove(0)
    }

    #[test]
    fn layout_and_comments_do_not_count() {
        let one = of(
            "package a.b\n\nimport data.x\n\nallow if {\n  # why\n  input.a == 1\n  some y in data.x; y\n}\nallow if f(_)\nf(x) := x\n",
        );
        let other = of(
            "package a.b\nimport   data.x\nf(x) := x # same\nallow if { input.a==1; some y in data.x\n y }\nallow if f( _ )\n",
        );
        assert_eq!(one, other);
        assert_eq!(one.definitions.keys().collect::<Vec<_>>(), ["data.a.b.allow", "data.a.b.f"]);
        assert_eq!((one.package.as_str(), one.imports.as_slice()), ("data.a.b", &["import data.x".to_owned()][..]));
    }

    #[test]
    fn meaning_counts() {
        let base = of("package a\np contains x if some x in [1, \"a b\"]");
        for text in [
            "package a\np contains x if some x in [1.0, \"a b\"]",
            "package a\np contains x if some x in [1, \"a  b\"]",
        ] {
            assert_ne!(base.definitions, of(text).definitions, "{text}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_told() {
        let module = Module { path: "a.rego".to_owned(), text: "package a\np if {".to_owned(), ..Module::default() };
        assert!(outlines(&[&module], false).is_err());
        assert_eq!(packages(&[&module], false).1.len(), 1);
    }
}
