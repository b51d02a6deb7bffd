//! Values as Rego writes them, as far as anybody reads them.

use regorus::Value as Rego;

/// The longest text, in bytes, before it is cut.
const LONGEST: usize = 2_048;
/// How deep it is told what is inside of what.
const DEEPEST: usize = 32;

/// The value as a Rego term; what is too long or too deep ends in `…`.
pub(super) fn of(value: &Rego) -> String {
    let mut out = String::new();
    write(value, DEEPEST, &mut out);
    if out.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(end);
        out.push('…');
    }
    out
}

fn write(value: &Rego, deep: usize, out: &mut String) {
    let Some(deep) = deep.checked_sub(1) else {
        out.push('…');
        return;
    };
    match value {
        Rego::Array(items) => list(out, ["[", "]"], items.iter(), |item, out| write(item, deep, out)),
        Rego::Set(items) if items.is_empty() => out.push_str("set()"),
        Rego::Set(items) => list(out, ["{", "}"], items.iter_sorted(), |item, out| write(item, deep, out)),
        Rego::Object(members) => list(out, ["{", "}"], members.iter_sorted(), |(key, member), out| {
            write(key, deep, out);
            out.push_str(": ");
            write(member, deep, out);
        }),
        Rego::Undefined => out.push_str("undefined"),
        other => out.push_str(&other.to_json_str().unwrap_or_default()),
    }
}

fn list<T>(out: &mut String, ends: [&str; 2], items: impl Iterator<Item = T>, mut one: impl FnMut(T, &mut String)) {
    out.push_str(ends[0]);
    for (at, item) in items.enumerate() {
        if out.len() > LONGEST {
            return;
        }
        if at > 0 {
            out.push_str(", ");
        }
        one(item, out);
    }
    out.push_str(ends[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_rego_reads_and_no_more_than_is_read() {
        let set = Rego::from(std::collections::BTreeSet::from([Rego::from("b"), Rego::from(1_u64)]));
        assert_eq!(of(&set), r#"{1, "b"}"#);
        assert_eq!(of(&Rego::new_set()), "set()");
        assert_eq!(of(&Rego::from_json_str(r#"{"a":[null,{"b":true}]}"#).unwrap()), r#"{"a": [null, {"b": true}]}"#);
        let deep = Rego::from_json_str(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).unwrap();
        assert!(of(&deep).contains('…'));
        let long = Rego::from_json_str(&format!("[{}1]", "\"é\",".repeat(10_000))).unwrap();
        assert!(of(&long).len() < LONGEST + 10);
    }
}
