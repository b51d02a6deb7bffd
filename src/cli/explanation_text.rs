//! Why an answer is what it is, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use verdict::{
    decision::{ConditionTrace, Explanation, Need, RuleOutcome, RuleTrace, Seen, SourcePosition},
    policy::printable,
};

/// The most misses, and the most rules that held, that people are shown; JSON has all.
const MISSED: usize = 8;
const HELD: usize = 24;

/// The most characters of a value that people are shown; JSON has more.
const WIDE: usize = 160;

/// For people: what held, or what came nearest, each with its line of the source and a caret.
pub(super) fn text(explanation: &Explanation) -> String {
    let Explanation { rules, fired, missed, note } = explanation;
    let mut out = String::new();
    if !missed.is_empty() {
        out.push_str("  missed, the nearest first:\n");
        missed.iter().take(MISSED).for_each(|trace| miss(&mut out, trace));
        more(&mut out, missed.len(), MISSED);
    }
    if !fired.is_empty() {
        out.push_str("  held:\n");
        fired.iter().take(HELD).for_each(|trace| hit(&mut out, trace));
        more(&mut out, fired.len(), HELD);
    }
    // What was missed and what held says more, and has the values; JSON has both.
    if missed.is_empty() && fired.is_empty() && !rules.is_empty() {
        out.push_str("  rules:\n");
        for outcome in rules {
            rule(&mut out, outcome);
        }
    }
    if !note.is_empty() {
        line(&mut out, 2, &format!("note: {note}"));
    }
    out
}

fn rule(out: &mut String, RuleOutcome { rule, position, value }: &RuleOutcome) {
    let value = match value {
        Ok(Some(json)) => json.clone(),
        Ok(None) => "undefined".to_owned(),
        Err(error) => format!("error: {error}"),
    };
    line(out, 4, &format!("{rule} = {value}{}", place(position.as_ref())));
}

/// For programs: the members of `verdict.v1.Explanation`, in the names of its fields.
pub(super) fn json(explanation: &Explanation) -> Json {
    let Explanation { rules, fired, missed, note } = explanation;
    json!({
        "rules": rules.iter().map(outcome_json).collect::<Json>(),
        "fired": fired.iter().map(trace_json).collect::<Json>(),
        "missed": missed.iter().map(trace_json).collect::<Json>(),
        "note": note,
    })
}

/// A place, beside the other members.
pub(super) fn placed(mut out: Json, position: Option<&SourcePosition>) -> Json {
    if let (Some(position), Some(members)) = (position, out.as_object_mut()) {
        let place = json!({"file": &*position.file, "line": position.line, "column": position.column});
        members.insert("position".to_owned(), place);
    }
    out
}

fn miss(out: &mut String, trace: &RuleTrace) {
    let came = format!("{} of {} conditions held", trace.held, trace.total);
    let attempts = if trace.attempts > 1 { format!(", in each of {} attempts", trace.attempts) } else { String::new() };
    line(out, 4, &format!("{}{}: {came}{attempts}", name(trace), place(trace.position.as_ref())));
    if let Some(condition) = trace.conditions.iter().find(|condition| !condition.held) {
        source(out, condition);
    }
    for Need { rule, text, position } in &trace.needed_by {
        line(out, 6, &format!("needed by {rule}: {}{}", one_line(text), place(position.as_ref())));
    }
}

fn hit(out: &mut String, trace: &RuleTrace) {
    let value = trace.value.as_ref().map(|seen| format!(" = {}", value(seen))).unwrap_or_default();
    line(out, 4, &format!("{}{value}{}", name(trace), place(trace.position.as_ref())));
    for condition in &trace.conditions {
        let number = condition.position.as_ref().map(|position| format!("{}: ", position.line)).unwrap_or_default();
        line(out, 6, &format!("{number}{}", one_line(&condition.text)));
        values(out, condition);
    }
}

/// How far a condition is underlined.
const MOST_CARETS: usize = 100;

/// The line of the source, a caret below the condition, and what was wrong with it.
fn source(out: &mut String, condition: &ConditionTrace) {
    let Some(position) = &condition.position else { return };
    let number = position.line.to_string();
    let margin = " ".repeat(number.len());
    line(out, 6, &format!("{margin} ╭ {position}"));
    let shown = condition.line.replace('\t', "    ");
    line(out, 6, &format!("{number} │ {shown}"));
    let before = usize::try_from(position.column.saturating_sub(1)).unwrap_or(0);
    let width = usize::try_from(condition.width.max(1)).unwrap_or(1);
    let columns = |text: &str| text.chars().map(|one| if one == '\t' { 4 } else { 1 }).sum::<usize>();
    let lead: String = condition.line.chars().take(before).collect();
    let marked: String = condition.line.chars().skip(before).take(width).collect();
    let caret = "^".repeat(columns(&marked).clamp(1, MOST_CARETS));
    line(out, 6, &format!("{margin} │ {}{caret} {}", " ".repeat(columns(&lead)), condition.message));
    values(out, condition);
}

fn values(out: &mut String, condition: &ConditionTrace) {
    for seen in &condition.values {
        line(out, 8, &format!("{} = {}", one_line(&seen.expression), value(seen)));
    }
}

fn name(trace: &RuleTrace) -> String {
    let arguments: Vec<String> =
        trace.arguments.iter().map(|seen| format!("{} = {}", seen.expression, value(seen))).collect();
    let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
    let title = if trace.title.is_empty() { String::new() } else { format!(" \"{}\"", trace.title) };
    format!("{}{arguments}{title}", trace.rule)
}

fn value(seen: &Seen) -> String {
    let value = seen.value.as_deref().unwrap_or("undefined");
    match value.char_indices().nth(WIDE) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

fn place(position: Option<&SourcePosition>) -> String {
    position.map(|position| format!("  ({position})")).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn more(out: &mut String, count: usize, shown: usize) {
    if count > shown {
        line(out, 4, &format!("and {} more; `--json` has them", count - shown));
    }
}

/// A line in which nothing controls the terminal, nor begins another.
fn line(out: &mut String, indent: usize, text: &str) {
    let text = printable(text).replace('\n', " ");
    let _ = writeln!(out, "{:indent$}{}", "", text.trim_end());
}

fn outcome_json(outcome: &RuleOutcome) -> Json {
    let out = json!({
        "rule": &*outcome.rule,
        "defined": matches!(outcome.value, Ok(Some(_))),
        "value_json": outcome.value.as_ref().ok().and_then(Option::as_deref).unwrap_or_default(),
        "error": outcome.value.as_ref().err().map(String::as_str).unwrap_or_default(),
    });
    placed(out, outcome.position.as_ref())
}

fn trace_json(trace: &RuleTrace) -> Json {
    let needs = trace.needed_by.iter().map(|need| {
        let out = json!({"rule": &*need.rule, "text": need.text});
        placed(out, need.position.as_ref())
    });
    let mut out = json!({
        "rule": &*trace.rule,
        "title": trace.title,
        "arguments": trace.arguments.iter().map(seen_json).collect::<Json>(),
        "conditions": trace.conditions.iter().map(condition_json).collect::<Json>(),
        "held": trace.held,
        "total": trace.total,
        "attempts": trace.attempts,
        "nearness": trace.nearness,
        "needed_by": needs.collect::<Json>(),
    });
    if let (Some(value), Some(members)) = (&trace.value, out.as_object_mut()) {
        members.insert("value".to_owned(), seen_json(value));
    }
    placed(out, trace.position.as_ref())
}

fn condition_json(condition: &ConditionTrace) -> Json {
    let out = json!({
        "text": condition.text,
        "line": condition.line,
        "width": condition.width,
        "held": condition.held,
        "message": condition.message,
        "values": condition.values.iter().map(seen_json).collect::<Json>(),
    });
    placed(out, condition.position.as_ref())
}

fn seen_json(seen: &Seen) -> Json {
    json!({
        "expression": seen.expression,
        "defined": seen.value.is_some(),
        "value_json": seen.value.as_deref().unwrap_or_default(),
    })
}
