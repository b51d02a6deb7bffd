//! `verdict log tail`: the last records, and those to come.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    ops::ControlFlow,
    os::unix::fs::MetadataExt as _,
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use verdict::policy::printable;

use super::{record::Record, select::Selection};
use crate::cli::{colour, say};

/// Show the last records, a line each
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict log tail /var/log/verdict/decisions.log
  verdict log tail /var/log/verdict/decisions.log --follow --effect deny
  verdict log tail /var/log/verdict/decisions.log -n 100 --subject user:alice
  verdict log tail /var/log/verdict/decisions.log --json | jq .reasons")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: usize,
    /// Go on with those to come, over rotations, until it is ended
    #[arg(long, short)]
    follow: bool,
    /// As they are in the log
    #[arg(long)]
    json: bool,
}

/// How often to look for more.
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut last = VecDeque::new();
    // What comes while this reads is read by who follows.
    let begin = if args.follow { Some(Follow::begin(args)?) } else { None };
    args.selection.each(&mut |record| {
        if last.len() == args.lines {
            last.pop_front();
        }
        if args.lines > 0 {
            last.push_back(record);
        }
        ControlFlow::Continue(())
    })?;
    let mut shown: Vec<String> = Vec::new();
    for record in &last {
        say(&line(record, args.json));
        shown.push(record.id().to_owned());
    }
    match begin {
        Some(follow) => follow.run(args, &shown),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Reads a file that grows, and the one that follows it.
struct Follow {
    reader: BufReader<fs::File>,
    inode: u64,
}

impl Follow {
    fn begin(args: &Args) -> anyhow::Result<Self> {
        let mut follow = Self::open(args)?;
        follow.reader.seek(SeekFrom::End(0))?;
        Ok(follow)
    }

    fn open(args: &Args) -> anyhow::Result<Self> {
        let path = &args.selection.file;
        let file = fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let inode = file.metadata()?.ino();
        Ok(Self { reader: BufReader::new(file), inode })
    }

    fn run(mut self, args: &Args, shown: &[String]) -> anyhow::Result<ExitCode> {
        let mut text = Vec::new();
        loop {
            let read = self.reader.read_until(b'\n', &mut text)?;
            if text.ends_with(b"\n") {
                let record = Record::read(&text).filter(|record| args.selection.wants(record));
                if let Some(record) = record.filter(|record| !shown.iter().any(|id| id == record.id())) {
                    say(&line(&record, args.json));
                }
                text.clear();
            } else if read == 0 {
                // The file is read to its end before the next one is begun.
                let next = fs::metadata(&args.selection.file).map(|file| file.ino());
                if text.is_empty() && next.is_ok_and(|inode| inode != self.inode) {
                    self = Self::open(args)?;
                } else {
                    thread::sleep(LOOK);
                }
            }
        }
    }
}

fn line(record: &Record, json: bool) -> String {
    if json {
        return record.0.to_string();
    }
    let effect = match (record.effect(), colour()) {
        ("allow", true) => "\u{1b}[32mallow\u{1b}[0m".to_owned(),
        ("deny", true) => "\u{1b}[31mdeny \u{1b}[0m".to_owned(),
        (other, _) => format!("{other:5}"),
    };
    let part = |name: &str| record.part(name).unwrap_or_else(|| "-".to_owned());
    let (subject, action, resource) = (part("subject"), part("action"), part("resource"));
    let reasons = record.search().unwrap_or_else(|| record.reasons().join(","));
    let (time, id) = (record.time(), record.id());
    let text =
        printable(&format!("{subject} {action} {resource}  {reasons}  {} {id}", record.entry_point())).into_owned();
    format!("{}  {effect}  {}", printable(time), text.replace('\n', " "))
}
