//! What verifying a token costs: checks with one beside checks without, of one server in this process, in turns.

use std::{
    fmt::Write as _,
    num::NonZeroUsize,
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow, ensure};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaPair, KeySize},
    signature::{self, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use der::{Decode as _, asn1::Uint};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use verdict::{
    config::Config,
    decision::Query,
    identity::{Algorithm, Identity, Issuer, Mapping},
    issuers::{self, KeysFrom, Means, Settings, Times, Transport},
};

use super::{
    Args,
    client::{self, Connection},
    generated::Directory,
    load::{self, Plan},
    loopback::Loopback,
    progress,
    questions::{Method, Requests},
    report, tick,
};
use crate::cli::say;

/// The issuer, and the audience of its tokens.
const ISSUER: &str = "https://bench.invalid";

/// How a token is signed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Signed {
    /// RSA of 2,048 bits, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// ECDSA on P-256.
    Es256,
}

/// What signs.
enum Signer {
    Rsa(Box<RsaPair>),
    Curve(EcdsaKeyPair),
}

/// What a turn came to.
#[derive(Clone, Copy)]
struct Turn {
    requests_per_second: f64,
    p50: Duration,
    p99: Duration,
    /// The share of answers that allow.
    allowed: f64,
    /// Denies because something went wrong: on a busy machine, mostly because the evaluation budget was spent.
    failed: u64,
}

pub(super) fn run(args: &Args, signed: Signed, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    let threads = args.server_threads.or(thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let directory = Directory::generate();
    let signer = Signer::new(signed)?;
    let keys = tempfile_of(&signer.keys()?.to_string())?;
    let config = Config { identity: issuers(signed, keys.0.clone()), ..Config::default() };
    let server = Loopback::serving("real-server", threads, &directory, config)?;
    let channels = runtime.block_on(client::connect(&server.address.to_string(), args.connections.get()))?;

    let mut queries: Vec<Query> = directory.questions().into_iter().map(|(query, _)| query).collect();
    queries.truncate(args.tokens.get());
    let bearing = queries.iter().map(|query| Ok((query.clone(), signer.token(&query.subject.id)?)));
    let bearing = bearing.collect::<anyhow::Result<Vec<_>>>()?;
    let with = Arc::new(Requests::bearing(bearing));
    let without = Arc::new(Requests::encode(queries, Method::Check, None));

    let plan = Plan {
        concurrency: args.concurrency.get(),
        warmup: args.warmup.unwrap_or(Duration::from_millis(500)),
        duration: args.duration.unwrap_or(Duration::from_secs(3)),
        rate: None,
    };
    let rounds = u32::try_from(args.rounds())?;
    let bar = progress("comparing", (plan.warmup + plan.duration) * 2 * rounds);
    let ticking = runtime.spawn(tick(bar.clone()));
    let mut turns = Vec::new();
    for _ in 0..rounds {
        let turn = |requests| runtime.block_on(turn(&channels, requests, plan));
        let [without, with] = [turn(&without)?, turn(&with)?];
        // A token that is refused is quickly answered: such figures compare nothing.
        let (share, of) = (with.allowed, without.allowed);
        ensure!(
            of > 0.0 && share > 0.95 * of,
            "{share:.3} of the checks with a token are allowed, and {of:.3} without"
        );
        turns.push([without, with]);
    }
    ticking.abort();
    bar.finish_and_clear();
    say(&shown(args, signed, threads, &turns));
    Ok(ExitCode::SUCCESS)
}

async fn turn(channels: &[Channel], requests: &Arc<Requests>, plan: Plan) -> anyhow::Result<Turn> {
    let connections = channels.iter().cloned().map(Connection::Grpc).collect();
    let tally = load::run(connections, requests, plan).await?;
    ensure!(tally.answers > 0, "the server answered nothing: {:?}", tally.errors);
    ensure!(tally.errors.is_empty() && tally.unanswered == 0, "it did not answer everything: {:?}", tally.errors);
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let allowed = tally.said.allow as f64 / (tally.said.allow + tally.said.deny).max(1) as f64;
    let (p50, p99) = (tally.percentile(50.0), tally.percentile(99.0));
    Ok(Turn { requests_per_second: tally.requests_per_second(), p50, p99, allowed, failed: tally.said.failed })
}

fn shown(args: &Args, signed: Signed, threads: NonZeroUsize, turns: &[[Turn; 2]]) -> String {
    let median = |figure: &dyn Fn(&[Turn; 2]) -> f64| {
        let mut figures: Vec<f64> = turns.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let figures = |figure: fn(&Turn) -> f64| {
        let [without, with] = [median(&|[without, _]| figure(without)), median(&|[_, with]| figure(with))];
        [without, with, median(&|[without, with]| figure(with) / figure(without))]
    };
    let rate = figures(|turn| turn.requests_per_second);
    let times = [figures(|turn| turn.p50.as_secs_f64()), figures(|turn| turn.p99.as_secs_f64())];
    let (name, tokens) = (format!("{signed:?}").to_uppercase(), args.tokens);
    if args.json {
        let row = |[without, with, ratio]: [f64; 3]| json!({ "without": without, "with": with, "ratio": ratio });
        let [p50, p99] = times;
        let rounds: Vec<f64> =
            turns.iter().map(|[without, with]| with.requests_per_second / without.requests_per_second).collect();
        return json!({
            "algorithm": name, "tokens": tokens, "server_threads": threads, "rounds": rounds,
            "requests_per_second": row(rate), "p50_s": row(p50), "p99_s": row(p99),
        })
        .to_string();
    }
    let mut out = format!("{threads} server threads, {tokens} tokens, median of {} rounds\n\n", args.rounds());
    let title = format!("Check, {} connections x {} in flight", args.connections, args.concurrency);
    let _ = writeln!(out, "{title:<44}{:>11}{:>11}{:>11}", "no token", name, "ratio");
    let [without, with, ratio] = rate;
    let _ =
        writeln!(out, "  {:<42}{:>11}{:>11}{ratio:>11.2}", "requests/s", report::whole(without), report::whole(with));
    for (name, [without, with, ratio]) in ["p50", "p99"].into_iter().zip(times) {
        let time = |seconds| report::time(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let _ = writeln!(out, "  {name:<42}{:>11}{:>11}{ratio:>11.2}", time(without), time(with));
    }
    let failed: u64 = turns.iter().flatten().map(|turn| turn.failed).sum();
    if failed > 0 {
        let _ = writeln!(out, "  warning: {failed} denies because something went wrong; is the machine busy?");
    }
    out.truncate(out.trim_end().len());
    out
}

impl Signer {
    fn new(signed: Signed) -> anyhow::Result<Self> {
        let failed = |_| anyhow!("can't make a key");
        Ok(match signed {
            Signed::Rs256 => Self::Rsa(Box::new(RsaPair::generate(KeySize::Rsa2048).map_err(failed)?)),
            Signed::Es256 => {
                let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                Self::Curve(EcdsaKeyPair::generate(algorithm).map_err(failed)?)
            }
        })
    }

    /// The set of its key.
    fn keys(&self) -> anyhow::Result<Json> {
        let key = match self {
            Self::Rsa(pair) => {
                // RFC 8017 §A.1.1: a sequence of the modulus and the exponent.
                let parts = Vec::<Uint>::from_der(pair.public_key().as_ref())?;
                let [n, e] = parts.as_slice() else { return Err(anyhow!("can't read the key that was made")) };
                json!({ "kty": "RSA", "kid": "key", "n": encoded(n.as_bytes()), "e": encoded(e.as_bytes()) })
            }
            Self::Curve(pair) => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": "P-256", "kid": "key", "x": encoded(x), "y": encoded(y) })
            }
        };
        Ok(json!({ "keys": [key] }))
    }

    /// A token of that user's, such as authorization servers make them.
    fn token(&self, user: &str) -> anyhow::Result<String> {
        let alg = match self {
            Self::Rsa(_) => "RS256",
            Self::Curve(_) => "ES256",
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "key" }).to_string();
        let claims = json!({
            "iss": ISSUER, "sub": user, "aud": ISSUER, "iat": now, "exp": now + 3_600, "client_id": "bench",
            "jti": uuid::Uuid::now_v7().to_string(), "scope": "documents:read documents:write reports:read",
        });
        let text = format!("{}.{}", encoded(header), encoded(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&signature::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
                signed.map(|()| signature)
            }
            Self::Curve(pair) => pair.sign(&random, text.as_bytes()).map(|signature| signature.as_ref().to_vec()),
        };
        Ok(format!("{text}.{}", encoded(signature.map_err(|_| anyhow!("can't sign"))?)))
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn issuers(signed: Signed, keys: std::path::PathBuf) -> issuers::Config {
    let algorithm = match signed {
        Signed::Rs256 => Algorithm::Rs256,
        Signed::Es256 => Algorithm::Es256,
    };
    let hour = Duration::from_hours(1);
    let issuer = Issuer {
        name: "bench".to_owned(),
        identity: Identity::Issuer(ISSUER.to_owned()),
        algorithms: vec![algorithm],
        audience: vec![ISSUER.to_owned()],
        types: vec!["at+jwt".to_owned()],
        leeway: Duration::from_secs(30),
        max_age: None,
        max_lifetime: Some(hour * 24),
        required_claims: Vec::new(),
        bound: false,
        subject: Mapping::default(),
    };
    let times = Times { refresh: hour, stale: hour, apart: Duration::from_secs(1) };
    let means = Means::Keys { from: KeysFrom::File(keys), times };
    let settings = Settings { issuer, means, transport: Transport::default() };
    issuers::Config { issuers: [("bench".to_owned(), settings)].into(), ..issuers::Config::default() }
}

/// A file that goes away with this.
struct File(std::path::PathBuf);

fn tempfile_of(text: &str) -> anyhow::Result<File> {
    let path = std::env::temp_dir().join(format!("verdict-bench-{}.json", uuid::Uuid::now_v7()));
    std::fs::write(&path, text).with_context(|| format!("can't write `{}`", path.display()))?;
    Ok(File(path))
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
