use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::*;
use crate::audit::{
    chain::Signer,
    config::Compression,
    figures::Counts,
    verify::{Fault, verify},
};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("verdict-file-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn open(path: &Path, max_bytes: u64) -> Result<File, String> {
    let rotation = Rotation { max_bytes, max_age: Duration::from_secs(3600), keep: 10, compression: Compression::None };
    File::open(path, rotation, None, true, SystemTime::now)
}

fn deliver(file: &mut File, line: &str) -> Result<(), Failure> {
    let mut lines = Lines::default();
    lines.push(0, line.as_bytes());
    file.deliver(&mut lines, &Context { counts: &Counts::default(), sink: "audit", spool: None })
}

#[test]
fn a_durable_file_has_one_writer_also_after_a_rotation() {
    let folder = folder("one-writer");
    let path = folder.join("audit.log");
    let mut file = open(&path, 1).unwrap();
    for line in ["a", "b", "c"] {
        let refused = open(&path, 1).err().unwrap();
        assert!(refused.contains("another process, or another sink, writes to `"), "{refused}");
        deliver(&mut file, line).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "c\n");
    assert_eq!(fs::read_to_string(folder.join("audit.log.000002")).unwrap(), "b\n");
    drop(file);
    open(&path, 1).unwrap();
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_others_moved_is_begun_anew_and_one_that_they_changed_fails_once() {
    let folder = folder("moved");
    let path = folder.join("audit.log");
    let mut file = open(&path, 1000).unwrap();
    deliver(&mut file, "a").unwrap();
    fs::rename(&path, folder.join("aside")).unwrap();
    deliver(&mut file, "b").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
    assert!(open(&path, 1000).is_err(), "it is locked as the first was");
    fs::remove_file(&path).unwrap();
    deliver(&mut file, "c").unwrap();
    fs::write(&path, "c\nof others\nhalf").unwrap();
    let failure = deliver(&mut file, "d").unwrap_err();
    assert!(failure.cause.contains("was changed by others: it has 16 bytes, not 2"), "{}", failure.cause);
    deliver(&mut file, "e").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "c\nof others\ne\n");
    fs::write(&path, "").unwrap();
    deliver(&mut file, "f").unwrap_err();
    deliver(&mut file, "g").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "g\n");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_could_not_be_cut_off_is_cut_off_before_the_next_write_or_nothing_is_written() {
    let folder = folder("torn");
    let path = folder.join("audit.log");
    let mut file = open(&path, 1000).unwrap();
    deliver(&mut file, "a").unwrap();
    // As after a write that failed in the middle, and a cut that failed then.
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"hal").unwrap();
    file.torn = true;
    // This one can neither be cut nor written.
    let writable = std::mem::replace(&mut file.open, fs::File::open(&path).unwrap());
    let failure = deliver(&mut file, "b").unwrap_err();
    assert!(failure.cause.contains("can't be cut"), "{}", failure.cause);
    assert!(file.append(b"b\n", State::start(), None).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nhal");
    file.open = writable;
    deliver(&mut file, "c").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nc\n");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn of_records_that_fail_together_none_stays() {
    let folder = folder("together");
    let path = folder.join("audit.log");
    let mut file = open(&path, 1 << 30).unwrap();
    deliver(&mut file, "a").unwrap();
    file.append(b"first part\n", State::start(), None).unwrap();
    file.written = 1;
    file.take_back();
    assert_eq!((file.written, file.at.length), (0, 2));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_rotation_puts_aside_only_the_file_that_is_held() {
    let folder = folder("rotation");
    let path = folder.join("audit.log");
    let mut file = open(&path, 1).unwrap();
    deliver(&mut file, "a").unwrap();
    fs::rename(&path, folder.join("audit.log.000001")).unwrap();
    assert_eq!(file.rotate().unwrap(), None);
    deliver(&mut file, "b").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
    let names = crate::audit::sink::find(&path).map(|found| found.len()).unwrap();
    assert_eq!(names, 2, "nothing empty was put aside");
    fs::remove_dir_all(folder).unwrap();
}

/// A key, and files that are chained with it: sealed after four records.
struct Chained {
    folder: PathBuf,
    path: PathBuf,
    signer: Arc<Signer>,
    rotation: Rotation,
}

impl Chained {
    fn new(name: &str) -> Self {
        let folder = folder(name);
        let path = folder.join("audit.log");
        let rotation = Rotation {
            max_bytes: 1 << 30,
            max_age: Duration::from_secs(3600),
            keep: 10,
            compression: Compression::None,
        };
        Self { folder, path, signer: Arc::new(Signer::of_test()), rotation }
    }

    fn open(&self, sync: bool) -> File {
        let chain = Chain { signer: Arc::clone(&self.signer), every: 4, interval: Duration::from_secs(3600) };
        File::open(&self.path, self.rotation, Some(chain), sync, SystemTime::now).unwrap()
    }

    /// Starts, writes so many records, and stops.
    fn run(&self, records: usize) {
        let mut file = self.open(true);
        for number in 0..records {
            deliver(&mut file, &format!("{{\"record\":{number}}}")).unwrap();
        }
        file.idle(true);
    }

    fn faults(&self) -> Vec<Fault> {
        verify(&self.path, &[self.signer.verifier()]).unwrap().faults
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }
}

impl Drop for Chained {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_start_does_not_wipe_out_that_the_log_was_cut() {
    type Tamper = fn(&Chained);
    let cut: Tamper = |log| {
        let kept: Vec<String> = log.text().lines().take(7).map(|line| format!("{line}\n")).collect();
        fs::write(&log.path, kept.concat()).unwrap();
    };
    for (what, tamper, says) in [
        ("cut", cut, "ended at line 7, and had been sealed up to line 13"),
        ("moved away", |log: &Chained| fs::rename(&log.path, log.folder.join("aside")).unwrap(), "ended at line 0"),
        ("emptied", |log: &Chained| fs::write(&log.path, "").unwrap(), "ended at line 0"),
        ("without its head", |log: &Chained| fs::remove_file(head_name(&log.path)).unwrap(), "head was gone"),
        ("with another head", |log: &Chained| fs::write(head_name(&log.path), "13 13").unwrap(), "head was gone"),
        (
            "with a forged head",
            |log: &Chained| {
                let head = fs::read_to_string(head_name(&log.path)).unwrap();
                fs::write(head_name(&log.path), head.replacen("13 ", "11 ", 1)).unwrap();
            },
            "head was gone",
        ),
        (
            "with another last line",
            |log: &Chained| {
                let mut lines: Vec<String> = log.text().lines().map(|line| format!("{line}\n")).collect();
                let last = lines.pop().unwrap();
                fs::write(&log.path, lines.concat() + &last.replacen("\"time\":\"2", "\"time\":\"1", 1)).unwrap();
            },
            "line 13 was another one than had been sealed",
        ),
    ] as [(&str, Tamper, &str); 7]
    {
        let log = written(&what.replace(' ', "-"));
        tamper(&log);
        for _ in 0..2 {
            log.run(1);
            let faults = log.faults();
            assert!(faults.iter().any(|fault| fault.problem.contains(says)), "{what}: {faults:?}");
        }
        for _ in 0..3 {
            log.run(4);
        }
        assert!(log.faults().iter().any(|fault| fault.problem.contains(says)), "{what}, later");
    }
}

/// Ten records in a chain, sealed three times: thirteen lines.
fn written(name: &str) -> Chained {
    let log = Chained::new(name);
    log.run(10);
    assert_eq!((log.text().lines().count(), log.faults()), (13, vec![]));
    log
}

#[test]
fn an_honest_end_leaves_no_mark() {
    let mut log = written("honest");
    // As `kill -9`: nothing is sealed at the end, and the last line is half.
    for records in [0, 1, 3, 4, 7] {
        let mut file = log.open(true);
        for number in 0..records {
            deliver(&mut file, &format!("{{\"record\":{number}}}")).unwrap();
        }
        drop(file);
        fs::OpenOptions::new().append(true).open(&log.path).unwrap().write_all(b"{\"half").unwrap();
    }
    log.run(0);
    assert_eq!(log.faults(), []);
    // Rotated, and nothing written since; at last with no full file left.
    for keep in [10, 0] {
        log.rotation.keep = keep;
        let mut file = log.open(true);
        deliver(&mut file, "{\"record\":1}").unwrap();
        file.seal().unwrap();
        file.rotate().unwrap();
        drop(file);
        log.run(0);
        log.run(2);
        assert_eq!(log.faults(), [], "{keep}");
    }
    // Moved by the operator while it runs, and nothing written since.
    let mut file = log.open(true);
    fs::rename(&log.path, log.folder.join("archived")).unwrap();
    file.idle(true);
    drop(file);
    log.run(1);
    assert_eq!(log.faults(), []);
    // A head of an earlier version is told, until there is another one.
    let head = fs::read_to_string(head_name(&log.path)).unwrap();
    let unsigned: Vec<&str> = head.split(' ').take(2).collect();
    fs::write(head_name(&log.path), unsigned.join(" ") + "\n").unwrap();
    assert!(log.faults().iter().any(|fault| fault.problem.contains("is not signed")));
    log.run(1);
    assert_eq!(log.faults(), []);
}

#[test]
fn a_last_line_of_any_length_is_gone_on_from() {
    let log = Chained::new("long");
    let long = format!("{{\"record\":\"{}\"}}", "x".repeat(10_000));
    for (number, line) in (1..).zip([long.as_str(), "{\"record\":1}", &long]) {
        let mut file = log.open(true);
        assert_eq!(file.at.state.seq, number);
        assert_eq!(file.at.last, (number > 1).then_some((5, number - 1)), "as the spool counts");
        let mut lines = Lines::default();
        lines.push(number, line.as_bytes());
        file.deliver(&mut lines, &Context { counts: &Counts::default(), sink: "audit", spool: Some(5) }).unwrap();
    }
    log.run(0);
    assert_eq!(log.faults(), []);
}

#[test]
fn what_a_failed_machine_left_at_the_end_is_put_aside() {
    let log = written("garbage");
    let before = log.text();
    let garbage = [b"\0\0\0\n\xff\n".as_slice(), &[0; 5000], b"\n{\"half"].concat();
    fs::OpenOptions::new().append(true).open(&log.path).unwrap().write_all(&garbage).unwrap();
    log.run(1);
    assert!(log.text().starts_with(&before));
    assert_eq!(log.faults(), []);
    let aside = log.folder.join("audit.log.torn");
    assert_eq!(fs::read(&aside).unwrap(), garbage[..garbage.len() - 6]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&aside).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_has_one_writer_also_of_records_that_may_be_lost() {
    let folder = folder("best-effort");
    let path = folder.join("audit.log");
    let rotation =
        Rotation { max_bytes: 1, max_age: Duration::from_secs(3600), keep: 10, compression: Compression::None };
    let open = |sync| File::open(&path, rotation, None, sync, SystemTime::now);
    for first in [true, false] {
        let mut file = open(first).unwrap();
        for line in ["a", "b"] {
            deliver(&mut file, line).unwrap();
            for second in [true, false] {
                let refused = open(second).err().unwrap();
                assert!(refused.contains("another process, or another sink, writes to `"), "{refused}");
            }
        }
    }
    let refused = File::open(Path::new("/dev/null"), rotation, None, false, SystemTime::now).err().unwrap();
    assert!(refused.contains("it is no regular file"), "{refused}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_full_file_takes_no_name_that_another_has() {
    let folder = folder("names");
    let path = folder.join("audit.log");
    let mut file = open(&path, 1).unwrap();
    deliver(&mut file, "a").unwrap();
    fs::write(folder.join("audit.log.9999999"), "of others").unwrap();
    fs::write(folder.join("audit.log.10000000"), "of others").unwrap();
    deliver(&mut file, "b").unwrap();
    assert_eq!(fs::read_to_string(folder.join("audit.log.10000000")).unwrap(), "of others");
    assert_eq!(fs::read_to_string(folder.join("audit.log.10000001")).unwrap(), "a\n");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn where_no_other_file_can_be_begun_the_same_one_is_gone_on_with() {
    let folder = folder("no-rotation");
    let path = folder.join("audit.log");
    let mut file = open(&path, 1).unwrap();
    // No name is left for a full one.
    let names = || (9_999_999..10_000_200).map(|number| folder.join(format!("audit.log.{number}")));
    names().for_each(|name| fs::write(name, "").unwrap());
    let counts = Counts::default();
    for line in ["a", "b", "c"] {
        let mut lines = Lines::default();
        lines.push(0, line.as_bytes());
        file.deliver(&mut lines, &Context { counts: &counts, sink: "audit", spool: None }).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
    assert_eq!(counts.errors.load(Relaxed), 1, "it is not tried with every record");
    names().for_each(|name| fs::remove_file(name).unwrap());
    file.pause = Pause::default();
    deliver(&mut file, "d").unwrap();
    assert_eq!(fs::read_to_string(folder.join("audit.log.000001")).unwrap(), "a\nb\nc\n");
    fs::remove_dir_all(folder).unwrap();
}

fn tidy(path: &Path, keep: usize) -> compress::Tidy {
    let max_age = Duration::from_secs(3600);
    let rotation = Rotation { max_bytes: 1, max_age, keep, compression: Compression::Gzip };
    compress::Tidy { path: path.to_owned(), rotation, sync: true, rotations: Arc::default() }
}

#[test]
fn a_full_file_that_cannot_be_compressed_stops_no_other_and_leaves_nothing() {
    let folder = folder("compression");
    let path = folder.join("audit.log");
    // The first can't be compressed, as there is a folder of that name.
    fs::create_dir_all(folder.join("audit.log.000002.gz/x")).unwrap();
    for number in [1, 2, 3] {
        fs::write(folder.join(format!("audit.log.00000{number}")), "a\n").unwrap();
    }
    fs::write(folder.join("audit.log.20261129"), "of others").unwrap();
    let failed = tidy(&path, 2).all();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        ["audit.log.000002", "audit.log.000002.gz", "audit.log.000003.gz", "audit.log.20261129"],
        "the oldest of three is gone"
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn files_that_become_too_old_while_one_is_compressed_are_gone() {
    let folder = folder("too-old");
    let path = folder.join("audit.log");
    let full = |number: u32| folder.join(format!("audit.log.00000{number}"));
    let names = || {
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    for number in [1, 2, 3] {
        fs::write(full(number), vec![b'a'; 1 << 20]).unwrap();
    }
    let tidy = tidy(&path, 2);
    tidy.rotations.fetch_add(1, Relaxed);
    // Another one is too old, and this one is finished.
    tidy.compress(&full(2), 0).unwrap();
    assert_eq!(names(), ["audit.log.000002.gz", "audit.log.000003"].map(str::to_owned).into());
    fs::write(full(4), "b").unwrap();
    fs::write(full(5), "c").unwrap();
    tidy.rotations.fetch_add(1, Relaxed);
    // This one is: nothing is left of it.
    let failed = tidy.compress(&full(3), 1);
    assert_eq!(failed.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(names(), ["audit.log.000004", "audit.log.000005"].map(str::to_owned).into());
    assert!(tidy.all().is_empty());
    assert_eq!(names(), ["audit.log.000004.gz", "audit.log.000005.gz"].map(str::to_owned).into());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_others_did_to_a_file_is_told_to_who_delivers_next_whoever_saw_it() {
    let log = written("idle");
    let mut file = log.open(true);
    let chain = file.chain.as_mut().unwrap();
    chain.interval = Duration::ZERO;
    deliver(&mut file, "{\"record\":1}").unwrap();
    fs::OpenOptions::new().append(true).open(&log.path).unwrap().write_all(b"of others\n").unwrap();
    file.idle(false);
    let failure = deliver(&mut file, "{\"record\":2}").unwrap_err();
    assert!(failure.cause.contains("was changed by others"), "{}", failure.cause);
    deliver(&mut file, "{\"record\":3}").unwrap();
}

#[test]
fn a_log_is_where_links_lead_and_a_file_that_is_whole_is_not_touched() {
    let mut log = Chained::new("links");
    let real = log.folder.join("far/away/real.log");
    fs::create_dir_all(real.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, &log.path).unwrap();
    log.rotation.max_bytes = 1;
    log.run(3);
    assert!(log.folder.join("far/away/real.log.000001").exists() && fs::read_link(&log.path).is_ok());
    assert_eq!(log.faults(), []);
    assert_eq!(verify(&log.path, &[]).unwrap().records, 3);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::open(&real).unwrap().set_modified(old).unwrap();
    let _file = log.open(true);
    assert_eq!(fs::metadata(&real).unwrap().modified().unwrap(), old, "as where only appending is allowed");
}

#[test]
fn a_log_that_is_written_to_and_rotated_meanwhile_is_as_it_was_written() {
    let mut log = Chained::new("live");
    log.rotation = Rotation { max_bytes: 2_000, keep: 1_000_000, compression: Compression::Gzip, ..log.rotation };
    log.run(1);
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = log.open(false);
            let text = "x".repeat(300);
            while !ended.load(Relaxed) {
                deliver(&mut file, &format!("{{\"record\":\"{text}\"}}")).unwrap();
            }
            file.idle(true);
        });
        let begun = Instant::now();
        let mut found = Vec::new();
        while found.is_empty() && begun.elapsed() < Duration::from_secs(3) {
            match verify(&log.path, &[log.signer.verifier()]) {
                Ok(report) => found.extend(report.faults.into_iter().map(|fault| fault.problem)),
                Err(error) => found.push(error.to_string()),
            }
        }
        ended.store(true, Relaxed);
        assert_eq!(found, Vec::<String>::new());
    });
    assert_eq!(log.faults(), []);
}
