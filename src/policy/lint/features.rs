//! What of the language the capabilities leave out, and the hosts that they name.

use super::{World, finding::Finding};
use crate::policy::rego::{
    ast::{Span, Term, TermKind},
    lower,
};

/// Rules whose names are all keywords (regorus takes none of them for a name); imports of keywords, and Rego v1, where the capabilities do not have them.
pub(super) fn check<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    let capabilities = world.capabilities;
    for source in world.sources {
        let module = source.module;
        for rule in &module.rules {
            let (head, names) = (&rule.head, lower::names::keywords(rule));
            if names.len() > head.reference.parts.len() {
                let cause = format!("`{}` has no name but keywords, which Verdict can't evaluate", names.join("."));
                let help = "rename the rule; a keyword may stand before a dot, as in `if.allowed`";
                found.push(Finding::fault("rego_unsupported", source, head.span, cause, help));
            }
        }
        if module.v1 && !(capabilities.has_feature("rego_v1") || capabilities.has_feature("rego_v1_import")) {
            let cause = "the capabilities in force do not have the feature `rego_v1`";
            let help = "add it to the `features` of the capabilities file, or write Rego v0";
            found.push(Finding::fault("capabilities_error", source, module.package.span, cause, help));
        }
        for import in &module.imports {
            let path: Vec<&str> = import.path.iter().map(|name| name.text.as_str()).collect();
            if let ["future", "keywords", keyword, ..] = path.as_slice()
                && !capabilities.has_keyword(keyword)
            {
                let cause = format!("the capabilities in force do not have the keyword `{keyword}`");
                let help = "add it to the `future_keywords` of the capabilities file";
                found.push(Finding::fault("capabilities_error", source, import.span, cause, help));
            }
        }
    }
}

/// The host that a call asks, where it is a constant.
pub(super) fn host(built_in: &str, arguments: &[&Term]) -> Option<(String, Span)> {
    let first = arguments.first()?;
    match (built_in, &first.kind) {
        ("net.lookup_ip_addr", TermKind::String { value, .. }) => Some((value.clone(), first.span)),
        ("http.send", TermKind::Object(members)) => members.iter().find_map(|(key, value)| {
            let (TermKind::String { value: key, .. }, TermKind::String { value: url, .. }) = (&key.kind, &value.kind)
            else {
                return None;
            };
            let host = hyper::Uri::try_from(url.as_str()).ok()?.host()?.to_owned();
            (key == "url").then_some((host, value.span))
        }),
        _ => None,
    }
}
