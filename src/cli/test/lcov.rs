//! Coverage as `lcov` traces it (geninfo(1), "TRACEFILE FORMAT"): rules are functions, a hit is a test that reached it.

use std::fmt::Write as _;

use verdict::policy::{printable, testing::Coverage};

pub(super) fn trace(coverage: &Coverage) -> String {
    let mut out = String::new();
    for (path, file) in &coverage.files {
        let _ = writeln!(out, "TN:\nSF:{}", line(path));
        for rule in &file.rules {
            let _ = writeln!(out, "FN:{},{}", rule.first, line(&rule.name));
        }
        for rule in &file.rules {
            let _ = writeln!(out, "FNDA:{},{}", rule.hits, line(&rule.name));
        }
        let rules = file.rules_share();
        let _ = writeln!(out, "FNF:{}\nFNH:{}", rules.all, rules.covered);
        for (line, hits) in &file.lines {
            let _ = writeln!(out, "DA:{line},{hits}");
        }
        let lines = file.share();
        let _ = writeln!(out, "LF:{}\nLH:{}\nend_of_record", lines.all, lines.covered);
    }
    out
}

/// A record is a line, so that no name may have more.
fn line(text: &str) -> String {
    printable(text).replace('\n', "\u{fffd}")
}
