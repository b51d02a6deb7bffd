//! What a setting's value looks like: reading it, its bounds, and the words for both.
//!
//! Each shape carries a setter of its own type, so that a value cannot reach a field of another kind.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{
    Config,
    fault::excerpt,
    quantity::{show_size, show_time, size, time, whole},
};
use crate::{
    api::{
        Address,
        authzen::{InvalidPublicUrl, PublicUrl},
        credentials::{CredentialAt, InvalidPlace as InvalidPath},
        envoy::{Form, IdHeader, InvalidIdHeader, InvalidSubject, SubjectFrom},
        listen::tls::MinVersion,
        place::{InvalidPlace, Place},
    },
    decision::{EntryPoint, InvalidEntryPoint},
    otlp::{Endpoint, InvalidEndpoint},
    policy::{Hosts, InvalidHost, InvalidRedaction, Redaction},
    reload::Tests,
    telemetry::Format,
    workload,
};

/// A value as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// Text of a variable or a flag, which has no types.
    Untyped(String),
    /// A string of the file.
    Text(String),
    /// An integer of the file.
    Integer(i128),
    /// A boolean of the file.
    Switch(bool),
    /// A list of the file, all of strings.
    List(Vec<String>),
    /// Nothing, where the file has a key.
    Empty,
    /// Anything else that a file can hold, by its name.
    Other(&'static str),
}

/// A kind of value, its bounds, and where it goes.
pub(super) enum Shape {
    Address(fn(&mut Config, Address)),
    Place(fn(&mut Config, Place)),
    EntryPoint(fn(&mut Config, EntryPoint)),
    Folder(fn(&mut Config, PathBuf)),
    File(fn(&mut Config, PathBuf)),
    Hosts(fn(&mut Config, Hosts)),
    Switch(fn(&mut Config, bool)),
    Count(RangeInclusive<u32>, fn(&mut Config, u32)),
    Size(RangeInclusive<usize>, fn(&mut Config, usize)),
    Time(RangeInclusive<Duration>, fn(&mut Config, Duration)),
    Filter(fn(&mut Config, String)),
    Format(fn(&mut Config, Format)),
    Redaction(fn(&mut Config, Redaction)),
    PublicUrl(fn(&mut Config, PublicUrl)),
    Tests(fn(&mut Config, Tests)),
    Form(fn(&mut Config, Form)),
    IdHeader(fn(&mut Config, IdHeader)),
    CredentialAt(fn(&mut Config, CredentialAt)),
    Subject(fn(&mut Config, SubjectFrom)),
    Name(fn(&mut Config, String)),
    Collector(fn(&mut Config, Endpoint)),
    Share(fn(&mut Config, f64)),
    Words(fn(&mut Config, Vec<String>)),
    TlsVersion(fn(&mut Config, MinVersion)),
    Agent(fn(&mut Config, workload::Endpoint)),
}

impl Raw {
    fn text(&self) -> Result<&str, String> {
        match self {
            Self::Untyped(text) | Self::Text(text) => Ok(text),
            _ => Err(self.wrong_type()),
        }
    }

    /// The text, if only an untyped one will do: the file writes this kind of value without quotes.
    fn untyped(&self) -> Result<&str, String> {
        match self {
            Self::Untyped(text) => Ok(text),
            _ => Err(self.wrong_type()),
        }
    }

    fn wrong_type(&self) -> String {
        match self {
            Self::Empty => "has no value".to_owned(),
            _ => format!("{self} is of the wrong type"),
        }
    }

    fn fails(&self, why: &str) -> String {
        format!("{self} {why}")
    }
}

impl std::fmt::Display for Raw {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Untyped(text) => write!(out, "`{}`", excerpt(text)),
            Self::Text(text) => write!(out, "the text `{}`", excerpt(text)),
            Self::Integer(number) => write!(out, "the number `{number}`"),
            Self::Switch(value) => write!(out, "the boolean `{value}`"),
            Self::List(_) => out.write_str("a list"),
            Self::Empty => out.write_str("nothing"),
            Self::Other(name) => out.write_str(name),
        }
    }
}

impl Shape {
    /// What is to be written, for messages and the documentation.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Address(_) => {
                "an address such as `127.0.0.1:9191`, `[::1]:9191`, `localhost:9191` or `unix:/run/verdict.sock`".into()
            }
            Self::Place(_) => "a unix socket such as `unix:/run/verdict/admin.sock`, or `off`".into(),
            Self::EntryPoint(_) => "a reference such as `data.authz` or `data.authz.decision`".into(),
            Self::Folder(_) => "the path of a folder".into(),
            Self::File(_) => "the path of a file".into(),
            Self::Hosts(_) => {
                "hosts with commas between them, such as `api.example.com, *.example.org:8443, 10.0.0.7`".into()
            }
            Self::Switch(_) => "`true` or `false`".into(),
            Self::Count(range, _) => format!("a whole number from {} to {}", range.start(), range.end()),
            Self::Size(range, _) => {
                let (least, most) = (show_size(*range.start()), show_size(*range.end()));
                format!("a size from {least} to {most}, in bytes or such as `1MiB`")
            }
            Self::Time(range, _) => {
                let (least, most) = (show_time(*range.start()), show_time(*range.end()));
                format!("a duration from {least} to {most}, such as `250ms` or `1s`")
            }
            Self::Filter(_) => "`off`, `error`, `warn`, `info`, `debug` or `trace`, or levels by module such as \
                                `warn,verdict::reload=debug`"
                .into(),
            Self::Format(_) => "`human` or `json`".into(),
            Self::PublicUrl(_) => "a URL such as `https://pdp.example.com`".into(),
            Self::Tests(_) => "`off`, `warn` or `require`".into(),
            Self::Form(_) => "`attributes` or `question`".into(),
            Self::IdHeader(_) => "the name of a header, or `off`".into(),
            Self::CredentialAt(_) => "the place of a member such as `context.token`, or `off`".into(),
            Self::Subject(_) => "`principal`, `header:NAME` or `metadata:FILTER/NAME/…`".into(),
            Self::Collector(_) => "the address of a collector such as `http://localhost:4317`".into(),
            Self::Share(_) => "a share such as `5%` or `0.25%`".into(),
            Self::Name(_) => "a name of 1 to 64 letters, digits, `_`, `-` and `.`".into(),
            Self::Words(_) => "texts without spaces, joined by commas or a list, or `none`".into(),
            Self::TlsVersion(_) => "`1.2` or `1.3`, as text".into(),
            Self::Agent(_) => "the socket of an agent such as `unix:///run/spire/agent.sock`".into(),
            Self::Redaction(_) => {
                "paths such as `input.token` or `data.keys`, and names of members such as `password`, joined by commas or a \
                 list"
                    .into()
            }
        }
    }

    /// Reads a value and sets it, or says what is wrong with it.
    pub(super) fn apply(&self, raw: &Raw, config: &mut Config) -> Result<(), String> {
        match self {
            Self::Address(set) => {
                let address = raw.text()?.parse().map_err(|_| raw.fails("is no address"))?;
                set(config, address);
            }
            Self::Place(set) => {
                let place = raw.text()?.parse().map_err(|invalid| match invalid {
                    InvalidPlace::Tcp(_) => raw.fails("is TCP, where callers are not authenticated yet"),
                    InvalidPlace::NoAddress(_) => raw.fails("is no unix socket"),
                })?;
                set(config, place);
            }
            Self::EntryPoint(set) => {
                set(config, raw.text()?.parse().map_err(|invalid| unexplained(&invalid))?);
            }
            Self::Folder(set) | Self::File(set) => set(config, path(raw)?),
            Self::Hosts(set) => set(config, raw.text()?.parse().map_err(|invalid: InvalidHost| invalid.to_string())?),
            Self::Switch(set) => set(config, switch(raw)?),
            Self::Count(range, set) => set(config, count(raw, range)?),
            Self::Size(range, set) => set(config, bytes(raw, range)?),
            Self::Time(range, set) => {
                let duration = match raw {
                    Raw::Integer(_) => return Err(raw.fails("has no unit")),
                    _ => time(raw.text()?).map_err(|why| raw.fails(why))?,
                };
                set(config, within(range, duration).ok_or_else(|| raw.fails("is out of range"))?);
            }
            Self::Filter(set) => set(config, filter(raw)?),
            Self::Format(set) => match raw.text()? {
                "human" => set(config, Format::Human),
                "json" => set(config, Format::Json),
                _ => return Err(raw.fails("is no format")),
            },
            Self::PublicUrl(set) => {
                set(config, raw.text()?.parse().map_err(|invalid: InvalidPublicUrl| raw.fails(&invalid.to_string()))?);
            }
            Self::Tests(set) => match raw.text()? {
                "off" => set(config, Tests::Off),
                "warn" => set(config, Tests::Warn),
                "require" => set(config, Tests::Require),
                _ => return Err(raw.fails("is none of them")),
            },
            Self::Form(set) => match raw.text()? {
                "attributes" => set(config, Form::Attributes),
                "question" => set(config, Form::Question),
                _ => return Err(raw.fails("is neither")),
            },
            Self::CredentialAt(set) => {
                set(config, raw.text()?.parse().map_err(|invalid: InvalidPath| raw.fails(&invalid.to_string()))?);
            }
            Self::IdHeader(set) => {
                set(config, raw.text()?.parse().map_err(|invalid: InvalidIdHeader| raw.fails(&invalid.to_string()))?);
            }
            Self::Subject(set) => {
                set(config, raw.text()?.parse().map_err(|invalid: InvalidSubject| raw.fails(&invalid.to_string()))?);
            }
            Self::Name(set) => set(config, name(raw)?),
            Self::Collector(set) => {
                // It may have a password in it, and is not shown.
                set(config, raw.text()?.parse().map_err(|invalid: InvalidEndpoint| invalid.to_string())?);
            }
            Self::Share(set) => set(config, share(raw)?),
            Self::Words(set) => set(config, words(raw)?),
            Self::TlsVersion(set) => {
                set(config, raw.text()?.parse().map_err(|()| raw.fails("is no such version"))?);
            }
            Self::Agent(set) => {
                let invalid = |invalid: workload::InvalidEndpoint| raw.fails(&invalid.to_string());
                set(config, raw.text()?.parse().map_err(invalid)?);
            }
            Self::Redaction(set) => {
                let entries = match raw {
                    Raw::List(entries) => entries.join(","),
                    _ => raw.text()?.to_owned(),
                };
                set(config, entries.parse().map_err(|invalid: InvalidRedaction| invalid.to_string())?);
            }
        }
        Ok(())
    }
}

/// What is wrong with a reference, without the advice that [`Shape::expected`] gives too.
fn unexplained(invalid: &InvalidEntryPoint) -> String {
    let text = invalid.to_string();
    text.rsplit_once("; write it like").map_or_else(|| text.clone(), |(problem, _)| problem.to_owned())
}

fn within<T: PartialOrd>(range: &RangeInclusive<T>, value: T) -> Option<T> {
    range.contains(&value).then_some(value)
}

fn switch(raw: &Raw) -> Result<bool, String> {
    match raw {
        Raw::Switch(value) => Ok(*value),
        _ => match raw.untyped()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(raw.fails("is neither")),
        },
    }
}

fn count(raw: &Raw, range: &RangeInclusive<u32>) -> Result<u32, String> {
    let number = match raw {
        Raw::Integer(number) => u32::try_from(*number).ok(),
        _ => u32::try_from(whole(raw.untyped()?).map_err(|why| raw.fails(why))?).ok(),
    };
    number.and_then(|number| within(range, number)).ok_or_else(|| raw.fails("is out of range"))
}

fn bytes(raw: &Raw, range: &RangeInclusive<usize>) -> Result<usize, String> {
    let number = match raw {
        Raw::Integer(number) => usize::try_from(*number).ok(),
        _ => usize::try_from(size(raw.text()?).map_err(|why| raw.fails(why))?).ok(),
    };
    number.and_then(|number| within(range, number)).ok_or_else(|| raw.fails("is out of range"))
}

/// A share of one: `5%`.
fn share(raw: &Raw) -> Result<f64, String> {
    let percent = raw.text()?.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let share = percent.filter(|percent| (0.0..=100.0).contains(percent)).map(|percent| percent / 100.0);
    share.ok_or_else(|| raw.fails("is no share"))
}

fn name(raw: &Raw) -> Result<String, String> {
    let text = raw.text()?;
    let is_name = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_name { Ok(text.to_owned()) } else { Err(raw.fails("is no such name")) }
}

/// Texts of visible ASCII. `none` alone is for a list without any, which a variable could not say otherwise.
fn words(raw: &Raw) -> Result<Vec<String>, String> {
    let words: Vec<String> = match raw {
        Raw::List(entries) => entries.clone(),
        _ if raw.text()? == "none" => Vec::new(),
        _ => raw.text()?.split(',').map(|word| word.trim().to_owned()).collect(),
    };
    let is_word = |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    match words.iter().find(|word| !is_word(word)) {
        Some(word) => Err(format!("`{}` is empty, or has a space or another character", excerpt(word))),
        None => Ok(words),
    }
}

fn path(raw: &Raw) -> Result<PathBuf, String> {
    match raw.text()? {
        "" => Err(raw.fails("is empty")),
        text if text.contains('\0') => Err(raw.fails("has a zero byte")),
        text => Ok(text.into()),
    }
}

/// A `tracing` filter. A bare word that is no level, or one with a space, is refused: `tracing` takes it for a module
/// that there is not, and a misspelt level would silence the log.
fn filter(raw: &Raw) -> Result<String, String> {
    let text = raw.text()?;
    if text.is_empty() {
        return Err(raw.fails("is empty"));
    }
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    for directive in text.split(',') {
        let target = directive.split_once('[').map_or(directive, |(target, _)| target);
        if target.contains(char::is_whitespace) {
            return Err(format!("`{}` has a space", excerpt(directive)));
        }
        if directive.is_empty() || !directive.contains(['=', '[']) && !is_level(directive) {
            return Err(format!("`{}` is no level (a module is followed by `=` and its level)", excerpt(directive)));
        }
    }
    EnvFilter::try_new(text).map_err(|_| raw.fails("is no log filter"))?;
    Ok(text.to_owned())
}
