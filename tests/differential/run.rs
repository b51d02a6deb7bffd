//! A run: as many policies as it takes, each asked about many inputs; what differs is shrunk.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt,
    path::Path,
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{
    cases,
    compare::{self, Class, Difference},
    generate, inputs,
    known::{self, Asked},
    oracle::Opa,
    ours::Ours,
    tape::{self, Choices},
    words::Words,
};

/// Inputs that one policy is asked about.
const INPUTS: usize = 20;

/// The most choices of a policy, and of an input.
const CHOICES: (usize, usize) = (220, 60);

/// What a run found.
pub(crate) struct Report {
    evaluations: usize,
    policies: usize,
    /// Questions that OPA takes too long for.
    unanswered: usize,
    /// Policies that OPA rejects, and how many of these we load, by OPA's code.
    rejected: usize,
    accepted: BTreeMap<String, (usize, String)>,
    /// Policies that we refuse and OPA loads, by code.
    refused: BTreeMap<String, (usize, String)>,
    differences: BTreeMap<Class, usize>,
    /// Those that are written down: how many, and the shortest policy of each kind.
    known: BTreeMap<&'static str, (usize, String)>,
    shown: BTreeMap<String, (usize, String)>,
    kinds: BTreeSet<String>,
    took: Duration,
}

/// Runs with what the environment says.
pub(crate) fn run(program: &Path) -> Report {
    let number = |name: &str, default: usize| {
        env::var(format!("VERDICT_DIFFERENTIAL_{name}")).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (wanted, seed, most) = (number("EVALUATIONS", 500), number("SEED", 1), number("SHRINK", 20));
    let (words, started) = (Words::read(), Instant::now());
    let mut runner = TestRunner::new_with_rng(Config::default(), rng(seed));
    let base = serde_json::from_str(inputs::BASE).expect("JSON");
    let mut opa = Opa::start(program, &base);
    let mut report = Report {
        evaluations: 0,
        policies: 0,
        unanswered: 0,
        rejected: 0,
        accepted: BTreeMap::new(),
        refused: BTreeMap::new(),
        differences: BTreeMap::new(),
        known: BTreeMap::new(),
        shown: BTreeMap::new(),
        kinds: BTreeSet::new(),
        took: Duration::ZERO,
    };
    // Panics of what is tested are results here; their places would drown the report.
    std::panic::set_hook(Box::new(|panic| {
        if panic.location().is_some_and(|place| place.file().starts_with("tests")) {
            eprintln!("{panic}");
        }
    }));
    let mut shrunk = 0;
    while report.evaluations < wanted {
        let choices = tape::draw(&mut runner, CHOICES.0);
        let policy = generate::policy(&words, &choices);
        report.policies += 1;
        let (theirs, own) = (opa.load(&policy), Ours::load(&policy));
        let (Ok(()), Ok(mut own)) = (&theirs, own) else {
            report.unloaded(&policy, theirs);
            continue;
        };
        for _ in 0..INPUTS {
            let asked = tape::draw(&mut runner, CHOICES.1);
            let found = compare::differences(&mut opa, &mut own, &policy, inputs::input(&asked).as_deref());
            let Some(found) = found else {
                report.unanswered += 1;
                break;
            };
            report.evaluations += 1;
            let first = found.into_iter().find(|one| !report.knows(&mut opa, &policy, &asked, one));
            let Some(first) = first else { continue };
            *report.differences.entry(first.class).or_default() += 1;
            // One of each error is enough; values tell no kinds apart.
            let kind = compare::kind(&first);
            if shrunk < most && report.kinds.insert(kind.clone().unwrap_or_else(|| policy.clone())) {
                shrunk += 1;
                report.shrink(&mut opa, &words, &choices, &asked, &(first.class, kind));
            }
            break;
        }
    }
    drop(std::panic::take_hook());
    report.took = started.elapsed();
    report
}

fn rng(seed: usize) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

impl Report {
    pub(crate) fn holds(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether a difference is one that is written down. It is counted.
    fn knows(&mut self, opa: &mut Opa, policy: &str, input: &Choices, difference: &Difference) -> bool {
        let input = inputs::input(input);
        let Some(reason) = known::reason(opa, &Asked { policy, input: input.as_deref(), difference }) else {
            return false;
        };
        let text = || format!("{difference}\n  input: {}\n{policy}", input.as_deref().unwrap_or("undefined"));
        let entry = self.known.entry(reason).or_insert_with(|| (0, text()));
        entry.0 += 1;
        if policy.len() < entry.1.len() {
            entry.1 = text();
        }
        true
    }

    fn unloaded(&mut self, policy: &str, theirs: Result<(), (String, String)>) {
        let own = Ours::load(policy).err();
        match (theirs, own) {
            (Err((code, message)), None) => {
                self.rejected += 1;
                let entry = self.accepted.entry(code).or_insert_with(|| (0, format!("{message}\n{policy}")));
                entry.0 += 1;
                if policy.len() < entry.1.len() {
                    entry.1 = format!("{message}\n{policy}");
                }
            }
            (Err(_), Some(_)) => self.rejected += 1,
            (Ok(()), Some((code, cause))) => {
                let kind = format!("{code}: {}", cause.chars().take(60).collect::<String>());
                let entry = self.refused.entry(kind).or_insert_with(|| (0, format!("{cause}\n{policy}")));
                entry.0 += 1;
                if policy.len() < entry.1.len() {
                    entry.1 = format!("{cause}\n{policy}");
                }
            }
            (Ok(()), None) => {}
        }
    }

    fn shrink(
        &mut self,
        opa: &mut Opa,
        words: &Words,
        choices: &Choices,
        asked: &Choices,
        kind: &(Class, Option<String>),
    ) {
        let mut differs = |choices: &Choices, asked: &Choices| -> Option<Difference> {
            let policy = generate::policy(words, choices);
            opa.load(&policy).ok()?;
            let mut own = Ours::load(&policy).ok()?;
            let input = inputs::input(asked);
            let found = compare::differences(opa, &mut own, &policy, input.as_deref());
            let same = found?.into_iter().find(|one| (one.class, compare::kind(one)) == *kind)?;
            let known = known::reason(opa, &Asked { policy: &policy, input: input.as_deref(), difference: &same });
            known.is_none().then_some(same)
        };
        let choices = tape::shrink(choices, 1000, |candidate| differs(candidate, asked).is_some());
        let asked = tape::shrink(asked, 300, |candidate| differs(&choices, candidate).is_some());
        let Some(difference) = differs(&choices, &asked) else { return };
        let (policy, input) = (generate::policy(words, &choices), inputs::input(&asked));
        if env::var_os("VERDICT_DIFFERENTIAL_WRITE").is_some() {
            cases::write(&policy, input.as_deref(), &difference);
        }
        let text = format!("{difference}\n  input: {}", input.as_deref().unwrap_or("undefined"));
        self.shown.entry(policy).or_insert((0, text)).0 += 1;
        // Loaded again for the inputs that are left.
        let _ = opa.load(&generate::policy(words, &choices));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (policy, (times, text)) in &self.shown {
            writeln!(out, "--- {times} x {text}\n{policy}")?;
        }
        for (reason, (times, text)) in &self.known {
            writeln!(out, "--- known, {times} x {reason}\n{text}")?;
        }
        for (kind, (times, text)) in &self.refused {
            writeln!(out, "--- refused {times} x {kind}\n{text}")?;
        }
        for (code, (times, text)) in &self.accepted {
            writeln!(out, "--- loaded, though OPA rejects it, {times} x {code}: {text}")?;
        }
        writeln!(
            out,
            "differential: {} evaluations of {} policies in {:.1?}; OPA rejects {}, of which we load {}; we refuse {} others",
            self.evaluations,
            self.policies,
            self.took,
            self.rejected,
            self.accepted.values().map(|(times, _)| times).sum::<usize>(),
            self.refused.values().map(|(times, _)| times).sum::<usize>(),
        )?;
        let known: BTreeMap<_, _> = self.known.iter().map(|(reason, (times, _))| (reason, times)).collect();
        writeln!(out, "known differences: {known:?}")?;
        write!(out, "without an answer of OPA: {}; other differences: {:?}", self.unanswered, self.differences)
    }
}
