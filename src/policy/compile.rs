//! Modules and data to engines, or every fault that keeps them from becoming one.

use std::{collections::BTreeSet, sync::Arc, thread};

use anyhow::Error;
use regorus::{
    Value as Rego,
    unstable::{Module as Tree, Ref},
};

use super::{
    builtins::Network,
    documents::{self, Documents},
    engine::Engine,
    fault::{Fault, Faults},
    gate,
    index::Index,
    lint::{self, capabilities::Capabilities},
    lowering::{self, Lowered},
    rejection::fault_of,
    statements,
    text::{PART, Texts},
    value,
};
use crate::bundle::{Bundle, Module};

/// How a policy set is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether files without `import rego.v1` are read as Rego v0.
    pub rego_v0: bool,
    /// How many threads will evaluate at once.
    pub evaluators: usize,
    /// Whether the `*_test.rego` files are part of it.
    pub tests: bool,
    /// Whether a built-in that fails is an error instead of undefined (OPA's `--strict-builtin-errors`).
    pub strict: bool,
    /// What `http.send` and `net.lookup_ip_addr` may ask.
    pub network: Network,
    /// Which built-ins policies may call.
    pub capabilities: Capabilities,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rego_v0: false,
            evaluators: 1,
            tests: false,
            strict: false,
            network: Network::OFF,
            capabilities: Capabilities::ALL,
        }
    }
}

/// Text beyond which evaluators share the data: copies cost memory, sharing costs throughput on many cores.
const SHARE_DATA_BEYOND: usize = 64 << 20;

/// The most faults that are looked for in the analysis of all files.
const MAX_FAULTS: usize = 50;

/// Parsers and destructors of deeply nested text recurse; reserved, not used, unless a text is hostile.
pub(super) const STACK: usize = 512 << 20;

/// Everything that the evaluators of a snapshot are built from, checked.
pub(super) struct Compiled {
    /// At least one, each with an index of its own.
    pub(super) engines: Vec<(Engine, Index)>,
    /// One more index.
    pub(super) index: Index,
    /// The texts, for places.
    pub(super) texts: Arc<Texts>,
    /// The data documents, each as it was read; the first engine shares memory with them.
    pub(super) documents: Documents,
    /// What deserves a look.
    pub(super) warnings: Vec<Fault>,
}

/// Compiles a bundle on a thread of its own. Panics and errors of the compiler are faults. Documents that are among
/// those of `before` are not read again.
pub(super) fn compile(bundle: &Bundle, options: Options, before: &[Documents]) -> Result<Compiled, Faults> {
    on_a_thread(|| compile_here(bundle, options, before, true))
}

/// The same for texts that were lowered before, and checked as their authors wrote them.
pub(super) fn compile_lowered(bundle: &Bundle, options: Options, before: &[Documents]) -> Result<Compiled, Faults> {
    on_a_thread(|| compile_here(bundle, options, before, false))
}

/// More evaluators of what was compiled before, of so many bytes of text.
pub(super) fn again(
    texts: &Texts,
    data: &Rego,
    bytes: usize,
    options: Options,
) -> Result<Vec<(Engine, Index)>, Faults> {
    let sources: Vec<(&str, &str)> = texts.iter().flat_map(|(path, _)| texts.sources(path)).collect();
    let make = || {
        let engines = (0..options.evaluators.max(1)).map(|_| {
            let own = if bytes > SHARE_DATA_BEYOND { data.clone() } else { value::unshared(data) };
            let (engine, modules) = build((&sources, texts), own, options)?;
            Ok((engine, Index::new(&modules, texts)))
        });
        let engines: Result<_, Error> = engines.collect();
        engines.map_err(|error| Faults(vec![texts.relocated(fault_of(&error, "rego_compile_error", texts))]))
    };
    on_a_thread(make)
}

/// An evaluator of texts that were compiled before, and lowered anew. It shares the data.
pub(super) fn anew(texts: &Texts, data: &Rego, options: Options) -> Result<Engine, Faults> {
    let sources: Vec<(&str, &str)> = texts.iter().flat_map(|(path, _)| texts.sources(path)).collect();
    let failed = |error| Faults(vec![texts.relocated(fault_of(&error, "rego_compile_error", texts))]);
    let make = || {
        let mut trial = Engine::blank(options);
        for (path, text) in &sources {
            texts.add(&mut trial, path, text).map_err(failed)?;
        }
        let refused = gate::check(trial.get_modules(), &|file| texts.lowered(file).to_owned());
        if !refused.is_empty() {
            return Err(Faults(refused.into_iter().map(|fault| texts.relocated(fault)).collect()));
        }
        build((&sources, texts), data.clone(), options).map(|(engine, _)| engine).map_err(failed)
    };
    on_a_thread(make)
}

/// Every fault and every warning of a bundle, by its `entries` below `data`: what will be asked.
pub(super) fn review(bundle: &Bundle, options: Options, entries: &[Vec<String>]) -> Vec<Fault> {
    let review = || {
        let modules: Vec<&Module> = bundle.modules.iter().chain(&bundle.tests).collect();
        let texts = lowering::lower(&modules, None, options, &mut Vec::new()).texts;
        Ok(lint::check(&texts, &|_| true, options.capabilities, entries).1)
    };
    on_a_thread(review).unwrap_or_else(|Faults(faults)| faults)
}

pub(super) fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T, Faults> + Send) -> Result<T, Faults> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("compile".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        match worker.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(internal("the compiler panicked on these policies; the log names the place")),
            Err(error) => Err(internal(&format!("no thread to compile on: {error}"))),
        }
    })
}

fn internal(cause: &str) -> Faults {
    Faults(vec![Fault::new("internal_error", cause).help("please report it, with the policies if you can")])
}

fn compile_here(bundle: &Bundle, options: Options, before: &[Documents], written: bool) -> Result<Compiled, Faults> {
    let modules: Vec<&Module> = bundle.modules.iter().chain(bundle.tests.iter().filter(|_| options.tests)).collect();
    let mut faults = Vec::new();
    let (data, documents) = documents::merged(&bundle.data, before, &mut faults);
    let Lowered { texts, readable } = lowering::lower(&modules, data.as_ref().ok(), options, &mut faults);
    let text = |file: &str| texts.lowered(file).to_owned();

    let known: BTreeSet<&str> = readable.iter().map(|module| module.path.as_str()).collect();
    let reads = |file: &str| known.contains(file);
    let (found, warnings) =
        if written { lint::check(&texts, &reads, options.capabilities, &[]) } else { (Vec::new(), Vec::new()) };
    faults.extend(found);
    // What follows places its faults in the lowered texts.
    let mut lowered_faults = Vec::new();
    let mut engine = Engine::blank(options);
    let mut accepted = Vec::new();
    for (name, text) in readable.iter().flat_map(|module| texts.sources(&module.path)) {
        match texts.add(&mut engine, name, text) {
            Ok(()) => accepted.push(name),
            Err(error) => lowered_faults.push(fault_of(&error, "rego_parse_error", &texts)),
        }
    }
    let refused = gate::check(engine.get_modules(), &text);
    // What nests too deep must not be walked again.
    let nests = refused.iter().any(|fault| fault.code == "rego_nesting_error");
    let index = if nests { Index::default() } else { Index::new(engine.get_modules(), &texts) };
    if !nests {
        if let Ok(data) = &data {
            faults.extend(documents::conflicts(&index, data, &texts));
        }
        lowered_faults.extend(analysis_faults(&accepted, &texts, &faults, options));
    }
    lowered_faults.extend(refused);
    // Of what the text as it was written has already been told, regorus' reading tells nothing new.
    let line = |fault: &Fault| fault.position.as_ref().map(|place| (Arc::clone(&place.file), place.line));
    let told: BTreeSet<_> = faults.iter().map(line).collect();
    let lowered_faults = lowered_faults.into_iter().map(|fault| texts.relocated(fault));
    faults.extend(lowered_faults.filter(|fault| fault.position.is_none() || !told.contains(&line(fault))));
    let (true, Ok(data)) = (faults.is_empty(), data) else {
        faults.sort_by(|one, other| one.position.cmp(&other.position));
        return Err(Faults(faults));
    };
    let share = bundle.size() > SHARE_DATA_BEYOND;
    let sources: Vec<(&str, &str)> = modules.iter().flat_map(|module| texts.sources(&module.path)).collect();
    let engines = (0..options.evaluators.max(1)).map(|number| {
        let own = if share || number == 0 { data.clone() } else { value::unshared(&data) };
        let (engine, modules) = build((&sources, &texts), own, options)?;
        Ok((engine, Index::new(&modules, &texts)))
    });
    let engines: Result<_, Error> = engines.collect();
    match engines {
        Ok(engines) => Ok(Compiled { engines, index, texts: Arc::new(texts), documents, warnings }),
        Err(error) => Err(Faults(vec![texts.relocated(fault_of(&error, "rego_compile_error", &texts))])),
    }
}

/// An engine of lowered texts, ready to answer, and its syntax trees.
fn build(
    (sources, texts): (&[(&str, &str)], &Texts),
    data: Rego,
    options: Options,
) -> Result<(Engine, Vec<Ref<Tree>>), Error> {
    let mut engine = Engine::blank(options);
    for (path, text) in sources {
        texts.add(&mut engine, path, text)?;
    }
    engine.set_rego_v0(options.rego_v0);
    engine.add_data(data)?;
    let modules = engine.get_modules().clone();
    Ok((Engine::prepare(engine)?, modules))
}

/// Every fault of the analysis of all files together: after each, the statement that has it is blanked. So are those of
/// which it is `known` that a variable is unsafe: regorus prints a line of its own about each.
fn analysis_faults(accepted: &[&str], texts: &Texts, known: &[Fault], options: Options) -> Vec<Fault> {
    let mut sources: Vec<(&str, String)> =
        accepted.iter().map(|path| (*path, texts.lowered(path).to_owned())).collect();
    for fault in known.iter().filter(|fault| fault.code == "rego_unsafe_var_error").take(MAX_FAULTS) {
        let Some(place) = &fault.position else { continue };
        let of_file = |name: &str| name.split(PART).next() == Some(&*place.file);
        for (_, source) in sources.iter_mut().filter(|(name, _)| of_file(name)) {
            if let Some(rest) = statements::without(source, place.line) {
                *source = rest;
            }
        }
    }
    let mut faults: Vec<Fault> = Vec::new();
    while faults.len() < MAX_FAULTS {
        let now: Vec<(&str, &str)> = sources.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let Err(error) = build((&now, texts), Rego::new_object(), options) else { break };
        let fault = fault_of(&error, "rego_compile_error", texts);
        let known = faults.iter().any(|known| known.position == fault.position);
        let position = fault.position.clone();
        if !known {
            faults.push(fault);
        }
        let Some(position) = position.filter(|_| !known) else { break };
        let source = sources.iter_mut().find(|(path, _)| *path == &*position.file);
        let Some((source, rest)) = source.and_then(|source| {
            let rest = statements::without(&source.1, position.line)?;
            Some((source, rest))
        }) else {
            break;
        };
        source.1 = rest;
    }
    faults
}

#[cfg(test)]
mod tests;
