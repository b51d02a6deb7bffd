//! What the process uses, as Linux tells in `/proc` (proc(5)); elsewhere, nothing.

use std::{fs, time::Duration};

use super::family::{Families, Kind};

/// Linux tells times in hundredths of a second (`USER_HZ`) on every machine that Rust runs on.
const MILLIS_A_TICK: u64 = 10;

pub(super) struct Process {
    /// When it started, since the epoch.
    started: Option<Duration>,
}

/// Of `/proc/self/stat`.
struct Stat {
    /// Processor time used.
    cpu: Duration,
    /// When it started, since the machine did.
    started: Duration,
}

impl Process {
    pub(super) fn new() -> Self {
        let booted = fs::read_to_string("/proc/stat").ok().and_then(|stat| number(&stat, "btime "));
        let since_boot = Stat::read().map(|stat| stat.started);
        Self { started: booted.map(Duration::from_secs).zip(since_boot).map(|(booted, since)| booted + since) }
    }

    pub(super) fn measure(&self, out: &mut Families) {
        if let Some(stat) = Stat::read() {
            out.family("process_cpu_seconds_total", Kind::Counter, "Processor time used, by user and system.");
            out.sample(&[], stat.cpu.as_secs_f64());
        }
        if let Some(started) = self.started {
            let help = "When the process started, since the epoch.";
            out.gauge("process_start_time_seconds", help, started.as_secs_f64());
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(kib) = number(&status, "VmRSS:") {
            out.gauge("process_resident_memory_bytes", "Memory in use.", kib.saturating_mul(1024));
        }
        if let Some(kib) = number(&status, "VmSize:") {
            out.gauge("process_virtual_memory_bytes", "Address space in use.", kib.saturating_mul(1024));
        }
        if let Some(threads) = number(&status, "Threads:") {
            out.gauge("process_threads", "Threads.", threads);
        }
        if let Some(open) = open_fds() {
            out.gauge("process_open_fds", "Open file descriptors.", open);
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(most) = number(&limits, "Max open files") {
            out.gauge("process_max_fds", "Most file descriptors that may be open.", most);
        }
    }
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The second field is the program's name in brackets, and may hold anything, brackets too.
        let (_, from_the_third) = stat.rsplit_once(')')?;
        let field = |number: usize| from_the_third.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
        let time = |ticks: u64| Duration::from_millis(ticks.saturating_mul(MILLIS_A_TICK));
        Some(Self { cpu: time(field(14)?.saturating_add(field(15)?)), started: time(field(22)?) })
    }
}

/// The number after `label` at a line's start.
fn number(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The folder's size is the answer from Linux 6.2 on; before, it is 0, and its entries are counted.
fn open_fds() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    let size = fs::metadata(FOLDER).ok()?.len();
    if size > 0 {
        return Some(size);
    }
    // One is the folder itself, while it is read.
    u64::try_from(fs::read_dir(FOLDER).ok()?.count()).ok().map(|count| count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_past_a_name_with_brackets_and_spaces() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 4 0 12345 99 98 97";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!(stat.cpu, Duration::from_millis(1750));
        assert_eq!(stat.started, Duration::from_millis(123_450));
    }

    #[test]
    fn takes_no_number_from_what_is_none() {
        assert!(Stat::parse("7 (a) S 1").is_none());
        assert!(Stat::parse("").is_none());
        assert_eq!(
            number("Max open files            1024                 524288               files", "Max open files"),
            Some(1024)
        );
        assert_eq!(number("Max open files            unlimited", "Max open files"), None);
        assert_eq!(number("Name: x\nVmRSS:\t    1234 kB\n", "VmRSS:"), Some(1234));
    }
}
