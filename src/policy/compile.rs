//! Modules and data to engines, or every fault that keeps them from becoming one.

use std::{collections::BTreeSet, thread};

use anyhow::Error;
use regorus::Value as Rego;

use super::{
    brackets,
    builtins::Network,
    documents,
    engine::Engine,
    fault::{Fault, Faults},
    gate,
    index::{self, Index},
    rejection::{Texts, fault_of},
    statements, syntax, value,
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
}

impl Default for Options {
    fn default() -> Self {
        Self { rego_v0: false, evaluators: 1, tests: false, strict: false, network: Network::OFF }
    }
}

/// Text beyond which evaluators share the data: copies cost memory, sharing costs throughput on many cores.
const SHARE_DATA_BEYOND: usize = 64 << 20;

/// The most faults that are looked for in one file, and in the analysis of all.
const MAX_FAULTS: usize = 50;

/// Parsers and destructors of deeply nested text recurse; reserved, not used, unless a text is hostile.
pub(super) const STACK: usize = 512 << 20;

/// Everything that the evaluators of a snapshot are built from, checked.
pub(super) struct Compiled {
    /// At least one, each with an index of its own.
    pub(super) engines: Vec<(Engine, Index)>,
    /// One more index.
    pub(super) index: Index,
}

/// Compiles a bundle on a thread of its own. Panics and errors of the compiler are faults.
pub(super) fn compile(bundle: &Bundle, options: Options) -> Result<Compiled, Faults> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("compile".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, || compile_here(bundle, options));
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

fn compile_here(bundle: &Bundle, options: Options) -> Result<Compiled, Faults> {
    let modules: Vec<&Module> = bundle.modules.iter().chain(bundle.tests.iter().filter(|_| options.tests)).collect();
    let texts: Texts<'_> = modules.iter().map(|module| (module.path.as_str(), module.text.as_str())).collect();
    let text = |file: &str| texts.get(file).copied().unwrap_or_default().to_owned();

    let mut faults = Vec::new();
    let data = documents::merged(&bundle.data, &mut faults);
    let readable = syntax_faults(&modules, options, &mut faults);
    let mut engine = Engine::blank(options);
    for module in &readable {
        if let Err(error) = engine.add_policy(module.path.clone(), module.text.clone()) {
            faults.push(fault_of(&error, "rego_parse_error", &texts));
        }
    }
    let refused = gate::check(engine.get_modules(), &text);
    // What nests too deep must not be walked again.
    if refused.iter().all(|fault| fault.code != "rego_nesting_error") {
        if let Ok(data) = &data {
            faults.extend(documents::conflicts(&Index::new(engine.get_modules()), data, &text));
        }
        faults.extend(analysis_faults(&readable, &texts, options));
    }
    faults.extend(refused);
    let (true, Ok(data)) = (faults.is_empty(), data) else {
        faults.sort_by(|one, other| one.position.cmp(&other.position));
        return Err(Faults(faults));
    };
    let share = bundle.size() > SHARE_DATA_BEYOND;
    let engines = (0..options.evaluators.max(1)).map(|number| {
        let own = if share || number == 0 { data.clone() } else { value::unshared(&data) };
        build(&modules, own, options)
    });
    let engines: Result<_, Error> = engines.collect();
    let index = Index::new(engine.get_modules());
    engines
        .map(|engines| Compiled { engines, index })
        .map_err(|e| Faults(vec![fault_of(&e, "rego_compile_error", &texts)]))
}

fn build(modules: &[&Module], data: Rego, options: Options) -> Result<(Engine, Index), Error> {
    let mut engine = Engine::blank(options);
    for module in modules {
        engine.add_policy(module.path.clone(), module.text.clone())?;
    }
    engine.add_data(data)?;
    let index = Index::new(engine.get_modules());
    Ok((Engine::prepare(engine)?, index))
}

/// Adds every syntax fault; gives the modules that can be checked further without consequences of those faults: the
/// ones that neither share a package with a broken file nor refer to one.
fn syntax_faults<'a>(modules: &[&'a Module], options: Options, faults: &mut Vec<Fault>) -> Vec<&'a Module> {
    let mut readable = Vec::new();
    let mut broken = BTreeSet::new();
    for module in modules {
        if let Some((line, column)) = brackets::too_deep(&module.text) {
            let cause = format!("brackets nest more than {} deep here", brackets::MAX_NESTING);
            let fault =
                Fault::new("rego_nesting_error", cause).help("name parts of it as rules, or move it to `data.json`");
            faults.push(fault.at(&module.path, &module.text, line, column, 1));
            broken.insert(statements::package(&module.text));
            continue;
        }
        let mut engine = Engine::blank(options);
        match engine.add_policy(module.path.clone(), module.text.clone()) {
            Ok(_) => readable.push((*module, engine)),
            Err(error) => {
                broken.insert(statements::package(&module.text));
                faults.extend(faults_of_file(module, options, &error));
            }
        }
    }
    let touched = |engine: &mut regorus::Engine| {
        engine.get_modules().iter().any(|module| {
            broken.contains(&syntax::package(module).join("."))
                || index::imports(module)
                    .any(|path| broken.iter().any(|name| path.join(".").starts_with(name.as_str())))
        })
    };
    let clean = |(module, mut engine): (&'a Module, regorus::Engine)| (!touched(&mut engine)).then_some(module);
    readable.into_iter().filter_map(clean).collect()
}

/// Every syntax fault of one file, found by reading each of its statements alone.
fn faults_of_file(module: &Module, options: Options, whole: &Error) -> Vec<Fault> {
    let texts = Texts::from([(module.path.as_str(), module.text.as_str())]);
    let mut faults: Vec<Fault> = statements::each(&module.text)
        .filter_map(|statement| {
            let error = Engine::blank(options).add_policy(module.path.clone(), statement.alone).err()?;
            let fault = fault_of(&error, "rego_parse_error", &texts);
            // What is not closed errs at the end of the file, but the place to look at is its own.
            let beyond = fault.position.as_ref().is_some_and(|position| position.line > statement.last_line);
            Some(if beyond { fault.at(&module.path, &module.text, statement.last_line, u32::MAX, 1) } else { fault })
        })
        .take(MAX_FAULTS)
        .collect();
    faults.dedup_by(|one, other| one.position == other.position);
    if faults.is_empty() { vec![fault_of(whole, "rego_parse_error", &texts)] } else { faults }
}

/// Every fault of the analysis of all files together: after each, the statement that has it is blanked.
fn analysis_faults(readable: &[&Module], texts: &Texts<'_>, options: Options) -> Vec<Fault> {
    let mut modules: Vec<Module> = readable.iter().map(|module| (*module).clone()).collect();
    let mut faults: Vec<Fault> = Vec::new();
    while faults.len() < MAX_FAULTS {
        let Err(error) = build(&modules.iter().collect::<Vec<_>>(), Rego::new_object(), options) else { break };
        let fault = fault_of(&error, "rego_compile_error", texts);
        let known = faults.iter().any(|known| known.position == fault.position);
        let position = fault.position.clone();
        if !known {
            faults.push(fault);
        }
        let Some(position) = position.filter(|_| !known) else { break };
        let module = modules.iter_mut().find(|module| *module.path == *position.file);
        let Some((module, rest)) = module.and_then(|module| {
            let rest = statements::without(&module.text, position.line)?;
            Some((module, rest))
        }) else {
            break;
        };
        module.text = rest;
    }
    faults
}

#[cfg(test)]
mod tests;
