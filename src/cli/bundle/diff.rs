//! `verdict bundle diff`: what differs between two bundles.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, process::ExitCode};

use serde_json::{Value as Json, json};
use verdict::{
    bundle::{
        Package,
        changes::{self, Bounded, Change, DataChange},
    },
    policy::{Faults, outline, printable},
};

use super::{Format, files, progress, texts};
use crate::cli::{complain, exit, say, show_faults};

const EXAMPLES: &str = "\
Rules are compared by what they say: comments and layout are none of it. Numbers in data are compared as they are written.

Examples:
  verdict bundle diff old.tar.gz new.tar.gz
  verdict bundle diff old.tar.gz policies/
  verdict bundle diff old.tar.gz new.tar.gz --format json | jq -r '.rules.changes[].name'

Exit: 0 nothing differs, 1 something does, 2 they can't be compared, 64 wrong usage.";

/// Show which files, rules and data two bundles have otherwise
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What was: a bundle, or a folder that is laid out like one
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What is
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
    /// The most files, rules and values of each that are shown
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// Everything that differs.
struct Difference {
    revisions: Option<(String, String)>,
    files: Bounded<(String, Change)>,
    rules: Bounded<(String, Change)>,
    data: Bounded<DataChange>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (old, new) = (files::read(&args.old)?.package, files::read(&args.new)?.package);
    let step = progress::step("comparing");
    let rules = match (rules(&old), rules(&new)) {
        (Ok(old), Ok(new)) => {
            let mut changes = Bounded::new(args.limit);
            changes::for_both(&old, &new, |name, old, new| {
                if let Some(change) = changes::change(old, new) {
                    changes.push((name.clone(), change));
                }
            });
            changes
        }
        (Err(error), _) | (_, Err(error)) => {
            match error.downcast::<Faults>() {
                Ok(faults) => show_faults(&faults),
                Err(error) => complain(&format!("{error:#}")),
            }
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    let names = (old.manifest.revision.clone(), new.manifest.revision.clone());
    let difference = Difference {
        revisions: (names.0 != names.1).then_some(names),
        files: changes::files(&old, &new, args.limit),
        rules,
        data: changes::data(&old, &new, args.limit)?,
    };
    drop(step);
    say(&match args.format {
        Format::Text => difference.text(),
        Format::Json => format!("{:#}", difference.json()),
    });
    Ok(if old == new { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

/// What each name means, over all files; the imports of a package, too, can change what its rules mean.
fn rules(package: &Package) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let bundle = texts(package)?;
    let modules: Vec<_> = bundle.modules.iter().chain(&bundle.tests).collect();
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for outline in outline::outlines(&modules, package.manifest.rego_version == Some(0))? {
        for (name, meanings) in outline.definitions {
            all.entry(name).or_default().extend(meanings);
        }
        if !outline.imports.is_empty() {
            all.entry(format!("{} (imports)", outline.package)).or_default().extend(outline.imports);
        }
    }
    for meanings in all.values_mut() {
        meanings.sort();
    }
    Ok(all)
}

impl Difference {
    fn text(&self) -> String {
        let Self { revisions, files, rules, data } = self;
        let mut out = String::new();
        if let Some((old, new)) = revisions {
            let _ = writeln!(out, "revision: `{}` -> `{}`", printable(old), printable(new));
        }
        let named = |(name, change): &(String, Change)| format!("{} {}", sign(*change), printable(name));
        section(&mut out, "files", files, named);
        section(&mut out, "rules", rules, named);
        section(&mut out, "data", data, |value| {
            let DataChange { path, change, old, new } = value;
            let values: Vec<&str> = old.iter().chain(new).map(String::as_str).collect();
            format!("{} {}: {}", sign(*change), printable(path), printable(&values.join(" -> ")))
        });
        if out.is_empty() { "nothing differs".to_owned() } else { out.trim_end().to_owned() }
    }

    fn json(&self) -> Json {
        let Self { revisions, files, rules, data } = self;
        let named = |list: &Bounded<(String, Change)>| {
            let one = |(name, change): &(String, Change)| json!({"name": name, "change": change.to_string()});
            json!({"changes": list.first.iter().map(one).collect::<Json>(), "more": list.more})
        };
        let value = |value: &DataChange| {
            let DataChange { path, change, old, new } = value;
            json!({"path": path, "change": change.to_string(), "old": old, "new": new})
        };
        json!({
            "revision": revisions.as_ref().map(|(old, new)| json!({"old": old, "new": new})),
            "files": named(files),
            "rules": named(rules),
            "data": {"changes": data.first.iter().map(value).collect::<Json>(), "more": data.more},
        })
    }
}

fn section<T>(out: &mut String, title: &str, list: &Bounded<T>, line: impl Fn(&T) -> String) {
    if list.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for one in &list.first {
        let _ = writeln!(out, "  {}", line(one));
    }
    if list.more > 0 {
        let _ = writeln!(out, "  … and {} more; --limit shows more", list.more);
    }
}

fn sign(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    }
}
