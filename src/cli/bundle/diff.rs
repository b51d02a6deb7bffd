//! `verdict bundle diff`: what differs between two bundles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
    process::ExitCode,
};

use serde_json::{Value as Json, json};
use verdict::{
    bundle::{Changes, Difference, Package},
    policy::{Faults, outline, printable},
};

use super::{Format, files, progress, texts};
use crate::cli::{complain, exit, say, show_faults};

const EXAMPLES: &str = "\
Rules are compared by what they say: comments and layout are none of it. Places in data are JSON
pointers (RFC 6901); numbers are compared as they are written.

Examples:
  verdict bundle diff old.tar.gz new.tar.gz
  verdict bundle diff old.tar.gz policies/
  verdict bundle diff old.tar.gz new.tar.gz --format json | jq -r '.rules.changed[]'

Exit: 0 nothing differs, 1 something does, 2 they can't be compared, 64 wrong usage.";

/// Show which files, rules and data differ between two bundles
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What was: a bundle, or a folder that one is built from
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What is
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
    /// The most names that each list has
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// What each name means, over all files.
type Rules = BTreeMap<String, Vec<String>>;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (old, new) = (files::read_sources(&args.old)?, files::read_sources(&args.new)?);
    let step = progress::step("comparing");
    let rules = rules(&old).and_then(|old| Ok(compare(&old, &rules(&new)?, args.limit)));
    let difference = old.diff(&new, args.limit)?;
    drop(step);
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => {
            match error.downcast::<Faults>() {
                Ok(faults) => show_faults(&faults),
                Err(error) => complain(&format!("{error:#}")),
            }
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    say(&match args.format {
        Format::Text => text(&old, &new, &difference, &rules),
        Format::Json => format!("{:#}", as_json(&difference, &rules)),
    });
    let same = difference.is_empty() && rules.is_empty();
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

/// The imports of a package, too, can change what its rules mean.
fn rules(package: &Package) -> anyhow::Result<Rules> {
    let bundle = texts(package)?;
    let modules: Vec<_> = bundle.modules.iter().chain(&bundle.tests).collect();
    let mut all = Rules::new();
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

fn compare(old: &Rules, new: &Rules, limit: usize) -> Changes {
    let mut changes = Changes::default();
    let Changes { added, removed, changed, more } = &mut changes;
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let list = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), Some(_)) => &mut *changed,
            (Some(_), None) => &mut *removed,
            (None, _) => &mut *added,
        };
        if list.len() < limit { list.push(name.clone()) } else { *more += 1 }
    }
    changes
}

fn text(old: &Package, new: &Package, difference: &Difference, rules: &Changes) -> String {
    let Difference { manifest, policies, data, others } = difference;
    let mut out = String::new();
    for member in manifest {
        // Writing to a string does not fail.
        let _ = match *member {
            "revision" => {
                let (old, new) = (printable(&old.manifest.revision), printable(&new.manifest.revision));
                writeln!(out, "revision: `{old}` -> `{new}`")
            }
            member => writeln!(out, "manifest: `{member}` differs"),
        };
    }
    for (title, list) in [("rules", rules), ("data", data), ("policies", policies), ("other files", others)] {
        if list.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{title}:");
        for (sign, names) in [('+', &list.added), ('-', &list.removed), ('~', &list.changed)] {
            for name in names {
                let _ = writeln!(out, "  {sign} {}", if name.is_empty() { "/".into() } else { printable(name) });
            }
        }
        if list.more > 0 {
            let _ = writeln!(out, "  … and {} more; --limit shows more", list.more);
        }
    }
    if out.is_empty() { "nothing differs".to_owned() } else { out.trim_end().to_owned() }
}

fn as_json(difference: &Difference, rules: &Changes) -> Json {
    let Difference { manifest, policies, data, others } = difference;
    let list = |changes: &Changes| {
        let Changes { added, removed, changed, more } = changes;
        json!({"added": added, "removed": removed, "changed": changed, "more": more})
    };
    json!({
        "manifest": manifest,
        "rules": list(rules),
        "data": list(data),
        "policies": list(policies),
        "others": list(others),
    })
}
