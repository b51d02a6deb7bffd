//! The built-ins through the engine: that all are there, what they give, and that none takes too long.

use std::time::{Duration, Instant};

use super::*;
use crate::policy::engine::Engine;

/// A built-in that panics, which none of the real ones should.
pub(super) const ALL: &[Function] = &[Function { name: "test.panic", arity: 1, call: |_| panic!("as it should") }];

/// The value of `expression`, with `s` bound to the input.
pub(super) fn value(expression: &str, input: &str) -> Result<Rego, String> {
    let mut engine = Engine::blank(crate::policy::Options::default());
    let rego = format!("package p\nx := v if {{ s := input; v := {expression} }}");
    engine.add_policy("p.rego".to_owned(), rego).unwrap();
    engine.set_input(Rego::from(input));
    engine.eval_rule("data.p.x".to_owned()).map_err(|error| error.to_string())
}

/// Operators, and what is not a built-in here.
const NOT_OURS: [&str; 27] = [
    "and",
    "assign",
    "div",
    "eq",
    "equal",
    "gt",
    "gte",
    "lt",
    "lte",
    "minus",
    "mul",
    "neq",
    "or",
    "plus",
    "rem",
    "internal.member_2",
    "internal.member_3",
    "internal.print",
    "internal.template_string",
    "internal.test_case",
    "print",
    "http.send",
    "net.lookup_ip_addr",
    "providers.aws.sign_req",
    "strings.render_template",
    // Families of their own, which are being written.
    "rego.metadata.chain",
    "rego.metadata.rule",
];

#[test]
fn what_opa_has_is_here_with_as_many_arguments() {
    for line in include_str!("opa-1.20.2.txt").lines() {
        let (name, expected) = line.split_once(' ').unwrap();
        let elsewhere = ["crypto.", "io.jwt.", "graphql.", "rego."].iter().any(|family| name.starts_with(family));
        if !NOT_OURS.contains(&name) && !elsewhere {
            assert_eq!(arity(name), expected.parse().ok(), "{name}");
        }
    }
}

#[test]
fn values_are_those_of_opa() {
    for (expression, expected) in [
        ("array.flatten([1, [2, [3]], {4}])", "[1,2,[3],[4]]"),
        (r#"net.cidr_merge(["192.0.2.1", "192.0.3.0/24", "10.0.0.1/32"])"#, r#"["10.0.0.1/32","192.0.2.0/23"]"#),
        (r#"net.cidr_merge(["::/0", "1.1.1.0/24", "::/65"])"#, r#"["::/0"]"#),
        (r#"net.cidr_merge(["::/65", "::8000:0:0:0/65"])"#, r#"["::/64"]"#),
        (r#"net.cidr_merge(["100::/65", "100::8000:0:0:0/65"])"#, r#"["100::/64"]"#),
        (r#"net.cidr_merge(["::fffe:0:0/95", "::1:0:0:0/96"])"#, r#"["::1:0:0:0/96","::fffe:0:0/95"]"#),
        (r#"net.cidr_merge(["::fffe:0:0/96", "0.0.0.0/32"])"#, r#"["0.0.0.0/32","::fffe:0:0/96"]"#),
        (r#"net.cidr_merge(["::ffff:1.1.0.0/120"])"#, r#"["1.1.0.0/24"]"#),
        (r#"net.cidr_contains_matches({"k": "1.1.0.0/16"}, ["1.1.1.1", "2.2.2.2"])"#, r#"[["k",0]]"#),
        (r#"net.cidr_intersects("10.0.0.0/8", "10.1.2.0/24")"#, "true"),
        (r#"uri.parse("https://a.b:80/p%2Fq?x=1#f").raw_path"#, r#""/p%2Fq""#),
        (r#"strings.split_n("a,b,c", ",", -2)"#, r#"["b","c"]"#),
        (r#"strings.count("", "")"#, "1"),
        (r#"sprintf("%05.1f|%-4s|%x|%v", [3.14159, "é", 255, {"a"}])"#, r#""003.1|é   |ff|{\"a\"}""#),
        (
            r#"[count(sprintf(f, [0.5])) | some f in ["%.70000f", "%.70000F", "%.70000e", "%.70000E", "%.70000g"]]"#,
            "[70002,70002,70006,70006,3]",
        ),
        (r#"count(sprintf("%.*f", [70000, 0.5]))"#, "70002"),
        // Each as OPA 1.20.2 has it.
        (
            r#"sprintf("%.3x|%.14x|%#g|%# G|%#19.4G|%#+0.2x|%.0x", [65535.5, 99.99, 2.5, 99.99, -2.25, 561.5873652314649, 1.5])"#,
            r#""0x1.000p+16|0x1.8ff5c28f5c28f0p+06|2.50000| 99.9900|             -2.250|+0x1.19p+09|0x1p+01""#,
        ),
        (r#"sprintf("%.70000g", [0.1])"#, r#""0.1000000000000000055511151231257827021181583404541015625""#),
        (r#"[x | x := sprintf("%.1200e", [1e-300]); endswith(x, "000e-300"); count(x) == 1207] != []"#, "true"),
        (r#"regex.match(`^[\w-]{1,63}$`, "a-b_c")"#, "true"),
        (r#"regex.match("[a&&b]", "&")"#, "true"),
        (r#"regex.replace("ab", "(?P<n>a)", "<${n}$1x>")"#, r#""<a>b""#),
        (r#"regex.globs_match("a.*b", "[a-c]xb+")"#, "true"),
        (r#"glob.match("*.{com,org}", [], "api.org")"#, "true"),
        (r#"json.filter({"a": {"b": 1, "c": 2}}, ["/a/b"])"#, r#"{"a":{"b":1}}"#),
        (r#"json.remove({"a": [1, 2]}, ["/a/0"])"#, r#"{"a":[2]}"#),
        ("json.is_valid(1)", "false"),
        (r#"json.match_schema({"a": 1}, {"type": "object"})"#, "[true,[]]"),
        (r#"yaml.marshal({"a": 1})"#, r#""a: 1\n""#),
        (r#"yaml.marshal({"a": "no"})"#, r#""{\"a\":\"no\"}\n""#),
        (
            r#"yaml.marshal({"a": {1, "b"}, "on": [null, 0.5, true]})"#,
            r#""{\"a\":[1,\"b\"],\"on\":[null,0.5,true]}\n""#,
        ),
        (
            r#"[x | x := ["no", "Y", "1_000", "0b-1", "-_1", "0_1", "1:30", "2024-01-01", "0x10000000000000000", "~", "", "<<", "\u2028", "é😀", " a ", "a: b", "1e3", ".inf", "12", "null"][_]; yaml.unmarshal(yaml.marshal({x: [x]})) != {x: [x]}]"#,
            "[]",
        ),
        (
            "[x | x := [1e21, 1e-7, 0.1, -3, 12345678901234567890, 1.5e300, 100][_]; yaml.unmarshal(yaml.marshal(x)) != x]",
            "[]",
        ),
        (r#"base64.decode("YR==")"#, r#""a""#),
        (r#"semver.compare("v1.0.0", "1.0.0-rc.1")"#, "1"),
        (r#"units.parse("100m")"#, "0.1"),
        (
            r#"[units.parse("1K\u0130"), units.parse_bytes("1K\u0130"), units.parse_bytes("1\u212a\u0130B")]"#,
            "[1024,1024,1024]",
        ),
        ("numbers.range_step(0, 1, 18446744073709551616)", "[0]"),
        ("bits.lsh(1, 70)", "1180591620717411303424"),
        (r#"time.parse_duration_ns("1d2h")"#, "93600000000000"),
        (r#"time.format([0, "America/New_York", "Mon Jan _2 15:04 MST 2006é"])"#, r#""Wed Dec 31 19:00 EST 1969é""#),
        (r#"time.parse_ns("2006-01-02 -07", "2020-01-01 +02")"#, "1577829600000000000"),
        ("opa.runtime()", "{}"),
    ] {
        let result = value(expression, "").map(|value| serde_json::to_string(&value).unwrap());
        assert_eq!(result.as_deref(), Ok(expected), "{expression}");
    }
    for expression in [
        r#"regex.match("a**", "a")"#,
        r#"regex.match("(?x)a", "a")"#,
        r#"regex.match("\\p{Alphabetic}", "a")"#,
        "object.subset({}, [])",
        r#"to_number("0x10")"#,
        "numbers.range_step(1, 2, 0)",
        r#"time.parse_ns("2006-01-02", "2020-2-9")"#,
    ] {
        assert_eq!(value(expression, ""), Ok(Rego::Undefined), "{expression}");
    }
}

#[test]
fn what_would_never_end_is_an_error_at_once() {
    let (long, letters) = ("a".repeat(1 << 19), "a".repeat(1 << 12));
    for (expression, input) in [
        ("json.unmarshal(s)", "1e999999999"),
        ("json.unmarshal(s)", "{\"a\": [1, -1E+99999999]}"),
        ("to_number(s)", "1e999999999"),
        ("to_number(s)", "-1E99999999999999999999"),
        ("units.parse(s)", "1e999999999"),
        ("units.parse_bytes(s)", "1e999999999Ki"),
        ("numbers.range(1, 1000000000000)", ""),
        ("numbers.range(1000000000000, -1)", ""),
        ("numbers.range_step(1, 1000000000000, 1)", ""),
        ("net.cidr_expand(s)", "10.0.0.0/8"),
        ("net.cidr_expand(s)", "::/0"),
        ("bits.lsh(1, 4000000000)", ""),
        ("sprintf(s, [1, 1, 1, 1])", &"%9999999d".repeat(20)),
        ("replace(s, \"a\", s)", &long),
        ("replace(s, \"\", s)", &long),
        ("strings.replace_n({\"a\": s}, s)", &long),
        ("regex.replace(s, \"a\", s)", &long),
        ("concat(s, [c | some c in split(s, \"\")])", &letters.repeat(16)),
    ] {
        let started = Instant::now();
        let result = value(expression, input);
        assert!(result.is_err(), "{expression} gave {:?}", result.map(|value| value.to_string().len()));
        assert!(started.elapsed() < Duration::from_secs(20), "{expression}");
    }
}

#[test]
fn what_ends_is_as_without_a_bound() {
    for (expression, input, expected) in [
        ("json.unmarshal(s)", "{\"a\": [1e3, \"1e999999999\"]}", "{\"a\":[1000,\"1e999999999\"]}"),
        (
            "json.unmarshal(s)",
            r#"["\ud800", "a\ude00b", "\ud83d\ude00", "\ud800\ud83d\ude00", "\\ud800", "\\\ud800"]"#,
            "[\"\u{fffd}\",\"a\u{fffd}b\",\"😀\",\"\u{fffd}😀\",\"\\\\ud800\",\"\\\\\u{fffd}\"]",
        ),
        ("yaml.unmarshal(s)", "0cc175b9c0f1b6a831c399e269772661", "\"0cc175b9c0f1b6a831c399e269772661\""),
        ("yaml.unmarshal(s)", "[1e999999999, 1e-99999, -1E+0400, 3e0002]", "[\"1e999999999\",0,\"-1E+0400\",300]"),
        ("to_number(s)", "12", "12"),
        ("units.parse_bytes(s)", "2Ki", "2048"),
        ("numbers.range(3, 1)", "", "[3,2,1]"),
        ("count(numbers.range(1, 100000))", "", "100000"),
        ("count(net.cidr_expand(s))", "10.0.0.0/24", "256"),
        ("bits.lsh(1, 70)", "", "1180591620717411303424"),
        ("count(sprintf(s, [7]))", "%05000d", "5000"),
        (
            "sprintf(s, [1.5, 1.5, 0.1, 0.5, 1.5])",
            "%#x|%#X|%#.2g|%#g|%.0x",
            "\"0x1.8000p+00|0X1.8P+00|0.10|0.500000|0x1p+01\"",
        ),
        (
            "sprintf(s, [255.75, 0.1, 0.5, 0.00001])",
            "%.3x|%.20x|%#.0f|%#G",
            "\"0x1.ff8p+07|0x1.999999999999a0000000p-04|0.|1.00000E-05\"",
        ),
        ("sprintf(s, [7, \"x\"])", "%03d %s", "\"007 x\""),
        ("replace(s, \"a\", \"b\")", "aXa", "\"bXb\""),
        ("concat(\",\", [s, s])", "a", "\"a,a\""),
        ("regex.replace(s, \"a+\", \"b\")", "caat", "\"cbt\""),
        ("strings.any_prefix_match(s, [\"x\", \"a\"])", "abc", "true"),
        ("strings.any_suffix_match([s], \"x\")", "abc", "false"),
    ] {
        assert_eq!(
            value(expression, input).map(|value| serde_json::to_string(&value).unwrap()).as_deref(),
            Ok(expected),
            "{expression}"
        );
    }
    // Undefined, as in OPA, and not an error.
    for (expression, input) in [("json.unmarshal(s)", "{"), ("to_number(s)", "x"), ("net.cidr_expand(s)", "nothing")] {
        assert_eq!(value(expression, input), Ok(Rego::Undefined), "{expression}");
    }
}

#[test]
fn yaml_that_takes_minutes_is_refused() {
    assert!(value("yaml.unmarshal(s)", "[[1]]").is_ok());
    for (expression, depth) in [("yaml.unmarshal(s)", 100_000), ("yaml.is_valid(s)", 100_000)] {
        assert!(value(expression, &"[".repeat(depth)).is_err(), "{expression}");
    }
}

/// OPA tells bytes apart that are not UTF-8, and ours would all be one; so with what Go reads and nobody else does.
#[test]
fn what_ours_can_not_tell_apart_ends_the_evaluation() {
    for (expression, cause) in [
        ("base64.decode(\"/w==\")", "not UTF-8"),
        ("base64url.decode(\"_w\")", "not UTF-8"),
        ("hex.decode(\"ff\")", "not UTF-8"),
        ("not hex.decode(\"ff\")", "not UTF-8"),
        ("urlquery.decode(\"%ff\")", "not UTF-8"),
        ("urlquery.decode_object(\"a=%ff\")", "not UTF-8"),
        ("urlquery.decode_object(\"%ff=a\")", "not UTF-8"),
        ("uri.parse(\"http://a/%ff\")", "not UTF-8"),
        ("uri.parse(\"http://a/#%ff\")", "not UTF-8"),
        ("uri.is_valid(\"http://a/%ff\")", "not UTF-8"),
        ("replace(\"\u{e9}\", \"\", \"x\")", "not UTF-8"),
        ("strings.replace_n({\"\": \"x\"}, \"\u{e9}\")", "not UTF-8"),
        ("strings.render_template(`{{slice .x 0 1}}`, {\"x\": \"\u{e9}\"})", "not UTF-8"),
        ("yaml.marshal(1e309)", "too large for YAML"),
        ("not yaml.marshal([-1e400])", "too large for YAML"),
        ("not net.cidr_merge([\"::fffe:0:0/95\", \"1.1.1.1/32\"])", "can't write"),
        ("not net.cidr_merge([\"0.0.0.0/0\", \"::1:0:0:0/96\"])", "can't write"),
        ("net.cidr_merge([\"64:ff9b::/97\", \"64:ff9b::8000:0/97\"])", "can't write"),
        ("net.cidr_merge([\"::1.0.0.0/105\", \"::1.128.0.0/105\"])", "can't write"),
        ("net.cidr_merge([\"::1:0:0:0/80\", \"::2:0:0:0/79\"])", "can't write"),
        ("net.cidr_merge([\"::ffff:1.1.0.0/120\", \"1.1.1.0/24\"])", "written as IPv6"),
        ("to_number(\"0x1p3\")", "hexadecimal"),
        ("to_number(\"-0X1.8P1\")", "hexadecimal"),
        ("time.clock([4118094000000000000, \"America/New_York\"])", "1900 to 2099"),
        ("time.add_date([1700000000000000000, \"America/New_York\"], 200, 0, 0)", "1900 to 2099"),
        ("time.diff([1700000000000000000, \"America/New_York\"], 4118094000000000000)", "1900 to 2099"),
        ("time.add_date(0, 0, 0, 9223372036854775807)", "can't be added"),
        ("semver.compare(\"1.0.0-9223372036854775808\", \"1.0.0-9223372036854775809\")", "18 digits"),
    ] {
        let asked = expression.strip_prefix("not ").map_or(expression.to_owned(), |call| format!("true; not {call}"));
        // What ends an evaluation is kept for its thread.
        let error = std::thread::spawn(move || value(&asked, "")).join().unwrap().expect_err(expression);
        assert!(error.contains(cause), "{expression}: {error}");
    }
}
