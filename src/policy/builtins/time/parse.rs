//! Texts in a layout, read as Go's `time.Parse` reads them.

use super::{
    days, days_in,
    layout::{DAYS, MONTHS, Part, Width, next},
};

/// What is read so far.
#[derive(Default)]
struct Fields {
    year: i32,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: u32,
    /// Where both halves of the day are read, this one counts.
    afternoon: bool,
    morning: bool,
    /// Seconds east of UTC.
    offset: i64,
    /// `UTC` or `Z` was read: no offset counts.
    utc: bool,
}

/// The seconds since 1970, and the nanoseconds after them. A zone's name other than UTC says nothing.
pub(in crate::policy::builtins) fn parse(layout: &str, value: &str) -> Result<(i128, u32), String> {
    let fault = || format!("parsing time {value:?} as {layout:?}");
    let mut fields = Fields::default();
    let (mut layout_rest, mut rest) = (layout, value);
    loop {
        let (before, part, after) = next(layout_rest);
        rest = skip(before, rest).ok_or_else(fault)?;
        let Some(part) = part else { break };
        layout_rest = after;
        rest = fields.read(part, rest, layout_rest).ok_or_else(fault)?;
    }
    if !rest.is_empty() {
        return Err(format!("{}: extra text", fault()));
    }
    fields.moment().ok_or_else(fault)
}

/// `value` without `prefix`, in which a space stands for any number of them.
fn skip<'a>(mut prefix: &str, mut value: &'a str) -> Option<&'a str> {
    while let Some(character) = prefix.chars().next() {
        if character == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return None;
            }
            (prefix, value) = (prefix.trim_start_matches(' '), value.trim_start_matches(' '));
            continue;
        }
        value = value.strip_prefix(character)?;
        prefix = prefix.strip_prefix(character)?;
    }
    Some(value)
}

/// A number of one digit up to `most`, or of exactly so many.
fn number(value: &str, most: usize, fixed: bool) -> Option<(u32, &str)> {
    let digits = value.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits == 0 || fixed && digits < most {
        return None;
    }
    let (digits, rest) = value.split_at(digits);
    Some((digits.parse().ok()?, rest))
}

fn name<'a>(names: &[&str], width: Width, value: &'a str) -> Option<(u32, &'a str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = if width == Width::Short { name.get(..3)? } else { name };
        let (start, rest) = value.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some((u32::try_from(at).ok()?, rest))
    })
}

/// A point or a comma, and the digits after it as nanoseconds.
fn fraction(value: &str, digits: usize) -> Option<(u32, &str)> {
    let (digits, rest) = value.strip_prefix(['.', ','])?.split_at_checked(digits)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let shown = digits.get(..digits.len().min(9))?;
    Some((format!("{shown:0<9}").parse().ok()?, rest))
}

fn fraction_digits(value: &str) -> usize {
    value.bytes().skip(1).take_while(u8::is_ascii_digit).count()
}

impl Fields {
    fn read<'a>(&mut self, part: Part, value: &'a str, layout: &str) -> Option<&'a str> {
        let below = |read: Option<(u32, &'a str)>, most: u32| read.filter(|(number, _)| *number < most);
        let fixed = |width: Width| width == Width::Zeros;
        let rest;
        match part {
            Part::Year(Width::Long) => {
                let year;
                (year, rest) = number(value, 4, true)?;
                self.year = i32::try_from(year).ok()?;
            }
            Part::Year(_) => {
                let year;
                (year, rest) = number(value, 2, true)?;
                self.year = i32::try_from(year).ok()? + if year >= 69 { 1900 } else { 2000 };
            }
            Part::Month(width @ (Width::Long | Width::Short)) => {
                let month;
                (month, rest) = name(&MONTHS, width, value)?;
                self.month = Some(month + 1);
            }
            Part::Month(width) => {
                let month;
                (month, rest) = below(number(value, 2, fixed(width)), 13).filter(|(month, _)| *month > 0)?;
                self.month = Some(month);
            }
            Part::Weekday(width) => (_, rest) = name(&DAYS, width, value)?,
            Part::Day(width) => {
                let value = if width == Width::Spaces { value.strip_prefix(' ').unwrap_or(value) } else { value };
                let day;
                (day, rest) = number(value, 2, fixed(width))?;
                self.day = Some(day);
            }
            Part::DayOfYear(width) => {
                let spaces = value.bytes().take(2).take_while(|byte| *byte == b' ').count();
                let value = if width == Width::Spaces { value.get(spaces..)? } else { value };
                let day;
                (day, rest) = number(value, 3, fixed(width))?;
                self.day_of_year = Some(day);
            }
            Part::Hour => (self.hour, rest) = below(number(value, 2, false), 24)?,
            Part::Hour12(width) => (self.hour, rest) = below(number(value, 2, fixed(width)), 13)?,
            Part::Minute(width) => (self.minute, rest) = below(number(value, 2, fixed(width)), 60)?,
            Part::Second(width) => {
                let after;
                (self.second, after) = below(number(value, 2, fixed(width)), 60)?;
                // A fraction may follow though the layout has none.
                let digits = if after.starts_with(['.', ',']) { fraction_digits(after) } else { 0 };
                if digits > 0 && !matches!(next(layout).1, Some(Part::Fraction { .. })) {
                    (self.nanosecond, rest) = fraction(after, digits)?;
                } else {
                    rest = after;
                }
            }
            Part::Half { upper } => {
                let (half, after) = value.split_at_checked(2)?;
                match (half, upper) {
                    ("PM", true) | ("pm", false) => self.afternoon = true,
                    ("AM", true) | ("am", false) => self.morning = true,
                    _ => return None,
                }
                rest = after;
            }
            Part::ZoneName => {
                self.utc |= value.starts_with("UTC");
                rest = value.strip_prefix("UTC").or_else(|| value.get(zone_name(value)?..))?;
            }
            Part::Zone { z: true, .. } if value.starts_with('Z') => {
                self.utc = true;
                rest = value.strip_prefix('Z')?;
            }
            Part::Zone { colon, minutes, seconds, .. } => rest = self.zone(value, colon, minutes, seconds)?,
            Part::Fraction { digits, trimmed: false, .. } => (self.nanosecond, rest) = fraction(value, digits)?,
            Part::Fraction { .. } => {
                if !value.starts_with(['.', ',']) || fraction_digits(value) == 0 {
                    return Some(value);
                }
                (self.nanosecond, rest) = fraction(value, fraction_digits(value))?;
            }
        }
        Some(rest)
    }

    fn zone<'a>(&mut self, value: &'a str, colon: bool, minutes: bool, seconds: bool) -> Option<&'a str> {
        let sign = if value.starts_with('-') { -1 } else { 1 };
        let (hours, mut rest) = number(value.strip_prefix(['+', '-'])?, 2, true)?;
        let mut sixties = |wanted: bool| {
            if !wanted {
                return Some(0);
            }
            let after = if colon { rest.strip_prefix(':')? } else { rest };
            let (part, after) = number(after, 2, true)?;
            rest = after;
            (part <= 60).then_some(part)
        };
        let (minutes, seconds) = (sixties(minutes)?, sixties(seconds)?);
        self.offset = sign * i64::from(hours * 3600 + minutes * 60 + seconds);
        (hours <= 24).then_some(rest)
    }

    fn moment(mut self) -> Option<(i128, u32)> {
        if self.afternoon && self.hour < 12 {
            self.hour += 12;
        } else if self.morning && !self.afternoon && self.hour == 12 {
            self.hour = 0;
        }
        if let Some(of_year) = self.day_of_year {
            let date = chrono::NaiveDate::from_yo_opt(self.year, of_year)?;
            let (month, day) = (chrono::Datelike::month(&date), chrono::Datelike::day(&date));
            if self.month.is_some_and(|given| given != month) || self.day.is_some_and(|given| given != day) {
                return None;
            }
            (self.month, self.day) = (Some(month), Some(day));
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if day < 1 || day > u32::from(days_in(self.year, month)) {
            return None;
        }
        let offset = if self.utc { 0 } else { self.offset };
        let of_day = i64::from(self.hour * 3600 + self.minute * 60 + self.second) - offset;
        Some((days(self.year.into(), month.into(), day.into()) * 86_400 + i128::from(of_day), self.nanosecond))
    }
}

/// How long the name of a zone at the start of `value` is.
fn zone_name(value: &str) -> Option<usize> {
    let signed = |value: &str| {
        let digits = value.strip_prefix(['+', '-'])?.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = value.get(1..=digits)?.parse().ok()?;
        (number <= 23).then_some(digits + 1)
    };
    if value.starts_with("ChST") || value.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = value.strip_prefix("GMT") {
        return Some(3 + signed(rest).unwrap_or(0));
    }
    if value.starts_with(['+', '-']) {
        return signed(value);
    }
    let upper = value.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    match upper {
        3 => Some(3),
        4 if value.as_bytes().get(3) == Some(&b'T') || value.starts_with("WITA") => Some(4),
        5 if value.as_bytes().get(4) == Some(&b'T') => Some(5),
        _ => None,
    }
}
