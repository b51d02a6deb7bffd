//! What real tools write is read.

use verdict::bundle::{Limits, Package};

use crate::build::*;

fn names(archive: &[u8]) -> Vec<String> {
    let package = Package::read(archive, &Limits::default()).unwrap();
    package.files.into_iter().map(|file| file.path).collect()
}

#[test]
fn folders_and_dots_before_names_are_those_of_tar() {
    let tar = tar(&[
        entry("./", b'5', ""),
        entry("./a/", b'5', ""),
        entry("./a/", b'5', ""),
        file("./a/data.json", "{}"),
        entry("b", b'\0', "x"),
        entry("empty", b'5', ""),
    ]);
    assert_eq!(names(&tar), ["a/data.json", "b"]);
    assert_eq!(names(&gzip(&tar)), ["a/data.json", "b"]);
    assert_eq!(names(&zstd(&tar)), ["a/data.json", "b"]);
}

#[test]
fn long_names_are_those_of_gnu_pax_and_ustar() {
    let path = "a-folder/".repeat(15) + "é.rego";
    let prefixed = changed(header("q.rego", b'0', 0), 345, b"pre/fix");
    let tar = tar(&[
        entry("g", b'g', record("comment", "a commit")),
        pax(&[("mtime", "1.5"), ("path", &path), ("size", "1"), ("SCHILY.xattr.user.x", "y")]),
        file("short", "1"),
        long(format!("b/{path}\0")),
        file("short", ""),
        prefixed,
    ]);
    assert_eq!(names(&tar), [path.clone(), format!("b/{path}"), "pre/fix/q.rego".to_owned()]);
}

#[test]
fn several_gzip_members_are_one_archive() {
    let tar = tar(&[good(), file("data.json", "{}")]);
    let (one, two) = tar.split_at(700);
    assert_eq!(names(&[gzip(one), gzip(two)].concat()), ["data.json", "p.rego"]);
    assert_eq!(names(&[zstd(one), zstd(two)].concat()), ["data.json", "p.rego"]);
}

#[test]
fn limits_are_those_that_are_given() {
    let archive = tar(&[good(), file("a/b/data.json", "{}")]);
    let with = |limits: Limits| Package::read(&archive, &limits).map_err(|error| error.to_string());
    let limits = Limits::default();
    assert!(with(limits).is_ok());
    assert!(with(Limits { archive_bytes: archive.len() - 1, ..limits }).unwrap_err().contains("the most"));
    assert!(with(Limits { unpacked_bytes: 2000, ..limits }).unwrap_err().contains("more than 2000 bytes"));
    assert!(with(Limits { entries: 1, ..limits }).unwrap_err().contains("more than 1 entries"));
    assert!(with(Limits { depth: 2, ..limits }).unwrap_err().contains("too deep"));
    assert!(with(Limits { name_bytes: 10, ..limits }).unwrap_err().contains("too long"));
}
