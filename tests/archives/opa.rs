//! Bundles of the real OPA load, and it loads ours. `VERDICT_TEST_OPA` names the program; without it, `opa` on the path is
//! taken, and without that these tests are skipped with a word.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tempfile::TempDir;
use verdict::bundle::{Bundle, Compression, File, Limits, Package, RegoVersion, assemble};

fn opa() -> Option<PathBuf> {
    let named = env::var_os("VERDICT_TEST_OPA").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = || env::split_paths(&path).map(|folder| folder.join("opa")).find(|file| file.is_file());
    let found = named.filter(|file| file.is_file()).or_else(on_path);
    if found.is_none() {
        println!("skipped: no opa (name it in VERDICT_TEST_OPA)");
    }
    found
}

fn run(opa: &Path, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(opa).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "opa {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read(path: &Path) -> Result<Package, String> {
    Package::read(&fs::read(path).unwrap(), &Limits::default()).map_err(|error| error.to_string())
}

fn set(package: Package) -> Bundle {
    assemble(&[("one".to_owned(), Arc::new(package))]).unwrap()
}

#[test]
fn bundles_of_opa_build_load() {
    let Some(opa) = opa() else { return };
    let folder = folder(&[
        ("b/.manifest", r#"{"revision": "r1", "roots": ["a", "c"], "metadata": {"x": 1}}"#),
        ("b/a/p.rego", "package a.p\nallow if data.c.n == 12345678901234567890"),
        ("b/c/data.json", r#"{"n": 12345678901234567890}"#),
        ("b/a/data.yaml", "list: [1, 2.50]"),
        ("v0/.manifest", r#"{"roots": ["old"]}"#),
        ("v0/old.rego", "package old\nallow { input.x }"),
    ]);
    let root = folder.path();
    run(&opa, root, &["build", "-b", "b", "-o", "one.tar.gz"]);
    let package = read(&root.join("one.tar.gz")).unwrap();
    assert_eq!((package.manifest.revision.as_str(), package.manifest.rego_version), ("r1", Some(1)));
    assert_eq!(package.manifest.metadata["x"], 1);
    let bundle = set(package);
    assert_eq!((bundle.modules.len(), bundle.data.len()), (1, 1));
    assert!(bundle.data[0].text.contains("12345678901234567890"));

    run(&opa, root, &["build", "--v0-compatible", "-b", "v0", "-o", "old.tar.gz"]);
    assert_eq!(set(read(&root.join("old.tar.gz")).unwrap()).modules[0].version, Some(RegoVersion::V0));

    // Versions of single files are by their absolute paths in the archive.
    run(&opa, root, &["build", "-b", "old.tar.gz", "-b", "one.tar.gz", "-o", "both.tar.gz"]);
    let both = set(read(&root.join("both.tar.gz")).unwrap());
    let versions: Vec<_> = both.modules.iter().map(|module| (module.path.as_str(), module.version)).collect();
    let expected = [("old.tar.gz/v0/old.rego", RegoVersion::V0), ("one.tar.gz/b/a/p.rego", RegoVersion::V1)];
    assert_eq!(versions, expected.map(|(path, version)| (path, Some(version))));

    run(&opa, root, &["build", "-t", "wasm", "-e", "a/p/allow", "-b", "b", "-o", "wasm.tar.gz"]);
    assert!(read(&root.join("wasm.tar.gz")).unwrap_err().contains("WebAssembly"));
}

#[test]
fn opa_loads_what_is_written() {
    let Some(opa) = opa() else { return };
    let folder = folder(&[]);
    let root = folder.path();
    let long = "a/".to_owned() + &"folder/".repeat(20) + "q.rego";
    let files = [
        (".manifest", r#"{"revision":"r1","roots":["a","old"],"file_rego_versions":{"/old/*.rego":0}}"#),
        ("a/p.rego", "package a.p\nallow if data.a.d.n > 1"),
        (&long, "package a.q\nx := 7"),
        ("old/p.rego", "package old\nallow { input.x == 1 }"),
        ("a/d/data.json", r#"{"n": 2, "big": 12345678901234567890123}"#),
        ("notes.md", "for people"),
    ];
    let files = files.map(|(path, text)| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() });
    let package = Package::from_files(files).unwrap();
    let archive = package.write(Compression::Gzip);
    assert_eq!(archive, package.write(Compression::Gzip));
    fs::write(root.join("b.tar.gz"), &archive).unwrap();
    fs::write(root.join("input.json"), r#"{"x": 1}"#).unwrap();
    let ask = |query: &str| run(&opa, root, &["eval", "-b", "b.tar.gz", "-i", "input.json", "-f", "raw", query]);
    assert_eq!(
        ask("[data.a.p.allow, data.a.q.x, data.old.allow, data.a.d.big]").trim(),
        "[true,7,true,12345678901234567890123]"
    );
    let manifest: serde_json::Value =
        serde_json::from_str(&run(&opa, root, &["inspect", "-f", "json", "b.tar.gz"])).unwrap();
    assert_eq!(manifest["manifest"]["revision"], "r1");
}
