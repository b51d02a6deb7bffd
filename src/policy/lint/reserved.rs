//! Names that lowering gives to what is its own (`policy/rego/lower.rs`): a policy that could use them could change what others
//! mean.

use super::{finding::Finding, names::Source};
use crate::policy::rego::{
    ast::{Ref, Span, TermKind},
    lower::{RESERVED, names},
    visit::{self, Node},
};

/// Every use of one.
pub(super) fn check<'a>(source: &Source<'a>, found: &mut Vec<Finding<'a>>) {
    let module = source.module;
    let mut places: Vec<(&str, Span)> = Vec::new();
    let imported = module.imports.iter().flat_map(|import| import.path.iter().chain(&import.alias));
    places.extend(module.package.path.iter().chain(imported).map(|name| (name.text.as_str(), name.span)));
    for rule in &module.rules {
        of_reference(&rule.head.reference, &mut places);
        visit::rule(rule, &mut |node, _| match node {
            Node::Name(name, span) => places.push((name, span)),
            Node::Ref(reference) | Node::Target(reference) | Node::Call { function: reference, .. } => {
                of_reference(reference, &mut places);
            }
            Node::Body(_) | Node::Expr(_) | Node::Term(_) => {}
        });
    }
    places.retain(|(name, _)| name.starts_with(RESERVED));
    places.sort_by_key(|(_, span)| *span);
    places.dedup();
    found.extend(places.into_iter().map(|(name, span)| {
        let cause = format!("`{name}` begins with `{RESERVED}`, as only names of Verdict's own do");
        Finding::fault("rego_reserved_name_error", source, span, cause, "give it another name")
    }));
}

fn of_reference<'a>(reference: &'a Ref, places: &mut Vec<(&'a str, Span)>) {
    if let TermKind::Var(name) = &reference.head.kind {
        places.push((name, reference.head.span));
    }
    places.extend(reference.parts.iter().filter_map(|part| Some((names::constant(&part.kind)?, part.span))));
}
