//! How much a value is, without looking at all of it.

use regorus::Value as Rego;

use crate::policy::{
    budget::Spent,
    rego::lower::{BASE_ELEMENT, BASE_MERGED, COLLECTION, ELEMENT, IS_SHAPED, MADE, SHAPED},
};

/// How much may be looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Limit {
    /// Nodes, and each 64 bytes of text.
    pub(in crate::policy) weight: usize,
    /// Levels.
    pub(in crate::policy) depth: usize,
}

/// Bytes of text that weigh as much as a node.
pub(in crate::policy) const NODE: usize = 64;

/// Built-ins whose time does not depend on how large their arguments are.
const CONSTANT: [&str; 24] = [
    COLLECTION,
    ELEMENT,
    BASE_ELEMENT,
    // Counts what it makes itself.
    BASE_MERGED,
    MADE,
    SHAPED,
    IS_SHAPED,
    "count",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "type_name",
    "object.get",
    "time.now_ns",
    "time.clock",
    "time.date",
    "time.weekday",
    "time.add_date",
    "time.diff",
    "opa.runtime",
];

/// Built-ins that wait for something else than the processor.
const WAITING: [&str; 3] = ["http.send", "net.lookup_ip_addr", "test.sleep"];

/// What is known of a built-in before it is called. Made once for each: names are not compared at every call.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Kind {
    /// Its name in Rego.
    pub(in crate::policy) name: &'static str,
    /// Whether its time does not depend on how large its arguments are.
    pub(super) is_constant: bool,
    /// Whether it waits for something else than the processor.
    pub(super) waits: bool,
    // What is known to be made of its arguments.
    makes: Option<fn(&[Rego]) -> usize>,
    patches: bool,
}

impl Kind {
    /// That of the built-in of this name.
    pub(in crate::policy) fn of(name: &'static str) -> Self {
        Self {
            name,
            is_constant: CONSTANT.contains(&name),
            waits: WAITING.contains(&name),
            makes: makes(name),
            patches: name == "json.patch",
        }
    }

    /// Whether the arguments of a call are within `limit`, with what is known to be made of them.
    pub(super) fn weigh(&self, arguments: &[Rego], limit: Limit) -> Result<(), Spent> {
        let mut left = limit.weight;
        for argument in arguments {
            take(argument, &mut left, limit.depth)?;
        }
        if self.patches && copies(arguments).is_none_or(|made| made > 1 << 20) {
            return Err(Spent::Work);
        }
        let Some(makes) = self.makes else { return Ok(()) };
        // The bounds of the built-ins say what is too much; this says only what is much.
        if limit.weight < 1 << 16 && makes(arguments) > left { Err(Spent::Work) } else { Ok(()) }
    }
}

/// What a built-in is known to make of its arguments, where that is more than they are.
fn makes(name: &str) -> Option<fn(&[Rego]) -> usize> {
    Some(match name {
        "numbers.range" | "numbers.range_step" => |of| {
            let step = number(of, 2).map_or(1, i128::unsigned_abs).max(1);
            let length = number(of, 0).zip(number(of, 1)).map_or(u128::MAX, |(from, to)| from.abs_diff(to) / step);
            usize::try_from(length).unwrap_or(usize::MAX)
        },
        "bits.lsh" => |of| number(of, 1).map_or(usize::MAX, |by| usize::try_from(by).unwrap_or(0) / NODE),
        // Each character of the text may have to be tried at each place of the pattern.
        "regex.match"
        | "regex.split"
        | "regex.find_n"
        | "regex.find_all_string_submatch_n"
        | "regex.template_match" => |of| product(text(of, 0), text(of, 1)) / NODE,
        "regex.is_valid" => |of| text(of, 0).saturating_mul(8) / NODE,
        "regex.replace" => |of| product(text(of, 0), product(text(of, 1), text(of, 2).max(1))) / NODE,
        // Behind each `*`, all of the text may have to be looked at from each of its characters.
        "glob.match" => |of| product(text(of, 0).max(product(stars(of), text(of, 2))), text(of, 2)) / NODE,
        "replace" => |of| product(text(of, 0), text(of, 2)) / text(of, 1).max(1) / NODE,
        "sprintf" => |of| width(of) / NODE,
        "strings.any_prefix_match" | "strings.any_suffix_match" => |of| product(count(of, 0), count(of, 1)),
        "net.cidr_expand" | "graph.reachable_paths" => |_| 8_192,
        "product" | "json.patch" => |of| count(of, 0).max(count(of, 1)).saturating_mul(64),
        "concat" => |of| product(text(of, 0), count(of, 1)) / NODE,
        _ => return None,
    })
}

fn number(arguments: &[Rego], at: usize) -> Option<i128> {
    arguments.get(at).and_then(|number| number.as_i128().ok())
}

fn text(arguments: &[Rego], at: usize) -> usize {
    match arguments.get(at) {
        Some(Rego::String(text)) => text.len(),
        _ => 0,
    }
}

fn stars(arguments: &[Rego]) -> usize {
    match arguments.first() {
        Some(Rego::String(text)) => text.bytes().filter(|byte| *byte == b'*').count(),
        _ => 0,
    }
}

/// Whether a value is within `limit`, or which budget it exceeds.
pub(in crate::policy) fn weigh(value: &Rego, limit: Limit) -> Result<(), Spent> {
    let mut left = limit.weight;
    take(value, &mut left, limit.depth)
}

/// The weight of a value without what is in it.
pub(super) fn top(value: &Rego) -> usize {
    match value {
        Rego::String(text) => text.len() / NODE,
        Rego::Array(items) => items.len(),
        Rego::Set(items) => items.len(),
        Rego::Object(members) => members.len(),
        _ => 0,
    }
}

fn spend(left: &mut usize, weight: usize) -> bool {
    let rest = left.checked_sub(weight);
    *left = rest.unwrap_or(0);
    rest.is_some()
}

fn take(value: &Rego, left: &mut usize, depth: usize) -> Result<(), Spent> {
    let Some(below) = depth.checked_sub(1) else { return Err(Spent::Stack) };
    let weight = match value {
        Rego::String(text) => 1 + text.len() / NODE,
        _ => 1,
    };
    if !spend(left, weight) {
        return Err(Spent::Work);
    }
    match value {
        Rego::Array(items) => items.iter().try_for_each(|item| take(item, left, below)),
        Rego::Set(items) => items.iter().try_for_each(|item| take(item, left, below)),
        Rego::Object(members) => members.iter().try_for_each(|(key, item)| {
            take(key, left, below)?;
            take(item, left, below)
        }),
        _ => Ok(()),
    }
}

/// How large a document can be after a patch: each copy can double it.
fn copies(arguments: &[Rego]) -> Option<usize> {
    let Some(Rego::Array(patches)) = arguments.get(1) else { return Some(0) };
    let operation = Rego::from("op");
    let doubles =
        |patch: &&Rego| matches!(patch, Rego::Object(members) if members.get(&operation) == Some(&Rego::from("copy")));
    let copies = u32::try_from(patches.iter().filter(doubles).count()).ok()?;
    2_usize.checked_pow(copies)
}

fn product(one: usize, other: usize) -> usize {
    one.saturating_mul(other)
}

fn count(arguments: &[Rego], at: usize) -> usize {
    match arguments.get(at) {
        Some(Rego::Array(items)) => items.len(),
        Some(Rego::Set(items)) => items.len(),
        _ => 1,
    }
}

/// The digits of a format, as if they were one width.
fn width(arguments: &[Rego]) -> usize {
    let Some(Rego::String(format)) = arguments.first() else { return 0 };
    let mut most = 0_usize;
    let mut number = 0_usize;
    for byte in format.bytes() {
        number =
            if byte.is_ascii_digit() { number.saturating_mul(10).saturating_add(usize::from(byte - b'0')) } else { 0 };
        most = most.max(number);
    }
    most
}
