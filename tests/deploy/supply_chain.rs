//! What the program is made of: where it comes from, and that nothing of it is known to be bad.

use std::collections::BTreeSet;

use crate::{
    text,
    tools::{content, tool},
};

/// A version, as far as it is compared.
type Version = (u64, u64, u64);

fn version(text: &str) -> Version {
    let mut numbers = text.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Every package of the lock file: its name, its version, and the whole entry.
fn packages() -> Vec<(String, Version, toml::Table)> {
    let lock: toml::Table = text("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter().map(|package| package.as_table().unwrap().clone());
    let packages: Vec<_> = packages
        .map(|package| {
            (package["name"].as_str().unwrap().to_owned(), version(package["version"].as_str().unwrap()), package)
        })
        .collect();
    assert!(packages.len() > 100);
    packages
}

/// What `deny.toml` bans, and below which version; without one, all of it.
fn bans() -> Vec<(String, Option<Version>)> {
    let deny: toml::Table = text("deny.toml").parse().unwrap();
    let bans = deny["bans"]["deny"].as_array().unwrap().iter().map(|ban| {
        assert!(ban["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{ban}");
        match ban["crate"].as_str().unwrap().split_once("@<") {
            Some((name, floor)) => (name.to_owned(), Some(version(floor))),
            None => (ban["crate"].as_str().unwrap().to_owned(), None),
        }
    });
    bans.collect()
}

/// What of these is banned.
fn banned<'a>(packages: impl Iterator<Item = (&'a str, Version)>) -> Vec<String> {
    let bans = bans();
    let is_banned = |name: &str, version: Version| {
        bans.iter().any(|(banned, floor)| banned == name && floor.is_none_or(|floor| version < floor))
    };
    packages
        .filter(|(name, version)| is_banned(name, *version))
        .map(|(name, version)| format!("{name} {version:?}"))
        .collect()
}

#[test]
fn nothing_is_below_the_floors_or_banned() {
    let packages = packages();
    assert_eq!(banned(packages.iter().map(|(name, version, _)| (name.as_str(), *version))), [""; 0]);
    // What is banned is found.
    assert_eq!(banned([("h2", (0, 4, 15)), ("h2", (0, 4, 16)), ("rsa", (9, 9, 9))].into_iter()).len(), 2);
    // A floor of what is not there says nothing.
    for (name, _) in bans().iter().filter(|(name, floor)| floor.is_some() && name != "hyper") {
        assert!(packages.iter().any(|(other, ..)| other == name), "{name} is not a dependency any more");
    }
}

#[test]
fn everything_is_from_the_registry_with_its_hash() {
    for (name, _, package) in packages().iter().filter(|(name, ..)| name != "verdict") {
        let source = package.get("source").and_then(toml::Value::as_str);
        assert_eq!(source, Some("registry+https://github.com/rust-lang/crates.io-index"), "{name}");
        assert!(package["checksum"].as_str().is_some_and(|checksum| checksum.len() == 64), "{name}");
    }
}

#[test]
fn cargo_deny_finds_nothing_wrong() {
    let Some(mut deny) = tool("cargo-deny") else { return };
    // Its database of advisories is fetched from where not every machine gets.
    content(deny.args(["--locked", "check", "licenses", "bans", "sources"]));
}

#[test]
fn versions_beside_each_other_have_their_reasons() {
    let deny: toml::Table = text("deny.toml").parse().unwrap();
    let skips: BTreeSet<_> =
        deny["bans"]["skip"].as_array().unwrap().iter().map(|skip| skip["crate"].to_string()).collect();
    for skip in deny["bans"]["skip"].as_array().unwrap() {
        assert!(skip["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{skip}");
        let (name, _) = skip["crate"].as_str().unwrap().split_once('@').unwrap();
        assert!(packages().iter().filter(|(other, ..)| other == name).count() > 1, "{name} is there once");
    }
    assert_eq!(skips.len(), deny["bans"]["skip"].as_array().unwrap().len(), "one is there twice");
}
