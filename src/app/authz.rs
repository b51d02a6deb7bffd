//! Who may ask Verdict what: a policy of its own, apart from those that it decides by, so that no bundle can open the door.

mod remembered;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use self::remembered::{Answered, Counts, Remembered};
use crate::{
    api::caller::{Action, Asked, Authorizer, Config, DOORS, Keys},
    bundle::Bundle,
    decision::{Decider, EntryPoint, Input, Query},
    policy::{Options, Snapshot},
};

/// The policy that reads the grants.
const BUILT_IN: &str = include_str!("authz/policy.rego");

/// How much of the processor's time one answer may take.
const BUDGET: Duration = Duration::from_millis(20);

/// How long one answer may take in all: where the processor is busy, that is no reason to say no.
const PATIENCE: Duration = Duration::from_millis(250);

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The files of callers, and what they say now.
pub(super) struct Callers {
    config: Config,
    keys: Arc<ArcSwap<Keys>>,
    policy: Arc<Policy>,
    seen: Mutex<Seen>,
    again: Notify,
}

/// The policy, ready to be asked.
struct Policy {
    current: ArcSwap<Published>,
    options: Options,
    counts: Counts,
    /// How often it said no, by the door.
    denied: [AtomicU64; DOORS.len()],
}

/// A policy with its grants, and what it has answered: both go together.
struct Published {
    decider: Decider,
    /// None where the policy may answer the same question otherwise the next time.
    remembered: Option<Remembered>,
}

#[derive(Default)]
struct Seen {
    current: [u8; 32],
    broken: Option<[u8; 32]>,
}

/// A file of grants.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Grants {
    grants: Vec<Grant>,
}

/// What some callers may.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    callers: Vec<String>,
    actions: Vec<String>,
    #[serde(default = "everything")]
    doors: Vec<String>,
    #[serde(default)]
    entry_points: Vec<String>,
    #[serde(default)]
    explain: bool,
    #[serde(default)]
    at_revision: bool,
}

/// The files, as they were read.
struct Files {
    keys: Option<Vec<u8>>,
    policy: Vec<(String, Vec<u8>)>,
}

impl Callers {
    /// Reads the files; `None` where callers need not be known.
    pub(super) fn open(config: &Config, options: &Options) -> Result<Option<Self>, String> {
        if !config.required {
            return Ok(None);
        }
        let files = Files::read(config)?;
        let keys = Arc::new(ArcSwap::from_pointee(files.keys(config)?));
        let policy = Policy {
            current: ArcSwap::from_pointee(Published::compile(&files, *options)?),
            options: *options,
            counts: Counts::new(threads(options)),
            denied: Default::default(),
        };
        let seen = Mutex::new(Seen { current: files.digest(), broken: None });
        Ok(Some(Self { config: config.clone(), keys, policy: Arc::new(policy), seen, again: Notify::new() }))
    }

    pub(super) fn keys(&self) -> Arc<ArcSwap<Keys>> {
        Arc::clone(&self.keys)
    }

    pub(super) fn authorizer(&self) -> Arc<dyn Authorizer> {
        Arc::clone(&self.policy) as Arc<dyn Authorizer>
    }

    /// How many answers were remembered, and how many were not.
    pub(super) fn remembered(&self) -> (u64, u64) {
        self.policy.counts.figures()
    }

    /// How often a caller was denied what they wanted, by the door.
    pub(super) fn denied(&self) -> Vec<(&'static str, u64)> {
        DOORS.iter().zip(&self.policy.denied).map(|(door, count)| (door.0, count.load(Relaxed))).collect()
    }

    /// Looks at the files now, not only at the next second.
    pub(super) fn look_again(&self) {
        self.again.notify_one();
    }

    /// Follows the files for as long as this is polled.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.again.notified() => {}
            }
            let this = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    fn look(&self) {
        let read = Files::read(&self.config);
        let digest = match &read {
            Ok(files) => files.digest(),
            Err(fault) => Sha256::digest(fault).into(),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if digest == seen.current || seen.broken == Some(digest) {
            return;
        }
        let taken = read.and_then(|files| {
            let keys = files.keys(&self.config)?;
            self.policy.publish(&files)?;
            self.keys.store(Arc::new(keys));
            Ok(())
        });
        match taken {
            Ok(()) => {
                *seen = Seen { current: digest, broken: None };
                tracing::info!("who may ask what has changed");
            }
            Err(fault) => {
                seen.broken = Some(digest);
                tracing::error!("who may ask what can't be read anew; what was last good goes on: {fault}");
            }
        }
    }
}

impl Policy {
    fn publish(&self, files: &Files) -> Result<(), String> {
        self.current.store(Arc::new(Published::compile(files, self.options)?));
        Ok(())
    }
}

impl Published {
    fn compile(files: &Files, options: Options) -> Result<Self, String> {
        let bundle = Bundle::from_files(files.policy.iter().cloned()).map_err(|fault| fault.to_string())?;
        let repeatable = Options { capabilities: options.capabilities.repeatable(), ..options };
        let (snapshot, remembered) = match Snapshot::compile(&bundle, 1, repeatable) {
            Ok(snapshot) => (snapshot, Some(Remembered::new(threads(&options)))),
            // What may answer otherwise the next time is one such fault, and there may be others.
            Err(_) => (Snapshot::compile(&bundle, 1, options).map_err(|faults| faults.to_string())?, None),
        };
        let decider = Decider::new(EntryPoint::from_parts(["system", "authz", "allow"].map(str::to_owned)), BUDGET);
        if !snapshot.has_entry(decider.default_policy()) {
            return Err("callers.policy: there is no rule `data.system.authz.allow`".to_owned());
        }
        if remembered.is_none() {
            tracing::info!(
                "the policy on who may ask looks at the time, at chance or at the network: it is asked each time"
            );
        }
        drop(decider.publish(Arc::new(snapshot)));
        Ok(Self { decider, remembered })
    }

    fn ask(&self, asked: &Asked<'_>) -> Answered {
        let query = Query { input: Input::Document(asked.input()), ..Query::default() };
        let verdict = self.decider.decide_blocking(&query, PATIENCE);
        verdict.map_or(Answered { allowed: false, is_final: false }, |verdict| Answered {
            allowed: verdict.is_allow(),
            // An error, or a budget that was spent, may be none the next time; what a policy gives a time is good for that.
            is_final: verdict.diagnostics.is_empty() && verdict.ttl.is_none(),
        })
    }
}

impl Authorizer for Policy {
    fn allows(&self, asked: &Asked<'_>) -> bool {
        let published = self.current.load();
        let allowed = match &published.remembered {
            Some(remembered) => remembered.or(asked, &self.counts, || published.ask(asked)),
            None => published.ask(asked).allowed,
        };
        if !allowed && let Some((_, count)) = DOORS.iter().zip(&self.denied).find(|(door, _)| **door == asked.door) {
            count.fetch_add(1, Relaxed);
        }
        allowed
    }
}

/// How many threads ask at once: those that serve, and one more.
fn threads(options: &Options) -> usize {
    options.evaluators.saturating_add(1)
}

impl Files {
    fn read(config: &Config) -> Result<Self, String> {
        let keys = config.keys_file.as_deref().map(|path| contents("callers.keys_file", path)).transpose()?;
        let policy = if let Some(folder) = &config.policy {
            let mut files = folder_of(folder)?;
            if let Some(path) = &config.grants_file {
                if files.iter().any(|(name, _)| name.starts_with("data.")) {
                    return Err(
                        "callers.grants_file: `callers.policy` has data of its own; keep one of them".to_owned()
                    );
                }
                files.push(("data.json".to_owned(), grants(path)?));
            }
            files
        } else {
            let none = || Ok(br#"{"grants":[]}"#.to_vec());
            let grants = config.grants_file.as_deref().map_or_else(none, grants)?;
            vec![("data.json".to_owned(), grants), ("policy.rego".to_owned(), BUILT_IN.as_bytes().to_vec())]
        };
        Ok(Self { keys, policy })
    }

    fn keys(&self, config: &Config) -> Result<Keys, String> {
        let Some(bytes) = &self.keys else { return Ok(Keys::default()) };
        let file = config.keys_file.as_deref().unwrap_or(Path::new("")).display();
        let text = std::str::from_utf8(bytes).map_err(|_| format!("callers.keys_file: `{file}` is not UTF-8"))?;
        text.parse().map_err(|fault| format!("callers.keys_file: `{file}`: {fault}"))
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let keys = self.keys.iter().map(|keys| ("", keys));
        for (name, bytes) in self.policy.iter().map(|(name, bytes)| (name.as_str(), bytes)).chain(keys) {
            for part in [name.as_bytes(), bytes] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().into()
    }
}

/// The grants of a file, as the policy reads them. What is not understood is none: a misspelt door would be every door.
fn grants(path: &Path) -> Result<Vec<u8>, String> {
    let fault = |problem: &str| format!("callers.grants_file: `{}`: {problem}", path.display());
    let bytes = contents("callers.grants_file", path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("is not UTF-8"))?;
    let grants: Grants = yaml_serde::from_str(text).map_err(|error| fault(&error.to_string()))?;
    for Grant { callers, actions, doors, entry_points, .. } in &grants.grants {
        if let Some(caller) = callers.iter().find(|caller| !is_caller(caller)) {
            let expected = "`spiffe://…`, `dns:…`, `uri:…`, `key:…`, `token:…#…` or `unix:…`, and `*` only as a last segment of a SPIFFE ID";
            return Err(fault(&format!("`{caller}` names no caller; write it like {expected}")));
        }
        let known = Action::ALL.map(Action::name);
        if let Some(action) = actions.iter().find(|action| !known.contains(&action.as_str())) {
            return Err(fault(&format!("`{action}` is no action; there are `{}`", known.join("`, `"))));
        }
        let known = DOORS.map(|door| door.0);
        if let Some(door) = doors.iter().find(|door| *door != "*" && !known.contains(&door.as_str())) {
            return Err(fault(&format!("`{door}` is no door; there are `{}` and `*`", known.join("`, `"))));
        }
        for entry_point in entry_points.iter().filter(|entry_point| *entry_point != "*") {
            let canonical: EntryPoint = entry_point.parse().map_err(|invalid| fault(&format!("{invalid}")))?;
            if canonical.as_str() != entry_point {
                return Err(fault(&format!("`{entry_point}` is written `{canonical}`")));
            }
        }
    }
    serde_json::to_vec(&grants).map_err(|error| fault(&error.to_string()))
}

fn is_caller(text: &str) -> bool {
    let kinds = ["spiffe://", "dns:", "uri:", "key:", "token:", "unix:"];
    let stars = text.matches('*').count();
    let is_below =
        stars == 1 && text.starts_with("spiffe://") && text.ends_with("/*") && text.len() > "spiffe:///*".len();
    kinds.iter().any(|kind| text.strip_prefix(kind).is_some_and(|rest| !rest.is_empty())) && (stars == 0 || is_below)
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

fn contents(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{setting}: `{}` can't be read: {error}", path.display()))
}

/// The files of a folder, without those of folders in it.
fn folder_of(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let fault = |error: std::io::Error| format!("callers.policy: `{}` can't be read: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path: PathBuf = entry.map_err(fault)?.path();
        let (Some(name), true) = (path.file_name().and_then(|name| name.to_str()), path.is_file()) else { continue };
        files.push((name.to_owned(), contents("callers.policy", &path)?));
    }
    files.sort();
    Ok(files)
}
