//! Every file of a policy set from its author's text to the text that regorus reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use regorus::Value as Rego;

use super::{
    brackets, builtins,
    compile::Options,
    fault::Fault,
    paths::Paths,
    rego::{
        self,
        ast::{Body, Module as Tree, TermKind},
        edit::Edited,
        lower::{self, Place, Shared, World},
        metadata,
        visit::{self, Node},
    },
    statements,
    text::{PART, Text, Texts},
};
use crate::bundle::{Module, RegoVersion};

/// The most faults of one file that are told.
const MAX_FAULTS: usize = 50;

/// A policy set, read.
pub(super) struct Lowered<'a> {
    /// Every file; one with faults has no tree.
    pub(super) texts: Texts,
    /// The files that can be looked at further without consequences of others' faults: those that neither share a package
    /// with a broken file nor refer to one.
    pub(super) readable: Vec<&'a Module>,
}

/// What the name of the part with the functions that call replaced built-ins ends with; no keyword does.
const BUILT_INS: &str = "built-ins";

/// The same of the part with the functions that tell which `with` is in force.
const WITHS: &str = "withs";

/// What the name of a part ends with that has the function which calls those of several files, before its own.
const CALLER: &str = "of several files: ";

/// What helps with a file that is Rego v0.
const OLDER: &str = "this reads as Rego v0: name `--rego-v0` (in a configuration, `policies.rego_v0`), or rewrite it with \
                     `opa fmt --write --v0-v1`";

/// Reads and lowers the files. Adds every fault of their syntax.
pub(super) fn lower<'a>(
    modules: &[&'a Module],
    data: Option<&Rego>,
    options: Options,
    faults: &mut Vec<Fault>,
) -> Lowered<'a> {
    let mut trees: Vec<(&Module, Arc<Tree>)> = Vec::new();
    let mut texts = Texts::default();
    let mut broken: BTreeSet<String> = BTreeSet::new();
    for module in modules {
        match rego::parser::parse(&module.text, !reads_v0(module, options)) {
            Ok(tree) => {
                faults.extend(outside(module, &tree));
                trees.push((module, Arc::new(tree)));
            }
            Err(errors) => {
                broken.insert(statements::package(&module.text));
                let v0 = reads_v0(module, options);
                texts.insert(&module.path, Text::plain(&module.text, v0));
                let older = !v0 && rego::parser::parse(&module.text, false).is_ok();
                faults.extend(errors.into_iter().take(MAX_FAULTS).map(|error| {
                    let fault = fault(module, error);
                    if older { fault.help(OLDER) } else { fault }
                }));
            }
        }
    }
    let all: Vec<Arc<Tree>> = trees.iter().map(|(_, tree)| Arc::clone(tree)).collect();
    let mut set = Set::new(all.iter().map(Arc::as_ref).collect(), None);
    let mut added = set.added(data);
    let mut readable = Vec::new();
    for (module, tree) in trees {
        let package = package(&tree);
        let (mut text, refused) =
            set.text(&module.path, (module.text.as_str().into(), reads_v0(module, options)), &tree, data);
        // Once, with any file.
        text.parts.extend(parts(&module.path, std::mem::take(&mut added)));
        if let Some((line, column)) = brackets::too_deep(&text.lowered.text) {
            let cause = format!("brackets nest more than {} deep here", brackets::MAX_NESTING);
            let help = "name parts of it as rules, or move it to `data.json`";
            let fault = Fault::new("rego_nesting_error", cause).help(help);
            let fault = fault.at(&module.path, &text.lowered.text, line, column, 1);
            broken.insert(package.join("."));
            texts.insert(&module.path, Text { module: None, ..text });
            faults.push(texts.relocated(fault));
            continue;
        }
        if !refused.is_empty() {
            broken.insert(package.join("."));
            texts.insert(&module.path, Text { module: None, ..text });
            faults.extend(refused.into_iter().take(MAX_FAULTS).map(|error| fault(module, error)));
            continue;
        }
        readable.push((module, tree));
        texts.insert(&module.path, text);
    }
    readable.retain(|(_, tree)| !touches(tree, &broken));
    Lowered { texts, readable: readable.into_iter().map(|(module, _)| module).collect() }
}

/// The texts of a set as they are to be read where a query replaces data of it; `None` where that is as they are. The
/// fault says which file can't be read so.
pub(super) fn lower_for(query: &Body, set: &Texts, data: &Rego) -> Result<Option<Texts>, Box<Fault>> {
    let trees: Vec<&Tree> = set.iter().filter_map(|(_, text)| text.module.as_deref()).collect();
    if !Paths::new(trees.iter().copied()).replaces_more(query) {
        return Ok(None);
    }
    let mut lowering = Set::new(trees, Some(query));
    let (mut texts, mut differ) = (Texts::default(), false);
    let mut added = lowering.added(Some(data));
    for (path, before) in set.iter() {
        let Some(tree) = &before.module else { continue };
        let written = (Arc::clone(&before.written), before.rego_v0);
        let (mut text, refused) = lowering.text(path, written, tree, Some(data));
        text.parts.extend(parts(path, std::mem::take(&mut added)));
        let is_too_deep = brackets::too_deep(&text.lowered.text).is_some();
        let too_deep = is_too_deep.then(|| "brackets nest too deep".to_owned());
        if let Some(cause) = refused.into_iter().next().map(|error| error.cause).or(too_deep) {
            let cause = format!("`{path}` can't be read where a query replaces this data: {cause}");
            let help = "write a policy with the `with`, and ask for it: `verdict lint` then says which place it is";
            return Err(Box::new(Fault::new("rego_unsupported", cause).help(help)));
        }
        differ |= !read(&text).eq(read(before));
        texts.insert(path, text);
    }
    // Where there is data alone.
    differ |= !added.is_empty();
    for (name, text) in added {
        texts.insert(&format!("{PART}{name}"), Text::plain(&text, false));
    }
    Ok(differ.then_some(texts))
}

/// Texts as parts of a file.
fn parts(path: &str, added: Vec<(String, String)>) -> impl Iterator<Item = (String, Edited)> {
    added.into_iter().map(move |(name, text)| (format!("{path}{PART}{name}"), Edited::unchanged(&text)))
}

/// What regorus reads of a file.
fn read(text: &Text) -> impl Iterator<Item = &str> {
    std::iter::once(&text.lowered).chain(text.parts.iter().map(|(_, edited)| edited)).map(|edited| edited.text.as_str())
}

/// What lowering must know of a set.
struct Set<'t> {
    trees: Vec<&'t Tree>,
    defined: BTreeMap<Vec<String>, BTreeSet<String>>,
    functions: BTreeMap<String, usize>,
    mocked: BTreeMap<String, u8>,
    shared: Shared,
    paths: Paths,
    /// Of packages of which no file was lowered yet.
    defaults: BTreeMap<Vec<String>, BTreeMap<Vec<String>, String>>,
}

impl<'t> Set<'t> {
    /// These files, where a query may replace data.
    fn new(trees: Vec<&'t Tree>, query: Option<&Body>) -> Self {
        let paths = Paths::new(trees.iter().copied());
        let paths = if let Some(query) = query { paths.with_query(query) } else { paths };
        let (defined, functions, mocked) = (defined(&trees), functions(&trees), mocked(&trees));
        let shared = Shared::new(&trees);
        Self { defined, functions, mocked, shared, defaults: paths.defaults(), paths, trees }
    }

    /// What no file has, and is read with any of them, by names: the functions that call built-ins which a `with` replaces,
    /// and those that tell which `with` is in force.
    fn added(&self, data: Option<&Rego>) -> Vec<(String, String)> {
        let mocked = self.mocked.iter().map(|(name, arity)| (name.as_str(), *arity));
        let mocked = (!self.mocked.is_empty()).then(|| (BUILT_INS.to_owned(), lower::mocked(mocked)));
        let marked = self.paths.marked(data);
        let withs = (!marked.is_empty()).then(|| (WITHS.to_owned(), lower::withs(&marked)));
        mocked.into_iter().chain(withs).collect()
    }

    /// A file's text, and what of it can't be lowered.
    fn text(
        &mut self,
        path: &str,
        (written, rego_v0): (Arc<str>, bool),
        tree: &Arc<Tree>,
        data: Option<&Rego>,
    ) -> (Text, Vec<rego::SyntaxError>) {
        let package = package(tree);
        let defaults = self.defaults.remove(&package).unwrap_or_default();
        let (own, paths) = (self.defined.get(&package), &self.paths);
        let file = self.trees.iter().position(|known| std::ptr::eq(*known, &raw const **tree));
        let world = World {
            built_in: &builtins::arity,
            defined: &|name| own.is_some_and(|names| names.contains(name)),
            children: &|path, rest| paths.children(data, path, rest),
            base: &|path| paths.is_base(data, path),
            arrays: &|path| paths.arrays(data, path),
            numbered: &|path| paths.numbered(data, path),
            replaced: &|path| paths.is_replaced(path),
            unclear: &|path| paths.is_unclear(data, path),
            above: &|path| paths.above(data, path),
            marked: &|target| paths.is_marked(data, target),
            made: &|path| paths.is_made(data, path),
            defaults: &defaults,
            mixed: &|rule| paths.mixed(&package, rule),
            shared: &|rule| self.shared.head(file?, tree, rule),
            mocked: &|name| self.mocked.contains_key(name),
            function: &|name| self.functions.get(name).copied(),
            metadata: &|rule, chain| annotations(&self.trees, tree, rule, chain),
        };
        let lower::Lowered { module: lowered, keyword_packages, refused } = lower::lower(&written, tree, &world);
        let callers = file.map(|file| self.shared.callers(file, tree, &written)).unwrap_or_default();
        let callers = callers.into_iter().map(|(name, edited)| (format!("{CALLER}{name}"), edited));
        let parts = keyword_packages.into_iter().map(|(keywords, edited)| (keywords.join("."), edited)).chain(callers);
        let parts = parts.map(|(name, edited)| (format!("{path}{PART}{name}"), edited)).collect();
        (Text { written, module: Some(Arc::clone(tree)), rego_v0, lowered, parts }, refused)
    }
}

/// Whether a file is read as Rego v0: as its bundle says, or else as was asked for.
fn reads_v0(module: &Module, options: Options) -> bool {
    module.version.map_or(options.rego_v0, |version| version == RegoVersion::V0)
}

/// The fault of a package that the file's bundle does not own.
fn outside(module: &Module, tree: &Tree) -> Option<Fault> {
    let roots = module.roots.as_ref().filter(|roots| !roots.own(&package(tree)))?;
    let cause = format!("package `{}` is outside of its bundle's roots, which are {roots}", package(tree).join("."));
    let (line, column) = super::text::line_and_column(&module.text, tree.package.span.start as usize);
    let help = "move it into a root, or add to the `roots` of the bundle's `.manifest`";
    Some(Fault::new("bundle_roots_error", cause).help(help).at(&module.path, &module.text, line, column, 7))
}

/// Lowers a query, which is one in no package, on a policy set.
pub(super) fn lower_query(text: &str, set: &Texts, data: &Rego) -> Result<Edited, Vec<rego::SyntaxError>> {
    let body = rego::parser::parse_query(text)?;
    let modules: Vec<&Tree> = set.iter().filter_map(|(_, text)| text.module.as_deref()).collect();
    let (paths, data) = (Paths::new(modules.into_iter()).with_query(&body), Some(data));
    let world = World {
        built_in: &builtins::arity,
        defined: &|_| false,
        children: &|_, _| None,
        base: &|_| false,
        arrays: &|path| paths.arrays(data, path),
        numbered: &|path| paths.numbered(data, path),
        replaced: &|path| paths.is_replaced(path),
        unclear: &|path| paths.is_unclear(data, path),
        above: &|path| paths.above(data, path),
        marked: &|target| paths.is_marked(data, target),
        made: &|path| paths.is_made(data, path),
        defaults: &BTreeMap::new(),
        mixed: &|_| None,
        shared: &|_| None,
        mocked: &|_| false,
        function: &|_| None,
        metadata: &|_, _| None,
    };
    lower::lower_query(text, &body, &world)
}

/// A fault of the syntax, where it is.
pub(super) fn fault(module: &Module, error: rego::SyntaxError) -> Fault {
    // What is missing at the end is shown after the last text there is.
    let last = module.text.trim_end().char_indices().next_back().map_or(0, |(at, _)| at);
    let (line, column) = super::text::line_and_column(&module.text, last.min(error.span.start as usize));
    let marked = module.text.get(error.span.range()).map_or(1, |text| text.chars().take_while(|c| *c != '\n').count());
    let fault = Fault::new("rego_parse_error", error.cause)
        .help(error.help.unwrap_or_else(|| "`verdict lint DIR` shows every fault of a folder at once".to_owned()));
    fault.at(&module.path, &module.text, line, column, marked.max(1))
}

/// The names of a tree's package.
pub(super) fn package(tree: &Tree) -> Vec<String> {
    tree.package.path.iter().map(|name| name.text.clone()).collect()
}

/// Package to the first names of its rules, over all files.
fn defined(trees: &[&Tree]) -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let mut defined: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for tree in trees {
        let names = tree.rules.iter().filter_map(|rule| match &rule.head.reference.head.kind {
            TermKind::Var(name) => Some(name.clone()),
            _ => None,
        });
        defined.entry(package(tree)).or_default().extend(names);
    }
    defined
}

/// The built-ins that a `with` replaces and regorus has none of, and how many arguments they take.
fn mocked(trees: &[&Tree]) -> BTreeMap<String, u8> {
    let mut mocked = BTreeMap::new();
    for rule in trees.iter().flat_map(|tree| &tree.rules) {
        visit::rule(rule, &mut |node, _| {
            if let Node::Target(target) = node
                && let Some(name) = lower::names::dotted(target)
                && let Some(arity) = builtins::arity(&name).filter(|_| !builtins::is_regorus(&name))
            {
                mocked.insert(name, arity);
            }
        });
    }
    mocked
}

/// The whole names of all functions, with how many arguments each takes.
fn functions(trees: &[&Tree]) -> BTreeMap<String, usize> {
    let named = |package: &str, rule: &rego::ast::Rule| {
        let name = lower::names::dotted(&rule.head.reference)?;
        rule.head.arguments.as_ref().map(|arguments| (format!("data.{package}.{name}"), arguments.len()))
    };
    trees
        .iter()
        .flat_map(|tree| {
            let package = package(tree).join(".");
            tree.rules.iter().filter_map(move |rule| named(&package, rule))
        })
        .collect()
}

/// What `rego.metadata.chain()` or `rego.metadata.rule()` gives in a rule.
fn annotations(modules: &[&Tree], module: &Tree, rule: Place, chain: bool) -> Option<String> {
    let Place { rule, in_else } = rule;
    let rule = module.rules.get(rule)?;
    let value =
        if chain { metadata::chain(modules, module, rule, in_else) } else { metadata::rule(module, rule, in_else) };
    Some(value.to_string())
}

fn touches(tree: &Tree, broken: &BTreeSet<String>) -> bool {
    let imports = tree.imports.iter().map(|import| {
        let names: Vec<&str> = import.path.iter().skip(1).map(|name| name.text.as_str()).collect();
        names.join(".")
    });
    broken.contains(&package(tree).join("."))
        || imports.into_iter().any(|path| broken.iter().any(|name| path.starts_with(name.as_str())))
}
