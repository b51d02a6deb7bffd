//! For people. Nothing that a server or a policy says controls the terminal.

use std::{fmt::Write as _, time::Duration};

use verdict::{
    api::grpc::proto::{
        BundleStatus, ChangeKind, Persistence, PolicyDiagnostic, PolicyFailure, PolicyStatus, Publication,
        PutBundleResponse, Revision, TestOutcome,
    },
    policy::printable,
};

use super::{cause, moment, outcome, place, severity};

pub(in crate::cli::policy) fn status(status: &PolicyStatus) -> String {
    let mut text = match &status.active {
        Some(active) => format!("active       {}", publication(active)),
        None => "active       nothing: no policies were published yet".to_owned(),
    };
    if status.pinned {
        field(&mut text, "pinned", "yes: sources wait for `verdict policy release`");
    }
    let persisted = match status.persistence() {
        Persistence::Off | Persistence::Unspecified => "no: no folder is configured for it".to_owned(),
        Persistence::Pending => "not yet".to_owned(),
        Persistence::Done => "yes".to_owned(),
        Persistence::Failed => format!("no: {}", status.persistence_error),
    };
    field(&mut text, "persisted", &persisted);
    if let Some(failed) = &status.failure {
        field(&mut text, "failure", &failure(failed));
    }
    for one in &status.bundles {
        text.push_str("\n\n");
        text.push_str(&bundle(one));
    }
    printable(&text).into_owned()
}

/// One line: `17  sha256:…  main=v1  2026-11-21T04:28:14Z  source`.
pub(in crate::cli::policy) fn publication(publication: &Publication) -> String {
    let named = publication.revision.as_ref().map(revision).unwrap_or_default();
    let when = publication.published.as_ref().map(moment).unwrap_or_default();
    let kept = if publication.retained { "" } else { "  (no longer retained)" };
    printable(&format!("{named}  {when}  {}{kept}", cause(publication.cause()))).into_owned()
}

/// One line for a status: who, what, and whether all is well.
pub(in crate::cli::policy) fn line(server: &str, status: &PolicyStatus) -> String {
    let active = status.active.as_ref().and_then(|active| active.revision.as_ref());
    let mut text = format!("{server}  {}", active.map_or_else(|| "nothing active".to_owned(), revision));
    if status.pinned {
        text.push_str("  pinned");
    }
    if status.stale {
        text.push_str("  stale");
    }
    let failures = status.bundles.iter().filter_map(|bundle| Some((&bundle.name, bundle.failure.as_ref()?)));
    for (name, failure) in failures {
        let _ = write!(text, "  {name} failed ({})", failure.step);
    }
    if let Some(failure) = &status.failure {
        let _ = write!(text, "  failed ({})", failure.step);
    }
    printable(&text).into_owned()
}

/// What putting a bundle came to, or would.
pub(in crate::cli::policy) fn report(name: &str, dry_run: bool, report: &PutBundleResponse) -> String {
    let active = report.revision.as_ref().map(revision).unwrap_or_default();
    let mut text = match (dry_run, report.accepted, report.changed) {
        (true, true, true) => format!("`{name}` would be taken, and change what is decided"),
        (true, true, false) => format!("`{name}` would be taken, and change nothing"),
        (true, false, _) => format!("`{name}` would be refused"),
        (false, _, true) => format!("`{name}` is active: {active}"),
        (false, _, false) => format!("`{name}` is taken; what is active did not change: {active}"),
    };
    for one in &report.diagnostics {
        text.push_str("\n  ");
        text.push_str(&diagnostic(one));
    }
    tests(&mut text, report);
    let changes = report.changes.clone().unwrap_or_default();
    let rules = changes.rules.iter().map(|change| ("rule", change));
    for (what, change) in rules.chain(changes.data.iter().map(|change| ("data", change))) {
        let sign = match change.kind() {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed | ChangeKind::Unspecified => '~',
        };
        let _ = write!(text, "\n{sign} {what} {}", change.path);
    }
    if changes.truncated {
        text.push_str("\n  and more, which are not listed");
    }
    printable(text.trim_end()).into_owned()
}

fn tests(text: &mut String, report: &PutBundleResponse) {
    if report.tests.is_empty() {
        return;
    }
    let (passed, others): (Vec<_>, Vec<_>) =
        report.tests.iter().partition(|test| test.outcome() == TestOutcome::Passed);
    let _ = write!(text, "\ntests: {} of {} passed", passed.len(), report.tests.len());
    for test in others {
        let at = test.position.as_ref().map(|position| format!(" ({})", place(position))).unwrap_or_default();
        let _ = write!(text, "\n  {} {}.{}{at} {}", outcome(test.outcome()), test.package, test.name, test.message);
    }
}

fn revision(Revision { sequence, digest, bundles }: &Revision) -> String {
    let mut text = format!("{sequence}  {digest}");
    for (name, revision) in bundles {
        let sign = if revision.is_empty() { "" } else { "=" };
        let _ = write!(text, "  {name}{sign}{revision}");
    }
    text
}

fn bundle(bundle: &BundleStatus) -> String {
    let mut text = format!("bundle       {}", bundle.name);
    let unnamed = if bundle.digest.is_empty() { "none active" } else { "without a name" };
    field(&mut text, "revision", if bundle.revision.is_empty() { unnamed } else { &bundle.revision });
    if !bundle.digest.is_empty() {
        field(&mut text, "digest", &bundle.digest);
    }
    let roots: Vec<_> = bundle.roots.iter().map(|root| if root.is_empty() { "(all)" } else { root }).collect();
    if !roots.is_empty() {
        field(&mut text, "roots", &roots.join(", "));
    }
    if let Some(source) = &bundle.source {
        field(&mut text, "source", format!("{} {}", source.kind, source.location).trim_end());
        let age = bundle.age.and_then(|age| Duration::try_from(age).ok());
        let age = age.map_or_else(|| "never was".to_owned(), |age| format!("{} s ago", age.as_secs()));
        field(&mut text, "current", &format!("{age}{}", if bundle.stale { ": stale" } else { "" }));
        if let Some(next) = &source.next_attempt {
            field(&mut text, "next", &moment(next));
        }
    }
    if let Some(failed) = &bundle.failure {
        field(&mut text, "failure", &failure(failed));
    }
    text
}

fn failure(failure: &PolicyFailure) -> String {
    let when = failure.at.as_ref().map(moment).unwrap_or_default();
    let mut text = format!("{} ({when}): {}", failure.step, failure.message);
    for one in &failure.diagnostics {
        text.push('\n');
        text.push_str(&diagnostic(one));
    }
    text
}

fn diagnostic(diagnostic: &PolicyDiagnostic) -> String {
    let at = diagnostic.position.as_ref().map(|position| format!("{}: ", place(position))).unwrap_or_default();
    let help = if diagnostic.help.is_empty() { String::new() } else { format!("; {}", diagnostic.help) };
    format!("{at}{} {}: {}{help}", severity(diagnostic.severity()), diagnostic.code, diagnostic.message)
}

/// A label and what it says, on lines of their own; further lines stand below the first.
fn field(text: &mut String, label: &str, what: &str) {
    let _ = write!(text, "\n{label:<13}{}", what.replace('\n', "\n             "));
}
