//! The files of a policy set, and what names mean in them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use crate::policy::{
    lowering,
    rego::{
        ast::{Module, Ref, RefPartKind, Rule, Span, TermKind},
        visit::{Node, Scopes},
    },
    text::Texts,
};

/// A path below `data` or `input`; `None` for a part that is known only when evaluated.
pub(super) type Pattern = Vec<Option<String>>;

/// A file that could be read.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) module: &'a Module,
    pub(super) package: Vec<String>,
    /// Name to its path, `data` or `input` first.
    imports: HashMap<&'a str, Pattern>,
    /// The first names of its package's rules.
    defined: Rc<BTreeSet<&'a str>>,
}

/// What a call calls.
pub(super) enum Callee {
    /// A function or rule of the set, by its path below `data`.
    Path(Vec<String>),
    /// Anything else: a built-in, if there is one of that name.
    BuiltIn(String),
    /// What can't be told.
    Unknown,
}

/// Every file.
pub(super) fn sources(texts: &Texts) -> Vec<Source<'_>> {
    let modules: Vec<(&str, &str, &Module)> =
        texts.iter().filter_map(|(path, text)| Some((&**path, &*text.written, text.module.as_deref()?))).collect();
    let mut defined: BTreeMap<Vec<String>, BTreeSet<&str>> = BTreeMap::new();
    for (_, _, module) in &modules {
        let names = module.rules.iter().filter_map(|rule| head_name(rule));
        defined.entry(lowering::package(module)).or_default().extend(names);
    }
    let defined: BTreeMap<_, _> = defined.into_iter().map(|(package, names)| (package, Rc::new(names))).collect();
    let source = |(file, text, module)| {
        let package = lowering::package(module);
        let defined = defined.get(&package).map(Rc::clone).unwrap_or_default();
        Source { file, text, module, package, imports: imports(module), defined }
    };
    modules.into_iter().map(source).collect()
}

impl Source<'_> {
    /// Whether it is of tests.
    pub(super) fn is_test(&self) -> bool {
        self.file.ends_with("_test.rego")
    }

    /// The path that a rule defines, without the parts that are no constants.
    pub(super) fn head(&self, rule: &Rule) -> Option<Vec<String>> {
        let own = parts(&rule.head.reference);
        let own = std::iter::once(Some(head_name(rule)?.to_owned())).chain(own).map_while(|part| part);
        Some(self.package.iter().cloned().chain(own).collect())
    }

    /// What something refers to below `data`.
    pub(super) fn meant(&self, node: Node<'_>, scopes: &Scopes<'_>) -> Option<(Pattern, Span)> {
        let (path, span) = match node {
            Node::Name(name, span) => (self.whole(name, Vec::new(), scopes)?, span),
            Node::Ref(reference) | Node::Call { function: reference, .. } => {
                (self.path(reference, scopes)?, reference.span)
            }
            Node::Target(_) | Node::Body(_) | Node::Expr(_) | Node::Term(_) => return None,
        };
        below("data", path).map(|path| (path, span))
    }

    /// What a `with` replaces below `data`.
    pub(super) fn replaced(&self, target: &Ref, scopes: &Scopes<'_>) -> Option<Pattern> {
        below("data", self.path(target, scopes)?)
    }

    /// What a reference names below `input`.
    pub(super) fn of_input(&self, reference: &Ref, scopes: &Scopes<'_>) -> Option<Pattern> {
        below("input", self.path(reference, scopes)?)
    }

    /// Whether a name that is not declared is a rule's of the package, or an import's.
    pub(super) fn is_defined(&self, name: &str) -> bool {
        self.imports.contains_key(name) || self.defined.contains(name)
    }

    /// What a call calls.
    pub(super) fn callee(&self, function: &Ref, scopes: &Scopes<'_>) -> Callee {
        let TermKind::Var(name) = &function.head.kind else { return Callee::Unknown };
        if scopes.declares(name) {
            return Callee::Unknown;
        }
        let parts: Option<Vec<String>> = parts(function).into_iter().collect();
        let Some(parts) = parts else { return Callee::Unknown };
        match self.whole(name, Vec::new(), scopes) {
            Some(start) => match below("data", start.into_iter().chain(parts.into_iter().map(Some)).collect()) {
                Some(path) => path.into_iter().collect::<Option<_>>().map_or(Callee::Unknown, Callee::Path),
                None => Callee::Unknown,
            },
            None => Callee::BuiltIn(std::iter::once(name.clone()).chain(parts).collect::<Vec<_>>().join(".")),
        }
    }

    /// The whole path of a reference, `data` or `input` first.
    pub(super) fn path(&self, reference: &Ref, scopes: &Scopes<'_>) -> Option<Pattern> {
        let TermKind::Var(name) = &reference.head.kind else { return None };
        self.whole(name, parts(reference), scopes)
    }

    fn whole(&self, name: &str, rest: Pattern, scopes: &Scopes<'_>) -> Option<Pattern> {
        if scopes.declares(name) {
            return None;
        }
        let start: Pattern = if name == "data" || name == "input" {
            vec![Some(name.to_owned())]
        } else if let Some(target) = self.imports.get(name) {
            target.clone()
        } else if self.defined.contains(name) {
            let path = self.package.iter().map(String::as_str).chain([name]);
            std::iter::once("data").chain(path).map(|part| Some(part.to_owned())).collect()
        } else {
            return None;
        };
        Some(start.into_iter().chain(rest).collect())
    }
}

/// The rest of a path that begins so.
fn below(root: &str, mut path: Pattern) -> Option<Pattern> {
    let is_below = path.first().is_some_and(|first| first.as_deref() == Some(root));
    is_below.then(|| path.split_off(1))
}

/// The name that a rule's head begins with.
pub(super) fn head_name(rule: &Rule) -> Option<&str> {
    match &rule.head.reference.head.kind {
        TermKind::Var(name) => Some(name),
        _ => None,
    }
}

/// The parts of a reference after its head.
pub(super) fn parts(reference: &Ref) -> Pattern {
    reference.parts.iter().map(|part| constant(&part.kind)).collect()
}

fn constant(part: &RefPartKind) -> Option<String> {
    match part {
        RefPartKind::Dot(name) => Some(name.clone()),
        RefPartKind::Bracket(index) => match &index.kind {
            TermKind::String { value, .. } => Some(value.clone()),
            // These are no names: nothing that has one is meant.
            TermKind::Null => Some("\0null".to_owned()),
            TermKind::Bool(value) => Some(format!("\0{value}")),
            TermKind::Number(number) => Some(format!("\0{number}")),
            _ => None,
        },
    }
}

/// The module's imports from `data` and `input`.
fn imports(module: &Module) -> HashMap<&str, Pattern> {
    let of_documents = module.imports.iter().filter(|import| is_document(import));
    of_documents
        .filter_map(|import| Some((import.name()?, import.path.iter().map(|name| Some(name.text.clone())).collect())))
        .collect()
}

/// Whether it imports something of `data` or `input`.
pub(super) fn is_document(import: &crate::policy::rego::ast::Import) -> bool {
    import.path.first().is_some_and(|root| root.text == "data" || root.text == "input")
}
