//! A Verdict of the example's own, on free ports.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value as Json;
use verdict::client::{Client, Question, Refusal, Settings};

/// The longest that anything is waited for: the example runs on busy machines, too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The process; killed when dropped.
pub(crate) struct Pdp {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Pdp {
    /// Starts it on the example's policies, and waits until it answers.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let program = program()?;
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tonic/policies");
        let mut command = Command::new(&program);
        command.arg("serve").arg("--policies").arg(policies);
        command.args(["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-format", "json"]);
        command.env("VERDICT_ADMIN_ADDRESS", "off").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| {
            format!("can't run `{}`; build it with `cargo build`, or name it with VERDICT", program.display())
        })?;
        let mut lines = BufReader::new(child.stderr.take().context("its log")?).lines().map_while(Result::ok);
        let mut pdp = Self { child, address: String::new() };
        let listening = lines.find_map(|line| {
            let line: Json = serde_json::from_str(&line).ok()?;
            (line.get("message")? == "listening").then(|| line.get("grpc")?.as_str().map(str::to_owned))?
        });
        // It must not wait for somebody to read what it logs.
        std::thread::spawn(move || lines.for_each(drop));
        pdp.address = listening.context("Verdict ended before it listened")?;
        pdp.answers().await?;
        Ok(pdp)
    }

    /// Waits until it has policies.
    async fn answers(&self) -> anyhow::Result<()> {
        let client = Client::lazy(&self.address, Settings { deadline: PATIENCE, ..Settings::default() })?;
        let end = Instant::now() + PATIENCE;
        while let Err(Refusal::Fault(fault)) = client.check(&Question::may(("user", "x"), "x", ("x", "x"))).await {
            if Instant::now() > end {
                bail!("Verdict does not answer: {fault}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Pdp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What VERDICT names, or the program beside the folder of this one: `target/debug/verdict`.
fn program() -> anyhow::Result<PathBuf> {
    if let Some(program) = env::var_os("VERDICT") {
        return Ok(program.into());
    }
    let this = env::current_exe()?;
    let folder = this.parent().and_then(Path::parent).context("this program's folder")?;
    Ok(folder.join("verdict"))
}
