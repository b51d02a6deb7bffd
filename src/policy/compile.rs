//! Modules and data to engines, or every fault that keeps them from becoming one.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use anyhow::Error;
use regorus::Value as Rego;

use super::{
    brackets, builtins,
    engine::Engine,
    fault::{Fault, Faults},
    gate,
    index::{self, Index},
    statements, syntax, value,
};
use crate::bundle::{Bundle, Document, Format, Module};

/// How a policy set is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether files without `import rego.v1` are read as Rego v0.
    pub rego_v0: bool,
    /// How many threads will evaluate at once.
    pub evaluators: usize,
    /// Whether the `*_test.rego` files are part of it.
    pub tests: bool,
}

/// Text beyond which evaluators share the data: copies cost memory, sharing costs throughput on many cores.
const SHARE_DATA_BEYOND: usize = 64 << 20;

/// The most faults that are looked for in one file, and in the analysis of all.
const MAX_FAULTS: usize = 50;

/// Parsers and destructors of deeply nested text recurse; reserved, not used, unless a text is hostile.
pub(super) const STACK: usize = 512 << 20;

/// Path to text of the files that a fault may be in.
pub(super) type Texts<'a> = BTreeMap<&'a str, &'a str>;

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
    let data = data(&bundle.data, &mut faults);
    let readable = syntax_faults(&modules, options.rego_v0, &mut faults);
    let mut engine = Engine::blank(options.rego_v0);
    for module in &readable {
        if let Err(error) = engine.add_policy(module.path.clone(), module.text.clone()) {
            faults.push(fault_of(&error, "rego_parse_error", &texts));
        }
    }
    let refused = gate::check(engine.get_modules(), &text);
    // What nests too deep must not be walked again.
    if refused.iter().all(|fault| fault.code != "rego_nesting_error") {
        if let Ok(data) = &data {
            faults.extend(conflicts(&Index::new(engine.get_modules()), data, &text));
        }
        faults.extend(analysis_faults(&readable, &texts, options.rego_v0));
    }
    faults.extend(refused);
    let (true, Ok(data)) = (faults.is_empty(), data) else {
        faults.sort_by(|one, other| one.position.cmp(&other.position));
        return Err(Faults(faults));
    };
    let share = bundle.size() > SHARE_DATA_BEYOND;
    let engines = (0..options.evaluators.max(1)).map(|number| {
        let own = if share || number == 0 { data.clone() } else { value::unshared(&data) };
        build(&modules, own, options.rego_v0)
    });
    let engines: Result<_, Error> = engines.collect();
    let index = Index::new(engine.get_modules());
    engines
        .map(|engines| Compiled { engines, index })
        .map_err(|e| Faults(vec![fault_of(&e, "rego_compile_error", &texts)]))
}

fn build(modules: &[&Module], data: Rego, rego_v0: bool) -> Result<(Engine, Index), Error> {
    let mut engine = Engine::blank(rego_v0);
    for module in modules {
        engine.add_policy(module.path.clone(), module.text.clone())?;
    }
    engine.add_data(data)?;
    let index = Index::new(engine.get_modules());
    Ok((Engine::prepare(engine)?, index))
}

/// All documents merged at their mounts.
fn data(documents: &[Document], faults: &mut Vec<Fault>) -> Result<Rego, ()> {
    let mut engine = regorus::Engine::new();
    let before = faults.len();
    for document in documents {
        match parse_document(document) {
            Ok(value) if document.mount.is_empty() && value.as_object().is_err() => {
                let fault = Fault::new("data_error", format!("{}: not an object at the root of `data`", document.path));
                faults.push(fault.help("put its content under a name, or the file into a folder of that name"));
            }
            Ok(value) => {
                let mounted = document
                    .mount
                    .iter()
                    .rev()
                    .fold(value, |inner, name| Rego::from(BTreeMap::from([(Rego::from(name.as_str()), inner)])));
                if let Err(error) = engine.add_data(mounted) {
                    let cause = format!("{}: conflicts with other data: {error}", document.path);
                    faults.push(Fault::new("data_conflict", cause).help("give each value one home"));
                }
            }
            Err(fault) => faults.push(*fault),
        }
    }
    if faults.len() == before { Ok(engine.get_data()) } else { Err(()) }
}

fn parse_document(document: &Document) -> Result<Rego, Box<Fault>> {
    let fault = |cause: String, place: Option<(usize, usize)>| {
        let fault = Fault::new("data_parse_error", cause).help("mend the document; policies see it as `data`");
        Box::new(match place {
            Some((line, column)) => {
                let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
                fault.at(&document.path, &document.text, number(line), number(column), 1)
            }
            None => fault,
        })
    };
    if builtins::has_huge_exponent(&document.text, document.format == Format::Json) {
        return Err(fault("a number's exponent has more than 3 digits".to_owned(), None));
    }
    match document.format {
        Format::Json => serde_json::from_str(&document.text).map_err(|error| {
            let cause = error.to_string();
            let cause = cause.split(" at line ").next().unwrap_or_default().to_owned();
            fault(cause, Some((error.line(), error.column())))
        }),
        Format::Yaml => yaml_serde::from_str(&document.text).map_err(|error| {
            let place = error.location().map(|place| (place.line(), place.column()));
            fault(error.to_string(), place)
        }),
    }
}

/// Rules whose place in `data` is taken by base data: which of the two a reference means would be anyone's guess.
fn conflicts(index: &Index, data: &Rego, text: &dyn Fn(&str) -> String) -> Vec<Fault> {
    let mut faults = Vec::new();
    for rule in index.rules() {
        let mut at = data;
        let mut taken = true;
        for part in &rule.parts {
            let Ok(object) = at.as_object() else { break };
            let Some(next) = object.get(&Rego::from(part.as_str())) else {
                taken = false;
                break;
            };
            at = next;
        }
        if taken {
            let cause = format!("rule `{}` and base data have the same path", rule.name);
            let fault = Fault::new("rego_type_error", cause).help("rename the rule, or move the data");
            let place = &rule.position;
            faults.push(fault.at(&place.file, &text(&place.file), place.line, place.column, 1));
        }
    }
    faults
}

/// Adds every syntax fault; gives the modules that can be checked further without consequences of those faults: the
/// ones that neither share a package with a broken file nor refer to one.
fn syntax_faults<'a>(modules: &[&'a Module], rego_v0: bool, faults: &mut Vec<Fault>) -> Vec<&'a Module> {
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
        let mut engine = Engine::blank(rego_v0);
        match engine.add_policy(module.path.clone(), module.text.clone()) {
            Ok(_) => readable.push((*module, engine)),
            Err(error) => {
                broken.insert(statements::package(&module.text));
                faults.extend(faults_of_file(module, rego_v0, &error));
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
fn faults_of_file(module: &Module, rego_v0: bool, whole: &Error) -> Vec<Fault> {
    let texts = Texts::from([(module.path.as_str(), module.text.as_str())]);
    let mut faults: Vec<Fault> = statements::each(&module.text)
        .filter_map(|statement| {
            let error = Engine::blank(rego_v0).add_policy(module.path.clone(), statement.alone).err()?;
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
fn analysis_faults(readable: &[&Module], texts: &Texts<'_>, rego_v0: bool) -> Vec<Fault> {
    let mut modules: Vec<Module> = readable.iter().map(|module| (*module).clone()).collect();
    let mut faults: Vec<Fault> = Vec::new();
    while faults.len() < MAX_FAULTS {
        let Err(error) = build(&modules.iter().collect::<Vec<_>>(), Rego::new_object(), rego_v0) else { break };
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

/// regorus' error text, which has the place in it, as a fault.
pub(super) fn fault_of(error: &Error, code: &'static str, texts: &Texts<'_>) -> Fault {
    let message = format!("{error:#}");
    let (place, cause) = split_message(&message);
    let cause = cause.trim().trim_start_matches("error: ").to_owned();
    let advice = advice(&cause);
    let fault = Fault::new(code, cause).help(advice);
    match place {
        Some((file, line, column)) => {
            let text = texts.get(file.as_str()).copied().unwrap_or_default();
            fault.at(&file, text, line, in_characters(text, line, column), 1)
        }
        None => fault,
    }
}

/// regorus counts four columns for a tab; this is the column in characters.
fn in_characters(text: &str, line: u32, column: u32) -> u32 {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let row = text.split('\n').nth(before).unwrap_or_default();
    let mut reached = 1_u32;
    let mut characters = 1_u32;
    for character in row.chars() {
        if reached >= column {
            break;
        }
        reached = reached.saturating_add(if character == '\t' { 4 } else { 1 });
        characters = characters.saturating_add(1);
    }
    // What is past the end stays past it.
    characters.saturating_add(column.saturating_sub(reached))
}

type Place = (String, u32, u32);

/// `\n--> FILE:LINE:COLUMN\n … \nerror: CAUSE` into its parts.
fn split_message(message: &str) -> (Option<Place>, &str) {
    let Some((_, located)) = message.split_once("--> ") else { return (None, message) };
    let (place, rest) = located.split_once('\n').unwrap_or((located, ""));
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next().and_then(|number| number.parse().ok());
    let line = parts.next().and_then(|number| number.parse().ok());
    let cause = rest.split_once("\nerror: ").map_or(rest, |(_, cause)| cause);
    match (parts.next(), line, column) {
        (Some(file), Some(line), Some(column)) => (Some((file.to_owned(), line, column)), cause),
        _ => (None, message),
    }
}

fn advice(cause: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if has(&["unsafe", "used before", "not defined", "undefined var"]) {
        "give the variable a value on every path: `some x in …`, `x := …`, or import what it should name"
    } else if has(&["`if`", "contains", "rego.v1", "future.keywords"]) {
        "Rego v1 wants `if` before a body and `contains` for sets; for older files use `--rego-v0`"
    } else if has(&["recursion", "cyclic"]) {
        "break the cycle: a rule can't depend on itself"
    } else if has(&["limit", "exceeds"]) {
        "split the file"
    } else {
        "see the language reference of Rego; `verdict lint DIR` shows every fault of a folder at once"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<Fault> {
        let bundle = Bundle::from_files([("p.rego".to_owned(), text.as_bytes().to_vec())]).unwrap();
        compile(&bundle, Options { rego_v0: false, evaluators: 1, tests: false })
            .err()
            .map(|faults| faults.0)
            .unwrap_or_default()
    }

    #[test]
    fn reports_every_fault_of_a_file_with_its_place() {
        let found =
            faults("package p\n\na if {\n\t1 +\n}\n\nb if x == 1\n\nc := 1 if {{{\n\nd := f(1)\n\ne if y > 1\n");
        let lines: Vec<u32> =
            found.iter().filter_map(|fault| fault.position.as_ref()).map(|place| place.line).collect();
        assert_eq!(lines, [5, 9], "{found:?}");
        let found = faults("package p\n\na := 1 if x == 1\n\nb := f(1)\n\nc if y > 1\n\nd if true\n");
        let lines: Vec<u32> =
            found.iter().filter_map(|fault| fault.position.as_ref()).map(|place| place.line).collect();
        assert_eq!(lines, [3, 5, 7], "{found:?}");
    }

    #[test]
    fn a_tab_is_one_column() {
        let found = faults("package p\n\na if {\n\t\tnosuch(1)\n}\n\nb if {\n\tinput.x == 1\tz\n}\n");
        assert_eq!(found[0].position.as_ref().unwrap().to_string(), "p.rego:8:15", "{found:?}");
        let found = faults("package p\n\na if {\n\t\tnosuch(1)\n}\n\nb if {\n\tz > 1\n}\n");
        let places: Vec<String> = found.iter().map(|fault| fault.position.as_ref().unwrap().to_string()).collect();
        assert_eq!(places, ["p.rego:4:3", "p.rego:8:2"], "{found:?}");
    }

    #[test]
    fn reports_faults_of_one_file_beside_syntax_faults_of_another() {
        let files = [
            ("a.rego", "package a\nx := {"),
            ("b.rego", "package b\ny if z > 1"),
            ("c.rego", "package c\nimport data.a\nw := a.f(1)"),
        ];
        let bundle = Bundle::from_files(files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))).unwrap();
        let found = compile(&bundle, Options { rego_v0: false, evaluators: 1, tests: false }).err().unwrap().0;
        let files: Vec<String> =
            found.iter().filter_map(|fault| fault.position.as_ref()).map(|place| place.file.to_string()).collect();
        assert_eq!(files, ["a.rego", "b.rego"], "{found:?}");
    }

    #[test]
    fn refuses_recursive_functions_before_they_can_overflow_the_stack() {
        for text in [
            "package p\nf(x) := f(x)",
            "package p\nf(x) := g(x)\ng(x) := h(x)\nh(x) := [y | y := f(x)]",
            "package p\nf(x) := data.p.f(x)",
            "package p\nf(x) := 1 if { g(x) with g as f }\ng(x) := f(x)",
        ] {
            let found = faults(text);
            assert!(found.iter().any(|fault| fault.code == "rego_recursion_error"), "{text}: {found:?}");
        }
        assert!(faults("package p\nf(x) := x\ng(x) := f(f(x))\na := g(1)").is_empty());
    }

    #[test]
    fn refuses_unknown_functions_that_would_make_a_negation_true() {
        let found = faults("package p\nallow if not strings.cuont(\"a\", \"b\")");
        assert_eq!(found.len(), 1);
        assert!(found[0].render(false).contains("did you mean `strings.count`?"), "{}", found[0].render(false));
    }

    #[test]
    fn refuses_what_regorus_answers_more_openly_than_opa() {
        for (rego, word) in [
            ("allow if not startswith(\"abc\")", "takes 2 arguments, and gets 1"),
            ("allow if not count([1], [2], 3)", "takes 1 arguments, and gets 3"),
            ("f(x) := x\nallow if not f(1, 2, 3)", "takes 1 arguments, and gets 3"),
            ("roles := [\"y\", \"x\"]\nallow if not roles[_] == \"x\"", "`_` is unsafe"),
            ("roles := [\"y\", \"x\"]\nallow if { some i; not roles[i] == \"x\" }", "`i` is unsafe"),
            ("roles := [\"y\", \"x\"]\nallow if not startswith(roles[_], \"x\")", "`_` is unsafe"),
            ("allow if input.a with input.b as data.c[input.d] with input.e as 1", "only the last may"),
            ("allow := true\ndeny.reason contains \"no\"", "would not be heard"),
            ("allow := true\ndeny[\"x\"] := true", "would not be heard"),
            ("allow := true\ndeny(x) := true", "would not be heard"),
            ("allow := true\ndecision.allow := false", "would not be heard"),
        ] {
            let found = faults(&format!("package p\n{rego}"));
            assert!(found.iter().any(|fault| fault.cause.contains(word)), "{rego}: {found:?}");
        }
        for rego in [
            "allow if { some i; roles := [1]; roles[i] == 1; not roles[i] == 2 }",
            "allow if not count([x | x := input.roles[_]; x == 1]) > 0",
            "n := \"k\"\nallow if not input.map[n]",
            "f(k) if not data.blocked[k]\nallow if f(input.subject.id)",
            "deny contains \"no\" if not input.ok\nallow := true",
            "allow if { count([1], n); n == 1 }",
            "p if input.a\nallow if { x := input.b; p with input.a as x with input.c as data.d.e }",
            "allow if { some role in input.roles; not data.blocked[role] }",
            "default deny := false\ndeny if input.x\nallow := true",
        ] {
            assert!(
                faults(&format!("package p\n{rego}")).is_empty(),
                "{rego}: {:?}",
                faults(&format!("package p\n{rego}"))
            );
        }
    }

    #[test]
    fn refuses_a_chain_of_rules_that_would_overflow_the_stack() {
        use std::fmt::Write as _;

        let chain = |length: usize| {
            let mut text = String::from("package p\nr0 := 1\n");
            for n in 1..length {
                let _ = writeln!(text, "r{n} := [y | y := [x | x := data.p.r{}]]", n - 1);
            }
            faults(&text)
        };
        assert!(chain(200).is_empty());
        assert_eq!(chain(3_000).first().map(|fault| fault.code), Some("rego_nesting_error"));
    }

    #[test]
    fn refuses_nesting_that_would_overflow_the_stack() {
        let sum = vec!["1"; 100_000].join("+");
        let found = faults(&format!("package p\na := {sum}"));
        assert_eq!(found.first().map(|fault| fault.code), Some("rego_nesting_error"));
        assert!(!faults(&format!("package p\na := {}1{}", "[".repeat(5_000), "]".repeat(5_000))).is_empty());
    }

    #[test]
    fn refuses_a_rule_where_base_data_is() {
        let files = [("a/p.rego", "package a\nx := 1"), ("a/data.json", "{\"x\": 2}")];
        let bundle = Bundle::from_files(files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))).unwrap();
        let found = compile(&bundle, Options { rego_v0: false, evaluators: 1, tests: false }).err().unwrap();
        assert!(found.to_string().contains("same path"), "{found}");
    }
}
