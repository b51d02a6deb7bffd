use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::*;
use crate::audit::{config::Compression, figures::Counts};

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
    file.rotate().unwrap();
    deliver(&mut file, "b").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
    let names = crate::audit::sink::find(&path).map(|found| found.len()).unwrap();
    assert_eq!(names, 2, "nothing empty was put aside");
    fs::remove_dir_all(folder).unwrap();
}
