//! Layouts: texts in which Go's reference time, 2 January 2006, 15:04:05 -0700, stands for its parts.

use std::fmt::Write as _;

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};

pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A part of a moment, as a layout has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `January`, `Jan`, `01`, `1`.
    Month(Width),
    /// `Monday`, `Mon`.
    Weekday(Width),
    /// `02`, `_2`, `2`.
    Day(Width),
    /// `002`, `__2`.
    DayOfYear(Width),
    /// `15`.
    Hour,
    /// `03`, `3`.
    Hour12(Width),
    Minute(Width),
    Second(Width),
    /// `2006`, `06`.
    Year(Width),
    /// `PM`, `pm`.
    Half {
        upper: bool,
    },
    /// `MST`.
    ZoneName,
    /// `-07`, `-0700` …: what follows the hours, and whether UTC is `Z`.
    Zone {
        colon: bool,
        minutes: bool,
        seconds: bool,
        z: bool,
    },
    /// `.000`, `.999`: how many digits, and whether zeros at the end are left out.
    Fraction {
        digits: usize,
        trimmed: bool,
        comma: bool,
    },
}

/// In how many places a part is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Long,
    Short,
    /// Digits, as many as there are.
    Plain,
    /// Digits, zeros before them.
    Zeros,
    /// Digits, spaces before them.
    Spaces,
}

/// The first part of a layout: what is before it, the part, what is after it.
pub(super) fn next(layout: &str) -> (&str, Option<Part>, &str) {
    for (at, _) in layout.char_indices() {
        let rest = layout.get(at..).unwrap_or_default();
        let before = layout.get(..at).unwrap_or_default();
        if let Some((part, length)) = part(rest) {
            return (before, Some(part), rest.get(length..).unwrap_or_default());
        }
        // `_2006` is an underscore and a year.
        if rest.starts_with("_2006") {
            let split = at + 1;
            let (before, rest) = (layout.get(..split), layout.get(split + 4..));
            return (before.unwrap_or_default(), Some(Part::Year(Width::Long)), rest.unwrap_or_default());
        }
    }
    (layout, None, "")
}

fn part(rest: &str) -> Option<(Part, usize)> {
    use Width::{Long, Plain, Short, Spaces, Zeros};
    const NAMED: [(&str, Part); 23] = [
        ("January", Part::Month(Long)),
        ("Jan", Part::Month(Short)),
        ("Monday", Part::Weekday(Long)),
        ("Mon", Part::Weekday(Short)),
        ("MST", Part::ZoneName),
        ("002", Part::DayOfYear(Zeros)),
        ("01", Part::Month(Zeros)),
        ("02", Part::Day(Zeros)),
        ("03", Part::Hour12(Zeros)),
        ("04", Part::Minute(Zeros)),
        ("05", Part::Second(Zeros)),
        ("06", Part::Year(Short)),
        ("15", Part::Hour),
        ("1", Part::Month(Plain)),
        ("2006", Part::Year(Long)),
        ("2", Part::Day(Plain)),
        ("__2", Part::DayOfYear(Spaces)),
        ("_2", Part::Day(Spaces)),
        ("3", Part::Hour12(Plain)),
        ("4", Part::Minute(Plain)),
        ("5", Part::Second(Plain)),
        ("PM", Part::Half { upper: true }),
        ("pm", Part::Half { upper: false }),
    ];
    if let Some(digits) = rest.strip_prefix(['.', ',']) {
        let digit = digits.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
        let count = digits.chars().take_while(|next| *next == digit).count();
        if digits.get(count..)?.starts_with(|next: char| next.is_ascii_digit()) {
            return None;
        }
        return Some((
            Part::Fraction { digits: count, trimmed: digit == '9', comma: rest.starts_with(',') },
            count + 1,
        ));
    }
    if let Some(zone) = rest.strip_prefix(['Z', '-']) {
        let z = rest.starts_with('Z');
        let forms = [("070000", false, true), ("07:00:00", true, true), ("0700", false, false), ("07:00", true, false)];
        if let Some((form, colon, seconds)) = forms.into_iter().find(|(form, ..)| zone.starts_with(form)) {
            return Some((Part::Zone { colon, minutes: true, seconds, z }, form.len() + 1));
        }
        let hours = Part::Zone { colon: false, minutes: false, seconds: false, z };
        return zone.starts_with("07").then_some((hours, 3));
    }
    let (name, part) = NAMED.iter().find(|(name, part)| {
        let short = matches!(part, Part::Month(Short) | Part::Weekday(Short));
        let after = rest.strip_prefix(name);
        after.is_some_and(|after| !short || !after.starts_with(|next: char| next.is_ascii_lowercase()))
    })?;
    if *name == "_2" && rest.starts_with("_2006") {
        return None;
    }
    Some((*part, name.len()))
}

/// A moment in a layout: what clocks show, the seconds east of UTC, and the zone's name.
pub(super) fn format(layout: &str, local: NaiveDateTime, offset: i32, zone: &str) -> String {
    let mut made = String::new();
    let mut rest = layout;
    loop {
        let (before, part, after) = next(rest);
        made.push_str(before);
        let Some(part) = part else { return made };
        write(&mut made, part, local, offset, zone);
        rest = after;
    }
}

fn write(made: &mut String, part: Part, local: NaiveDateTime, offset: i32, zone: &str) {
    let name = |names: &[&'static str], at: u32, width: Width| {
        let name = usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default();
        if width == Width::Short { name.get(..3).unwrap_or(name) } else { name }
    };
    let mut number = |number: u32, width: Width, places: usize| {
        let _ = match width {
            Width::Zeros => write!(made, "{number:0places$}"),
            Width::Spaces => write!(made, "{number:places$}"),
            _ => write!(made, "{number}"),
        };
    };
    match part {
        Part::Month(width @ (Width::Long | Width::Short)) => made.push_str(name(&MONTHS, local.month0(), width)),
        Part::Month(width) => number(local.month(), width, 2),
        Part::Weekday(width) => made.push_str(name(&DAYS, local.weekday().num_days_from_monday(), width)),
        Part::Day(width) => number(local.day(), width, 2),
        Part::DayOfYear(width) => number(local.ordinal(), width, 3),
        Part::Hour => number(local.hour(), Width::Zeros, 2),
        Part::Hour12(width) => number(local.hour12().1, width, 2),
        Part::Minute(width) => number(local.minute(), width, 2),
        Part::Second(width) => number(local.second(), width, 2),
        Part::Year(Width::Long) => {
            let _ = write!(made, "{:04}", local.year());
        }
        Part::Year(_) => number(local.year().unsigned_abs() % 100, Width::Zeros, 2),
        Part::Half { upper } => made.push_str(match (local.hour() >= 12, upper) {
            (true, true) => "PM",
            (true, false) => "pm",
            (false, true) => "AM",
            (false, false) => "am",
        }),
        Part::ZoneName => made.push_str(zone),
        Part::Zone { z: true, .. } if offset == 0 => made.push('Z'),
        Part::Zone { colon, minutes, seconds, .. } => {
            let sign = if offset < 0 { '-' } else { '+' };
            let offset = offset.unsigned_abs();
            let colon = if colon { ":" } else { "" };
            let _ = write!(made, "{sign}{:02}", offset / 3600);
            if minutes {
                let _ = write!(made, "{colon}{:02}", offset / 60 % 60);
            }
            if seconds {
                let _ = write!(made, "{colon}{:02}", offset % 60);
            }
        }
        Part::Fraction { digits, trimmed, comma } => {
            let nanoseconds = format!("{:09}", local.nanosecond() % 1_000_000_000);
            let shown = nanoseconds.get(..digits.min(9)).unwrap_or_default();
            let shown = if trimmed { shown.trim_end_matches('0') } else { shown };
            if !shown.is_empty() {
                let _ = write!(made, "{}{shown}", if comma { ',' } else { '.' });
            }
        }
    }
}
