//! What is refused, and why.

use crate::build::*;

/// What it is, how it is made, and what the refusal says.
pub(crate) type Case = (&'static str, fn() -> Vec<u8>, &'static str);

/// With the policy before it, in a tar.
fn beside(entries: &[Vec<u8>]) -> Vec<u8> {
    tar(&[&[good()], entries].concat())
}

fn named(name: impl AsRef<[u8]>) -> Vec<u8> {
    beside(&[file(name, "{}")])
}

fn manifest(text: &str) -> Vec<u8> {
    gzip(&beside(&[file(".manifest", text)]))
}

fn with_pax(records: &[(&str, &str)]) -> Vec<u8> {
    beside(&[pax(records), file("data.json", "{}")])
}

fn flipped(mut bytes: Vec<u8>, from_end: usize) -> Vec<u8> {
    let at = bytes.len() - from_end;
    bytes[at] ^= 0x55;
    bytes
}

fn cut(mut bytes: Vec<u8>, by: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - by);
    bytes
}

fn joined(mut bytes: Vec<u8>, more: &[u8]) -> Vec<u8> {
    bytes.extend_from_slice(more);
    bytes
}

pub(crate) const CASES: &[Case] = &[
    // Not an archive.
    ("nothing", Vec::new, "nothing at all"),
    ("one byte", || vec![0x1f], "neither gzip, zstd nor tar"),
    ("a zip", || b"PK\x03\x04rest".to_vec(), "a zip archive"),
    ("a web page", || b"<html>".to_vec(), "a web page"),
    ("JSON", || b"{\"error\": 1}".to_vec(), "JSON"),
    ("noise", || b"noise ".repeat(700), "neither gzip, zstd nor tar"),
    // gzip.
    ("a gzip header alone", || gzip(&beside(&[]))[..10].to_vec(), "cut off"),
    ("gzip without its end", || cut(gzip(&beside(&[])), 8), "cut off"),
    ("half a gzip", || gzip(&beside(&[]))[..40].to_vec(), "cut off"),
    ("a wrong CRC", || flipped(gzip(&beside(&[])), 7), "corrupt after `p.rego`"),
    ("a wrong length", || flipped(gzip(&beside(&[])), 2), "corrupt after `p.rego`"),
    ("a flipped bit", || flipped(gzip(&beside(&[])), 30), "corrupt"),
    ("an unknown method", || [&[0x1f, 0x8b, 9], &gzip(&beside(&[]))[3..]].concat(), "corrupt"),
    ("garbage after gzip", || joined(gzip(&beside(&[])), b"garbage that is longer"), "corrupt after `p.rego`"),
    ("two bundles in one gzip file", || joined(gzip(&beside(&[])), &gzip(&beside(&[]))), "data follows the end"),
    ("gzip in gzip", || gzip(&gzip(&beside(&[]))), "cut off"),
    ("gzip of noise", || gzip(&[7; 2000]), "checksum is wrong"),
    (
        "a name of 20 MB in the gzip header",
        || [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255], &vec![b'a'; 20 << 20][..]].concat(),
        "corrupt",
    ),
    (
        "1,000 to 1",
        || repeated(&header("data.json", b'0', 100 << 20), &[0; 1 << 20], 100, false),
        "unpacks to more than 100 times",
    ),
    (
        "1,000 to 1 that says less",
        || repeated(&file("data.json", "{}"), &[0; 1 << 20], 100, false),
        "unpacks to more than 100 times",
    ),
    ("many members of nothing", || gzip(&[]).repeat(100_000), "cut off"),
    // zstd.
    ("half a zstd", || zstd(&beside(&[]))[..40].to_vec(), "cut off"),
    ("zstd without its end", || cut(zstd(&beside(&[])), 2), "cut off"),
    ("a wrong zstd checksum", || flipped(zstd(&beside(&[])), 1), "corrupt after `p.rego`"),
    ("garbage after zstd", || joined(zstd(&beside(&[])), b"garbage"), "corrupt after `p.rego`"),
    (
        "10,000 to 1",
        || repeated(&header("data.json", b'0', 256 << 20), &[0; 1 << 20], 256, true),
        "unpacks to more than 100 times",
    ),
    ("a window of 2 GiB", || vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x09, 0, 0], "corrupt"),
    (
        "a window of 128 MiB",
        || {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.window_log(27).unwrap();
            std::io::Write::write_all(&mut encoder, &tar(&[file("p.rego", vec![b' '; 1 << 20])])).unwrap();
            encoder.finish().unwrap()
        },
        "corrupt",
    ),
    // The tape.
    ("an empty tar", || tar(&[]), "no files"),
    ("folders alone", || gzip(&tar(&[entry("a/", b'5', "")])), "no files"),
    ("no mark of the end", || gzip(&good()), "cut off after `p.rego`"),
    ("a cut content", || gzip(&cut(good(), BLOCK)), "cut off"),
    ("a cut header", || gzip(&cut(beside(&[]), 900)), "cut off after `p.rego`"),
    ("a second tar behind it", || joined(beside(&[]), &tar(&[file("q.rego", "package q")])), "data follows the end"),
    (
        "a wrong checksum",
        || {
            let mut bytes = beside(&[good()]);
            bytes[BLOCK * 2 + 3] ^= 1;
            bytes
        },
        "checksum is wrong",
    ),
    (
        "a checksum that is no number",
        || {
            let mut bytes = beside(&[good()]);
            bytes[BLOCK * 2 + 148..BLOCK * 2 + 154].fill(b'x');
            bytes
        },
        "checksum is wrong",
    ),
    (
        "a size of 1 TiB",
        || beside(&[changed(header("data.json", b'0', 0), 124, b"20000000000000")]),
        "unpacks to more than",
    ),
    (
        "a size of 2^64",
        || {
            beside(&[changed(
                header("data.json", b'0', 0),
                124,
                &[0x80, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
            )])
        },
        "unpacks to more than",
    ),
    ("a negative size", || beside(&[changed(header("data.json", b'0', 0), 124, &[255; 12])]), "unpacks to more than"),
    (
        "a size that is no number",
        || beside(&[changed(header("data.json", b'0', 0), 124, b"zzzzzzzzzzz")]),
        "size is no number",
    ),
    ("a size beyond the end", || beside(&[header("data.json", b'0', 100_000)]), "cut off after `p.rego`"),
    (
        "40,000 entries",
        || tar(&(0..40_000).map(|at| header(format!("{at}.rego"), b'0', 0)).collect::<Vec<_>>()),
        "more than 32768 entries",
    ),
    ("1,000,000 entries", || repeated(&[], &header("a/", b'5', 0).repeat(1000), 1000, true), "unpacks to more than"),
    (
        "1,000,000 entries, larger than any archive",
        || header("a/", b'5', 0).repeat(1_000_000),
        "bytes, and 268435456 are the most",
    ),
    (
        "names of 12 MB",
        || tar(&(0..12_000).flat_map(|at| [long(format!("{at:01000}")), header("x", b'0', 0)]).collect::<Vec<_>>()),
        "names in the archive have more than",
    ),
    // Names.
    ("an absolute path", || named("/etc/passwd"), "`/etc/passwd`: the path is absolute"),
    ("an absolute folder", || beside(&[entry("/tmp/", b'5', "")]), "the path is absolute"),
    ("two slashes", || named("//data.json"), "empty part"),
    ("a drive", || named("C:/data.json"), "the path is absolute"),
    ("a drive behind a slash", || named("/C:/data.json"), "the path is absolute"),
    ("upwards", || named("../data.json"), "`../data.json`: the path leads upwards"),
    ("upwards behind a slash", || named("/../data.json"), "the path leads upwards"),
    ("upwards within", || named("a/../../data.json"), "the path leads upwards"),
    ("upwards at the end", || named("a/.."), "the path leads upwards"),
    ("a folder upwards", || beside(&[entry("../a/", b'5', "")]), "the path leads upwards"),
    ("a dot within", || named("a/./data.json"), "empty part"),
    ("two dots before", || named("././data.json"), "empty part"),
    ("an empty part", || named("a//data.json"), "empty part"),
    ("no name", || named(""), "empty part"),
    ("a file named as a folder", || named("a/"), "empty part"),
    ("a file that is the root", || named("./"), "empty part"),
    ("a backslash", || named("..\\data.json"), "backslash"),
    ("a NUL", || named("a.rego\0/../data.json"), "the name has a NUL"),
    ("a NUL in the prefix", || beside(&[changed(header("data.json", b'0', 0), 345, b"a\0b")]), "the name has a NUL"),
    ("a line end", || named("a\nb.rego"), "`a\\nb.rego`: the name has a control character"),
    ("an escape", || named("\x1b[2Ja.rego"), "control character"),
    ("not UTF-8", || named(b"a\xff.rego"), "not UTF-8"),
    ("a long name", || beside(&[long("a/".repeat(600)), header("x", b'0', 0)]), "too long"),
    ("a deep path", || named("a/".repeat(40) + "data.json"), "too deep"),
    // Kinds.
    ("a hard link", || beside(&[header("data.json", b'1', 0)]), "`data.json` is a hard link"),
    ("a symbolic link", || beside(&[changed(header("data.json", b'2', 0), 157, b"/etc/passwd")]), "is a symbolic link"),
    (
        "a long symbolic link",
        || beside(&[entry("././@LongLink", b'K', "/etc/passwd\0"), header("a", b'2', 0)]),
        "is a symbolic link",
    ),
    ("a character device", || beside(&[header("data.json", b'3', 0)]), "is a device"),
    ("a block device", || beside(&[header("data.json", b'4', 0)]), "is a device"),
    ("a pipe", || beside(&[header("data.json", b'6', 0)]), "is a named pipe"),
    ("a contiguous file", || beside(&[header("data.json", b'7', 0)]), "of an unknown type"),
    ("a sparse file", || beside(&[header("data.json", b'S', 0)]), "is a sparse file"),
    ("a volume's name", || beside(&[header("data.json", b'V', 0)]), "of an unknown type"),
    ("a second volume", || beside(&[header("data.json", b'M', 0)]), "of an unknown type"),
    ("a list of a folder", || beside(&[header("a", b'D', 0)]), "of an unknown type"),
    ("an unknown type", || beside(&[header("data.json", 0x80, 0)]), "of an unknown type"),
    ("a folder with content", || beside(&[entry("a/", b'5', "x")]), "a folder with content"),
    // The same name again.
    ("a file twice", || beside(&[good()]), "`p.rego` is in the archive twice"),
    ("twice through a dot", || named("./p.rego"), "`p.rego` is in the archive twice"),
    ("twice through a slash", || named("/p.rego"), "`p.rego` is in the archive twice"),
    (
        "twice through pax",
        || beside(&[pax(&[("path", "p.rego")]), file("x.rego", "")]),
        "`p.rego` is in the archive twice",
    ),
    ("a folder named as a file", || beside(&[entry("p.rego/", b'5', "")]), "`p.rego` is in the archive twice"),
    (
        "a file named as a folder before it",
        || beside(&[entry("a", b'5', ""), file("a", "")]),
        "`a` is in the archive twice",
    ),
    ("a file in a file", || named("p.rego/data.json"), "`p.rego` is in the archive twice"),
    // Extended headers.
    ("pax upwards", || with_pax(&[("path", "../data.json")]), "the path leads upwards"),
    ("pax absolute", || with_pax(&[("path", "/etc/shadow")]), "the path is absolute"),
    ("pax with a NUL", || with_pax(&[("path", "a\0b")]), "is malformed"),
    ("pax without a name", || with_pax(&[("path", "")]), "sets `path` where it must not"),
    ("pax with two names", || with_pax(&[("path", "a"), ("path", "b")]), "sets `path` where it must not"),
    ("pax of another size", || with_pax(&[("size", "700")]), "gives another size"),
    ("pax of no size", || with_pax(&[("size", "-1")]), "a `size` that is no number"),
    ("pax of a link", || with_pax(&[("linkpath", "/etc/passwd")]), "sets `linkpath`"),
    ("pax sparse", || with_pax(&[("GNU.sparse.major", "1")]), "sparse"),
    ("pax sparse by name", || with_pax(&[("GNU.sparse.name", "q.rego")]), "sparse"),
    ("pax in another encoding", || with_pax(&[("hdrcharset", "BINARY")]), "something else than UTF-8"),
    ("pax without a length", || beside(&[entry("x", b'x', "path=a\n"), good()]), "is malformed"),
    ("pax too short", || beside(&[entry("x", b'x', "3 path=a\n"), good()]), "is malformed"),
    ("pax too long", || beside(&[entry("x", b'x', "999999 path=a\n"), good()]), "is malformed"),
    (
        "pax longer than numbers are",
        || beside(&[entry("x", b'x', "99999999999999999999 path=a\n"), good()]),
        "is malformed",
    ),
    ("pax of length nothing", || beside(&[entry("x", b'x', "0 path=a\n"), good()]), "is malformed"),
    ("pax without a line's end", || beside(&[entry("x", b'x', "9 path=ab"), good()]), "is malformed"),
    ("pax twice", || beside(&[pax(&[("path", "a")]), pax(&[("path", "b")]), good()]), "follows another"),
    ("pax, then a long name", || beside(&[pax(&[("path", "a")]), long("b"), good()]), "follows another"),
    ("a long name twice", || beside(&[long("a"), long("b"), good()]), "follows another"),
    ("pax of nothing", || beside(&[pax(&[("path", "a")])]), "belongs to no entry"),
    ("pax of 1 MB", || beside(&[entry("x", b'x', vec![b' '; 1 << 20]), good()]), "is too large"),
    ("a long name of 1 MB", || beside(&[long(vec![b'a'; 1 << 20]), good()]), "is too large"),
    ("a name for all that follows", || beside(&[entry("g", b'g', record("path", "a")), good()]), "sets `path`"),
    ("a size for all that follows", || beside(&[entry("g", b'g', record("size", "0")), good()]), "sets `size`"),
    // What it says of itself.
    (
        "a manifest twice",
        || beside(&[file(".manifest", "{}"), file("/.manifest", "{}")]),
        "`.manifest` is in the archive twice",
    ),
    ("a manifest that is no JSON", || manifest("revision: 1"), "`.manifest`: expected value"),
    ("a manifest that is a list", || manifest("[1]"), "`.manifest`: "),
    ("text after the manifest", || manifest("{} {}"), "trailing characters"),
    ("a revision that is a number", || manifest(r#"{"revision": 7}"#), "invalid type"),
    ("roots that are text", || manifest(r#"{"roots": "a"}"#), "invalid type"),
    ("a root that is a number", || manifest(r#"{"roots": [1]}"#), "invalid type"),
    ("no roots", || manifest(r#"{"roots": []}"#), "`roots` is empty"),
    ("roots that overlap", || manifest(r#"{"roots": ["a/b", "c", "a"]}"#), "the roots `a` and `a/b` overlap"),
    ("a root twice", || manifest(r#"{"roots": ["a", "/a/"]}"#), "the roots `a` and `a` overlap"),
    ("a root of everything, and another", || manifest(r#"{"roots": ["a", ""]}"#), "the roots `` and `a` overlap"),
    ("roots twice", || manifest(r#"{"roots": ["a"], "roots": ["b"]}"#), "duplicate field"),
    ("Roots", || manifest(r#"{"Roots": ["a"]}"#), "`Roots` must be written `roots`"),
    ("version 2", || manifest(r#"{"rego_version": 2}"#), "there is no Rego version 2"),
    ("version -1", || manifest(r#"{"rego_version": -1}"#), "invalid value"),
    ("a file of version 3", || manifest(r#"{"file_rego_versions": {"/a.rego": 3}}"#), "there is no Rego version 3"),
    ("a pattern that is none", || manifest(r#"{"file_rego_versions": {"[": 0}}"#), "`[` is no glob pattern"),
    (
        "a pattern that is huge",
        || manifest(&format!("{{\"file_rego_versions\": {{\"{}\": 0}}}}", "{a,".repeat(50_000))),
        "is no glob pattern",
    ),
    (
        "patterns without end",
        || {
            manifest(&format!(
                "{{\"file_rego_versions\": {{{}\"a\": 0}}}}",
                (0..20_000).map(|at| format!("\"{at}*\": 0, ")).collect::<Vec<_>>().concat()
            ))
        },
        "more than 256 glob patterns",
    ),
    ("metadata that is a list", || manifest(r#"{"metadata": [1]}"#), "invalid type"),
    ("a deep manifest", || manifest(&format!("{{\"metadata\": {{\"a\": {}", "[".repeat(200_000))), "recursion limit"),
    ("a manifest of 1 MB", || manifest(&format!("{{}}{}", " ".repeat(1 << 20))), "has more than 524288 bytes"),
    (
        "a manifest that unfolds",
        || manifest(&format!("{{\"roots\": [], \"metadata\": {{\"a\": [{}0]}}}}", r#"{"":0},"#.repeat(70_000))),
        "`roots` is empty",
    ),
    ("a manifest in a folder", || named("a/.manifest"), "lies in the bundle's root"),
    ("a manifest of another name", || named("x.manifest"), "lies in the bundle's root"),
    (".MANIFEST", || named(".MANIFEST"), "is named `.manifest`"),
    ("a manifest as a protocol buffer", || named(".manifest.pb"), "protocol buffer"),
    ("signatures in a folder", || named("a/.signatures.json"), "in the bundle's root"),
    (".Signatures.json", || named(".Signatures.json"), "are named `.signatures.json`"),
    ("a patch in a folder", || named("a/patch.json"), "in the bundle's root"),
    ("WebAssembly alone", || tar(&[file("data.json", "{}"), file("policy.wasm", "\0asm")]), "compiled to WebAssembly"),
    (
        "WebAssembly beside text",
        || manifest(r#"{"wasm": [{"entrypoint": "p/x", "module": "/policy.wasm"}]}"#),
        "compiled to WebAssembly",
    ),
    ("a plan alone", || tar(&[file("/data.json", "{}"), file("/plan.json", "{}")]), "compiled to a plan"),
    // Much, and something wrong at the end.
    (
        "100 MB, then upwards",
        || tar(&[file("data.json", vec![b' '; 100 << 20]), file("../p.rego", "")]),
        "the path leads upwards",
    ),
    ("100 MB, then the end", || file("data.json", vec![b' '; 100 << 20]), "cut off after `data.json`"),
    (
        "100 MB, then a wrong manifest",
        || tar(&[file("data.json", vec![b' '; 100 << 20]), file(".manifest", "[")]),
        "`.manifest`: ",
    ),
];
