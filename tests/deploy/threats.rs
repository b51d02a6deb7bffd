//! `docs/security.md`, held to what there is: each test that it names, each setting, and the defaults that it gives.

use std::{fs, path::Path};

use regex::Regex;

use crate::{repository, text};

/// Every text in backticks of a part of a line.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The last cells of the tables whose last column has tests, and all lines of the page.
fn tests() -> Vec<String> {
    let text = text("docs/security.md");
    let mut cells = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if !line.starts_with('|') {
            within = false;
        } else if line.ends_with("| test |") {
            within = true;
        } else if within && !line.starts_with("|---") {
            cells.push(line.trim_end_matches(['|', ' ']).rsplit_once('|').unwrap().1.to_owned());
        }
    }
    assert!(cells.len() > 30, "{cells:?}");
    cells
}

fn has(path: &Path, function: &str) -> bool {
    if path.is_dir() {
        return fs::read_dir(path).unwrap().any(|entry| has(&entry.unwrap().path(), function));
    }
    path.extension().is_some_and(|extension| extension == "rs")
        && fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {function}(")))
}

#[test]
fn every_threat_names_a_test_that_there_is() {
    for cell in tests() {
        let mut named = 0;
        for quoted in quoted(&cell).into_iter().filter(|quoted| !quoted.contains('/')) {
            let (target, function) = quoted.split_once(' ').unwrap_or((quoted, ""));
            let folder = repository().join("tests").join(target);
            let file = folder.with_extension("rs");
            assert!(folder.is_dir() || file.is_file(), "no test target `{target}`");
            let there = if folder.is_dir() { folder } else { file };
            assert!(function.is_empty() || has(&there, function), "no test `{function}` in `{target}`");
            named += 1;
        }
        assert!(named > 0, "no test: {cell}");
    }
}

#[test]
fn every_setting_is_one_and_has_the_default_that_is_said() {
    let page = text("docs/security.md");
    let settings = text("docs/configuration.md");
    let setting =
        Regex::new(r"^(grpc|http|server|opa|envoy|callers|policies|bundles|network|admin|explain)\.[a-z_]+").unwrap();
    for named in quoted(&page).into_iter().filter(|named| setting.is_match(named) && !named.contains('*')) {
        let key = named.split(':').next().unwrap();
        assert!(settings.contains(&format!("#### `{key}`\n")), "no setting `{key}`");
    }
    let said = Regex::new(r"`([a-z]+\.[a-z_]+)` \(?(\d[\d,]*)(?: (ms|s|m|KiB|MiB)\b)?").unwrap();
    let mut compared = 0;
    for found in said.captures_iter(&page) {
        let value = found[2].replace(',', "") + found.get(3).map_or("", |unit| unit.as_str());
        let section = settings.split(&format!("#### `{}`\n", &found[1])).nth(1).unwrap();
        let default = section.lines().find(|line| line.starts_with("- Default:")).unwrap();
        assert_eq!(default, format!("- Default: `{value}`"), "{}", &found[1]);
        compared += 1;
    }
    assert!(compared >= 20, "{compared}");
}
