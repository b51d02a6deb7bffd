//! The sets.

use std::fmt::Write as _;

/// How many of a thing are many.
const MANY: usize = 10_000;

pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// The code of a fault that it must have; without one, it works.
    pub(crate) fault: Option<&'static str>,
    /// Takes seconds: not asked twice.
    pub(crate) slow: bool,
}

impl Set {
    fn slow(mut self) -> Self {
        self.slow = true;
        self
    }
}

const PARSE: Option<&str> = Some("rego_parse_error");
const NESTING: Option<&str> = Some("rego_nesting_error");
const RECURSION: Option<&str> = Some("rego_recursion_error");
const TYPE: Option<&str> = Some("rego_type_error");
const DATA: Option<&str> = Some("data_parse_error");
const ENCODING: Option<&str> = Some("encoding_error");

fn file(name: &'static str, fault: Option<&'static str>, text: impl Into<Vec<u8>>) -> Set {
    Set { name, files: vec![("p.rego".to_owned(), text.into())], fault, slow: false }
}

/// A file of package `p`.
fn rego(name: &'static str, fault: Option<&'static str>, text: &str) -> Set {
    file(name, fault, format!("package p\n{text}\n"))
}

/// What `line` gives for each number below `count`.
fn each(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = write!(text, "{}", line(number));
        text
    })
}

pub(crate) fn rules() -> Vec<Set> {
    let files = (0..1_000).map(|n| {
        let text = format!("package p{n}\nimport rego.v1\nallow if input.x == {n}\n");
        (format!("d{}/p{n}.rego", n % 50), text.into_bytes())
    });
    vec![
        rego("independent rules", None, &each(MANY, |n| format!("r{n} := {n}\n"))).slow(),
        rego("chained rules", NESTING, &each(MANY, |n| format!("r{n} := r{}\n", n + 1)).replace("r10000", "1")).slow(),
        rego("rules in a ring", RECURSION, &each(MANY, |n| format!("r{n} := r{}\n", (n + 1) % MANY))).slow(),
        rego("functions in a ring", RECURSION, &each(1_000, |n| format!("f{n}(x) := f{}(x)\n", (n + 1) % 1_000)))
            .slow(),
        rego("a function of itself", RECURSION, "f(x) := f(x)"),
        rego("rules of one name", None, &each(MANY, |n| format!("r := {n} if input.x == {n}\n"))).slow(),
        rego("rules of one set", None, &each(MANY, |n| format!("r contains {n}\n"))).slow(),
        rego("rules that refer to one", None, &format!("one := 1\n{}", each(MANY, |n| format!("r{n} := one\n"))))
            .slow(),
        rego("faulty rules", TYPE, &each(1_000, |n| format!("r{n} := nosuch{n}(1)\n"))).slow(),
        rego("imports", None, &each(MANY, |n| format!("import data.q{n}\n"))),
        rego("parameters", None, &format!("f({}) := 1", each(MANY, |n| format!("a{n},"))).replace(",)", ")")).slow(),
        rego("arguments", TYPE, &format!("f(a) := a\nx := f({}1)", "1,".repeat(MANY))),
        Set { name: "many files", files: files.collect(), fault: None, slow: true },
    ]
}

pub(crate) fn long() -> Vec<Set> {
    const LONG: usize = 2_000_000;
    let body = |join: &dyn Fn(usize) -> String| format!("x if {{ {} a0 = 1 }}", each(MANY, join));
    vec![
        rego("a string of 2 MB", PARSE, &format!("x := \"{}\"", "a".repeat(LONG))),
        rego("an array of 2 MB", PARSE, &format!("x := [{}1]", "1,".repeat(LONG / 2))).slow(),
        rego("a comment of 2 MB", PARSE, &format!("# {}\nx := 1", "a".repeat(LONG))),
        rego("a name of 2 MB", PARSE, &format!("{} := 1", "a".repeat(LONG))),
        rego("a number of 2 MB", PARSE, &format!("x := {}", "1".repeat(LONG))),
        rego("a file of 10 MB", PARSE, &each(85_000, |n| format!("r{n} := \"{}\"\n", "v".repeat(100)))).slow(),
        rego("+", PARSE, &format!("x := 1{}", " + 1".repeat(100_000))),
        rego("|", PARSE, &format!("x := {{1}}{}", " | {1}".repeat(100_000))),
        rego("else", PARSE, &format!("x := 1 if input.a{}", " else := 2 if input.b".repeat(100_000))).slow(),
        rego("conditions in order", PARSE, &body(&|n| format!("a{} = a{n};", n + 1))),
        rego("conditions against it", PARSE, &body(&|n| format!("a{n} = a{};", n + 1))),
    ]
}

pub(crate) fn nested() -> Vec<Set> {
    const NESTS: [(&str, &str, &str); 11] = [
        ("arrays", "[", "]"),
        ("sets", "{", "}"),
        ("parentheses", "(", ")"),
        ("objects", "{1: ", "}"),
        ("array comprehensions", "[1 | ", "]"),
        ("set comprehensions", "{1 | ", "}"),
        ("object comprehensions", "{1: 2 | ", "}"),
        ("calls", "count(", ")"),
        ("indices", "input[", "]"),
        ("templates", "$\"{", "}\""),
        ("every", "[1 | every x in [2] { ", " }]"),
    ];
    let mut sets: Vec<Set> = NESTS
        .into_iter()
        .map(|(name, open, close)| rego(name, PARSE, &format!("x := {}1{}", open.repeat(1_000), close.repeat(1_000))))
        .collect();
    sets.extend([
        rego("not", PARSE, &format!("x if {}input", "not ".repeat(1_000))),
        rego("open brackets", PARSE, &format!("x := {}", "[".repeat(100_000))),
        rego("a long head", PARSE, &format!("a{} := 1", ".b".repeat(100_000))),
        rego("a long reference", PARSE, &format!("x := input{}", ".b".repeat(100_000))),
        rego("a reference too long", PARSE, &format!("x := input{}", ".b".repeat(101))),
        rego("a reference as long as may be", None, &format!("x := input{}", ".b".repeat(100))),
        file("a long package", PARSE, format!("package a{}\nx := 1\n", ".b".repeat(100_000))),
    ]);
    sets
}

pub(crate) fn bytes() -> Vec<Set> {
    vec![
        file("Latin-1", ENCODING, b"package p\n# caf\xe9\nx := 1\n".to_vec()),
        file("UTF-16", ENCODING, b"\xff\xfep\0a\0c\0k\0a\0g\0e\0 \0p\0\n\0".to_vec()),
        file("a NUL", PARSE, b"package p\nx := \"a\0b\"\n\0y := 1\n".to_vec()),
        file("NULs", PARSE, vec![0; 100_000]),
        file("a byte order mark inside", PARSE, b"package p\n\xef\xbb\xbfx := 1\n".to_vec()),
        file("comments only", PARSE, "# nothing\n".repeat(1_000)),
        file("nothing", PARSE, ""),
    ]
}

pub(crate) fn data() -> Vec<Set> {
    let laughs = format!(
        "a0: &a0 [{}lol]\n{}",
        "lol,".repeat(8),
        each(11, |n| format!("a{}: &a{} [{}*a{n}]\n", n + 1, n + 1, format!("*a{n},").repeat(8)))
    );
    let metadata = |yaml: &str| {
        let lines = each(yaml.lines().count(), |n| format!("#   {}\n", yaml.lines().nth(n).unwrap_or_default()));
        format!("# METADATA\n# custom:\n{lines}x := rego.metadata.rule()")
    };
    let document = |name, fault, path: &str, text: String| {
        let mut set = rego(name, fault, "x := 1");
        set.files.push((path.to_owned(), text.into_bytes()));
        set
    };
    vec![
        rego("a cycle in metadata", PARSE, &metadata("a: &a [*a]\nb: &b {c: *b}")),
        rego("a billion laughs in metadata", PARSE, &metadata(&laughs)),
        rego("deep metadata", PARSE, &metadata(&format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000)))),
        rego("deeper metadata", PARSE, &metadata(&format!("a: {}", "[".repeat(100_000)))),
        rego("much metadata", None, &metadata(&each(1_000, |n| format!("k{n}: value {n}\n")))),
        document("a cycle in data", DATA, "data.yaml", "a: &a [*a]\n".to_owned()),
        document("a billion laughs in data", DATA, "data.yaml", laughs),
        document("deep YAML", DATA, "data.yaml", format!("a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000))),
        document("deep JSON", DATA, "data.json", format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000))),
        document("an exponent", DATA, "data.json", "{\"a\": 1e999999999}".to_owned()),
    ]
}
