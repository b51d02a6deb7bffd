//! Values written as Rego terms: what OPA shows of them in texts.

use regorus::Value as Rego;

use super::super::order::sorted;

/// The most characters; what is longer is cut.
const MAX_LENGTH: usize = 16 << 20;

/// `value` as Rego: `{"a", 1}`, `set()`.
pub(super) fn written(value: &Rego) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Rego, text: &mut String) {
    if text.len() > MAX_LENGTH {
        return;
    }
    match value {
        Rego::Array(items) => list(items.iter(), ["[", "]"], text),
        Rego::Set(items) if items.is_empty() => text.push_str("set()"),
        Rego::Set(items) => list(sorted(items).into_iter(), ["{", "}"], text),
        Rego::Object(members) => {
            text.push('{');
            for (number, (key, item)) in members.iter_sorted().enumerate() {
                text.push_str(if number > 0 { ", " } else { "" });
                write(key, text);
                text.push_str(": ");
                write(item, text);
            }
            text.push('}');
        }
        scalar => text.push_str(&serde_json::to_string(scalar).unwrap_or_default()),
    }
}

fn list<'a>(items: impl Iterator<Item = &'a Rego>, [open, close]: [&str; 2], text: &mut String) {
    text.push_str(open);
    for (number, item) in items.enumerate() {
        text.push_str(if number > 0 { ", " } else { "" });
        write(item, text);
    }
    text.push_str(close);
}
