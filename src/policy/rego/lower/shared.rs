//! Functions of which several files have definitions.
//!
//! regorus 0.14.1 evaluates all definitions of a function by the plans that it made of one file: of the file with the first.
//! What stands elsewhere binds and loops as something else does there, and may so hold where it does not, or the other way
//! round. Therefore the definitions of each file get a name of their own, and a function by the name that the author chose
//! calls all of them, in a text of its own.

use std::collections::BTreeMap;

use super::{
    super::{
        ast::{Module, Rule, Span},
        edit::{Edit, Edited},
    },
    names,
};

/// What such a name ends with, before the number of its file.
const OF_FILE: &str = "__verdict_file_";

/// The functions that are in several files, by their packages and names.
#[derive(Debug, Default)]
pub(crate) struct Shared(BTreeMap<Vec<String>, Function>);

#[derive(Debug)]
struct Function {
    /// How many names its package has, with the keywords that its own name begins with.
    package: usize,
    arity: usize,
    /// The numbers of its files.
    files: Vec<usize>,
}

impl Shared {
    pub(crate) fn new(modules: &[&Module]) -> Self {
        let mut all: BTreeMap<Vec<String>, Function> = BTreeMap::new();
        for (file, module) in modules.iter().enumerate() {
            for rule in &module.rules {
                let Some((name, arity)) = name(module, rule) else { continue };
                let package = module.package.path.len() + names::keywords(rule).len();
                let function = all.entry(name).or_insert_with(|| Function { package, arity, files: Vec::new() });
                if function.files.last() != Some(&file) {
                    function.files.push(file);
                }
            }
        }
        all.retain(|_, function| function.files.len() > 1);
        Self(all)
    }

    /// How the head of a rule of the file with that number names its function, where others have definitions of it.
    pub(crate) fn head(&self, file: usize, module: &Module, rule: &Rule) -> Option<String> {
        let (name, _) = name(module, rule)?;
        let function = self.0.get(&name)?;
        Some(written(name.get(function.package..)?, Some(file)))
    }

    /// The texts of the functions that call them, by their names, whose first definition the file with that number has: places
    /// in them are the place of its head.
    pub(crate) fn callers(&self, file: usize, module: &Module, text: &str) -> Vec<(String, Edited)> {
        let mut callers = BTreeMap::new();
        for rule in &module.rules {
            let Some((name, _)) = name(module, rule) else { continue };
            let Some(function) = self.0.get(&name).filter(|function| function.files.first() == Some(&file)) else {
                continue;
            };
            callers.entry(name).or_insert((function, rule.head.span.start));
        }
        let caller = |(name, (function, start)): (Vec<String>, (&Function, u32))| {
            let (before, after) = (Span { start: 0, end: start }, Span { start, end: u32::try_from(text.len()).ok()? });
            let edits = vec![Edit::replace(before, ""), Edit::replace(after, function.caller(&name)?)];
            Some((name.join("."), Edited::new(text, edits)))
        };
        callers.into_iter().filter_map(caller).collect()
    }
}

impl Function {
    /// The module of the function by its name, which calls those of all files.
    fn caller(&self, name: &[String]) -> Option<String> {
        let (package, own) = name.split_at_checked(self.package)?;
        let data = names::data(package);
        let arguments: Vec<String> = (0..self.arity).map(|number| format!("a{number}")).collect();
        let arguments = arguments.join(", ");
        let calls = self.files.iter().map(|file| {
            let called = written(own, Some(*file));
            let dot = if called.starts_with('[') { "" } else { "." };
            format!("{}({arguments}) := {data}{dot}{called}({arguments})\n", written(own, None))
        });
        Some(format!("package {}\n{}", below_data(&data), calls.collect::<String>()))
    }
}

/// The package and the name of a function, and how many arguments it takes; `None` for what is none, or only its default.
fn name(module: &Module, rule: &Rule) -> Option<(Vec<String>, usize)> {
    let arguments = rule.head.arguments.as_ref().filter(|_| !rule.default)?;
    let own = names::path_of(&rule.head.reference)?;
    let package = module.package.path.iter().map(|name| name.text.clone());
    Some((package.chain(own).collect(), arguments.len()))
}

/// A name of several parts as a head has it, for the definitions of one file or for all.
fn written(own: &[String], file: Option<usize>) -> String {
    let Some((last, before)) = own.split_last() else { return String::new() };
    let last = file.map_or_else(|| last.clone(), |file| format!("{last}{OF_FILE}{file}"));
    let all: String = before.iter().chain([&last]).map(|name| names::part(name)).collect();
    all.strip_prefix('.').map_or_else(|| all.clone(), str::to_owned)
}

/// A path as a package has it.
pub(super) fn below_data(path: &str) -> String {
    path.strip_prefix("data.").map_or_else(|| path.replacen("data", "", 1), str::to_owned)
}
