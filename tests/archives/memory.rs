//! Each hostile archive is refused as it should be, while the process grows by less than 64 MiB.

use std::{fs, time::Instant};

use verdict::bundle::{Limits, Package};

use crate::hostile::CASES;

const MOST: usize = 64 << 20;

/// A line of the process' status, in bytes.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn hostile_archives_are_refused_in_little_memory() {
    assert!(CASES.len() >= 50);
    let (mut wrong, mut most) = (Vec::new(), (0, ""));
    for (name, make, expected) in CASES {
        let archive = make();
        // The peak begins again at what is there now.
        let resets = fs::write("/proc/self/clear_refs", "5").is_ok();
        let (before, start) = (status("VmRSS:"), Instant::now());
        let read = Package::read(&archive, &Limits::default());
        let (rise, took) = (status("VmHWM:").saturating_sub(before), start.elapsed());
        match read {
            Err(error) if error.to_string().contains(expected) => {}
            Err(error) => wrong.push(format!("{name}: refused with: {error}")),
            Ok(package) => wrong.push(format!("{name}: read, {} files", package.files.len())),
        }
        if resets && rise >= MOST {
            wrong.push(format!("{name}: took {} MiB", rise >> 20));
        }
        if took.as_secs() >= 20 {
            wrong.push(format!("{name}: took {took:?}"));
        }
        most = most.max((rise, name));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
    println!("{} archives; at most {} KiB more, for {}", CASES.len(), most.0 >> 10, most.1);
}
