//! The environment's part: variables whose names start with `VERDICT_`.
//!
//! A value is looked at only if the variable's name is known; one that is not may hold anybody's secret.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use super::{
    Setting,
    fault::{Fault, Origin, excerpt},
    key::{KEYS, Key},
    near::nearest,
    shape::Raw,
};

/// What every variable of ours starts with.
const PREFIX: &str = "VERDICT_";
/// Names the file, like the flag `--config`.
const FILE: &str = "VERDICT_CONFIG";
/// Read by other parts of Verdict: by its tests, and by its clients.
const ELSEWHERE: [&str; 2] = ["VERDICT_CONFORMANCE_DIR", "VERDICT_SERVER"];
/// What variables of the tests start with.
const TESTS: &str = "VERDICT_TEST_";

/// What the environment says.
#[derive(Default)]
pub(super) struct Environment {
    pub(super) file: Option<PathBuf>,
    pub(super) settings: Vec<Setting>,
    pub(super) faults: Vec<Fault>,
}

/// Reads the variables, in the order of their names.
pub(super) fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Environment {
    let mut ours: Vec<_> = variables
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .collect();
    ours.sort();

    let mut environment = Environment::default();
    for (name, value) in ours {
        if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
            environment.set(key, name, value);
        } else if name == FILE {
            environment.name_file(value);
        } else if !ELSEWHERE.contains(&name.as_str()) && !name.starts_with(TESTS) && !is_service_link(&name, &value) {
            environment.faults.push(unknown(&name));
        }
    }
    environment
}

impl Environment {
    fn set(&mut self, key: &'static Key, name: String, value: OsString) {
        match value.into_string() {
            Ok(value) => {
                self.settings.push(Setting { key, origin: Origin::Variable(name), raw: Raw::Untyped(value) });
            }
            Err(_) => self.faults.push(Fault::new(name, "the value is not UTF-8", key.shape.expected())),
        }
    }

    fn name_file(&mut self, value: OsString) {
        if value.is_empty() {
            self.faults.push(Fault::new(FILE, "is empty", "the path of a file"));
        } else {
            self.file = Some(value.into());
        }
    }
}

fn unknown(name: &str) -> Fault {
    let candidates = KEYS.iter().map(Key::variable).chain([FILE.to_owned()]);
    let expected = nearest(name, candidates).map_or_else(
        || "the name of a setting, such as `VERDICT_GRPC_ADDRESS`".to_owned(),
        |near| format!("a known name; did you mean `{near}`?"),
    );
    Fault::new(excerpt(name), "unknown variable", expected)
}

/// Whether Kubernetes set the variable, which it does in every pod beside a Service whose name starts with `verdict`
/// (`VERDICT_SERVICE_HOST`, `VERDICT_PORT_9191_TCP_ADDR` …): such a Service must not keep its own pods from starting.
fn is_service_link(name: &str, value: &OsStr) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    let of_port = |tail: &str| {
        let mut parts = tail.split('_');
        parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && parts.next().is_some_and(|protocol| PROTOCOLS.contains(&protocol))
            && matches!((parts.next(), parts.next()), (None | Some("PROTO" | "PORT" | "ADDR"), None))
    };
    let is_url =
        || ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.as_encoded_bytes().starts_with(scheme.as_bytes()));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_url())
        || name.split_once("_PORT_").is_some_and(|(_, tail)| of_port(tail))
}
