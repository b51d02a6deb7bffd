//! `time.*` but for `time.now_ns`: moments, zones and layouts, as Go's `time` package has them.

mod layout;
pub(super) mod parse;

use chrono::{
    DateTime, Datelike as _, NaiveDate, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Timelike as _, Utc,
};
use chrono_tz::{OffsetName as _, Tz};
use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, any, array_of, failed, int, mismatch, string, text},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "time.add_date", arity: 4, call: add_date },
    Function { name: "time.clock", arity: 1, call: clock },
    Function { name: "time.date", arity: 1, call: date },
    Function { name: "time.diff", arity: 2, call: diff },
    Function { name: "time.format", arity: 1, call: format },
    Function { name: "time.parse_duration_ns", arity: 1, call: duration },
    Function { name: "time.parse_ns", arity: 2, call: parse_ns },
    Function { name: "time.parse_rfc3339_ns", arity: 1, call: parse_rfc3339 },
    Function { name: "time.weekday", arity: 1, call: weekday },
];

/// The layouts that have names.
const LAYOUTS: [(&str, &str); 10] = [
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("UnixDate", "Mon Jan _2 15:04:05 MST 2006"),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC822Z", "02 Jan 06 15:04 -0700"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("RFC3339", "2006-01-02T15:04:05Z07:00"),
    ("RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"),
];

fn named(layout: &str) -> &str {
    LAYOUTS.iter().find(|(name, _)| *name == layout).map_or(layout, |(_, layout)| layout)
}

/// From here on (2100), in seconds: the tables of zones end, where Go goes on with the last rule of each.
const ZONES_END: i64 = 4_102_444_800;
/// Before it (1900) the tables differ from Go's.
const ZONES_BEGIN: i64 = -2_208_988_800;

/// A moment, and the zone to show it in.
#[derive(Clone, Copy)]
struct Moment {
    utc: DateTime<Utc>,
    zone: Tz,
}

impl Moment {
    /// Seconds east of UTC, and what the zone is called then.
    fn offset(self, utc: NaiveDateTime) -> (i32, String) {
        let offset = self.zone.offset_from_utc_datetime(&utc);
        (offset.fix().local_minus_utc(), offset.abbreviation().unwrap_or_default().to_owned())
    }

    /// What clocks show in its zone.
    fn local(self) -> NaiveDateTime {
        let utc = self.utc.naive_utc();
        utc + TimeDelta::seconds(self.offset(utc).0.into())
    }
}

/// A number of nanoseconds, alone or with a zone and a layout.
fn moment(arguments: &[Rego], at: usize) -> Result<(Moment, String), Failure> {
    let expected = "either number (ns) or [number (ns), string (tz)]";
    let (number, zone, layout) = match any(arguments, at) {
        number @ Rego::Number(_) => (number, "", ""),
        Rego::Array(items) => {
            let text = |at: usize| match items.get(at) {
                None => Ok(""),
                Some(Rego::String(text)) => Ok(&**text),
                Some(_) => mismatch(arguments, 0, "string"),
            };
            match items.first() {
                Some(number @ Rego::Number(_)) => (number, text(1)?, text(2)?),
                Some(_) => return mismatch(arguments, 0, "number"),
                None => return mismatch(arguments, at, expected),
            }
        }
        _ => return mismatch(arguments, at, expected),
    };
    let Ok(nanoseconds) = number.as_i64() else { return failed("timestamp too big") };
    let zone = match zone {
        // A server's own zone is that of its operator, not of its policies.
        "" | "UTC" | "Local" => Tz::UTC,
        name => name.parse::<Tz>().map_err(|_| Failure::Operand(format!("unknown time zone {name}")))?,
    };
    let utc = DateTime::from_timestamp_nanos(nanoseconds);
    known(zone, utc.timestamp().into())?;
    Ok((Moment { utc, zone }, layout.to_owned()))
}

/// Whether it is known what clocks show in that zone, at that second.
fn known(zone: Tz, seconds: i128) -> Result<(), Failure> {
    if zone == Tz::UTC || (ZONES_BEGIN.into()..ZONES_END.into()).contains(&seconds) {
        return Ok(());
    }
    Err(Failure::Spent(format!("what clocks show in {zone} is known from 1900 to 2099 alone: ask for UTC")))
}

fn clock(arguments: &[Rego]) -> Answer {
    let local = moment(arguments, 0)?.0.local();
    Ok(array_of([local.hour(), local.minute(), local.second()].map(Rego::from)))
}

fn date(arguments: &[Rego]) -> Answer {
    let local = moment(arguments, 0)?.0.local();
    Ok(array_of([Rego::from(local.year()), Rego::from(local.month()), Rego::from(local.day())]))
}

fn weekday(arguments: &[Rego]) -> Answer {
    let local = moment(arguments, 0)?.0.local();
    let name = layout::DAYS.get(usize::try_from(local.weekday().num_days_from_monday()).unwrap_or(0));
    Ok(string(name.copied().unwrap_or_default()))
}

fn format(arguments: &[Rego]) -> Answer {
    let (moment, layout) = moment(arguments, 0)?;
    let layout = if layout.is_empty() { "RFC3339Nano" } else { &layout };
    let (offset, zone) = moment.offset(moment.utc.naive_utc());
    Ok(string(layout::format(named(layout), moment.local(), offset, &zone)))
}

/// Days since 1970 of a date of any year (Gregorian); months and days may be beyond their ends.
fn days(year: i128, month: i128, day: i128) -> i128 {
    let months = year * 12 + month - 1;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    // Years that begin with March end with the leap day.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719_468
}

fn nanoseconds(seconds: i128, nanoseconds: u32) -> Answer {
    match i64::try_from(seconds * 1_000_000_000 + i128::from(nanoseconds)) {
        Ok(nanoseconds) => Ok(Rego::from(nanoseconds)),
        Err(_) => failed("time outside of valid range"),
    }
}

fn add_date(arguments: &[Rego]) -> Answer {
    let (moment, _) = moment(arguments, 0)?;
    let added = |at: usize| int(arguments, at).map(i128::from);
    let (years, months, more) = (added(1)?, added(2)?, added(3)?);
    // Go's days come round again from somewhere on.
    if [years, months, more].iter().any(|added| added.unsigned_abs() > 1 << 40) {
        return Err(Failure::Spent("so much time can't be added to a date".to_owned()));
    }
    let local = moment.local();
    let days =
        days(i128::from(local.year()) + years, i128::from(local.month()) + months, i128::from(local.day()) + more);
    let seconds = days * 86_400 + i128::from(local.num_seconds_from_midnight());
    // What the clocks showed is looked up as if it were UTC, and once more if that is beyond a change of the zone.
    let offset = |seconds: i128| {
        let utc = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        utc.map_or(0, |utc| i128::from(moment.offset(utc.naive_utc()).0))
    };
    known(moment.zone, seconds)?;
    let first = offset(seconds);
    let offset = if first == 0 { 0 } else { offset(seconds - first) };
    nanoseconds(seconds - offset, local.nanosecond())
}

fn diff(arguments: &[Rego]) -> Answer {
    let ((first, _), (second, _)) = (moment(arguments, 0)?, moment(arguments, 1)?);
    known(first.zone, second.utc.timestamp().into())?;
    let second = Moment { zone: first.zone, ..second };
    let (from, to) = if first.utc > second.utc { (second, first) } else { (first, second) };
    let (from, to) = (from.local(), to.local());
    let part = |of: fn(&NaiveDateTime) -> u32| i64::from(of(&to)) - i64::from(of(&from));
    let mut years = i64::from(to.year()) - i64::from(from.year());
    let (mut months, mut days) = (part(NaiveDateTime::month), part(NaiveDateTime::day));
    let (mut hours, mut minutes, mut seconds) =
        (part(NaiveDateTime::hour), part(NaiveDateTime::minute), part(NaiveDateTime::second));
    let carry = |value: &mut i64, above: &mut i64, unit: i64| {
        if *value < 0 {
            *value += unit;
            *above -= 1;
        }
    };
    carry(&mut seconds, &mut minutes, 60);
    carry(&mut minutes, &mut hours, 60);
    carry(&mut hours, &mut days, 24);
    carry(&mut days, &mut months, i64::from(days_in(from.year(), from.month())));
    carry(&mut months, &mut years, 12);
    Ok(array_of([years, months, days, hours, minutes, seconds].map(Rego::from)))
}

fn days_in(year: i32, month: u32) -> u8 {
    NaiveDate::from_ymd_opt(year, month, 1).map_or(31, |date| date.num_days_in_month())
}

fn parse_ns(arguments: &[Rego]) -> Answer {
    let (layout, value) = (text(arguments, 0)?, text(arguments, 1)?);
    let (seconds, fraction) = parse::parse(named(layout), value).map_err(Failure::Operand)?;
    nanoseconds(seconds, fraction)
}

fn parse_rfc3339(arguments: &[Rego]) -> Answer {
    let (seconds, fraction) = parse::parse(named("RFC3339"), text(arguments, 0)?).map_err(Failure::Operand)?;
    nanoseconds(seconds, fraction)
}

/// A duration like `1h30m`, in which OPA also knows days, weeks and years.
fn duration(arguments: &[Rego]) -> Answer {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let whole = text(arguments, 0)?;
    let invalid = || Failure::Operand(format!("time: invalid duration {whole:?}"));
    let mut rest = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    if rest == "0" {
        return Ok(Rego::from(0_i64));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    // What OPA adds to Go's durations it reads as doubles, and Go's letter for micro is one more.
    let extended = whole.contains(['d', 'w', 'y']);
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let (name, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len()));
        if extended && name == "μs" {
            return Err(invalid());
        }
        let hours = match name {
            "d" => Some(24.0),
            "w" => Some(168.0),
            "y" => Some(8_760.0),
            _ => None,
        };
        let product =
            |hours: f64| number.parse::<f64>().ok().map(|number| number * hours).filter(|all| all.is_finite());
        let hours = hours.map(|hours| product(hours).ok_or_else(invalid)).transpose()?.map(|hours| hours.to_string());
        let (number, name) = hours.as_deref().map_or((number, name), |hours| (hours, "h"));
        let (digits, fraction) = number.split_once('.').unwrap_or((number, ""));
        let unit = UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, unit)| *unit).ok_or_else(invalid)?;
        if digits.is_empty() && fraction.is_empty() || fraction.contains('.') || digits.len() > 19 {
            return Err(invalid());
        }
        // What is less than a nanosecond is cut.
        let fraction = fraction.get(..fraction.len().min(18)).unwrap_or_default();
        let scale = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        let number = |digits: &str| digits.parse::<i128>().unwrap_or(0);
        sum += number(digits) * unit + number(fraction) * unit / scale;
        if sum > 1 << 63 {
            return Err(invalid());
        }
        rest = tail;
    }
    i64::try_from(sign * sum).map(Rego::from).map_err(|_| invalid())
}
