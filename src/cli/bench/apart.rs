//! A server in a process of its own, as `verdict serve` is run: it shares neither an allocator nor a runtime with who
//! asks it.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    num::NonZeroUsize,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value as Json, json};
use verdict::api::Address;

use super::{generated::Directory, loopback::Folder, write_generated};

/// A running server; ends when dropped, and leaves nothing.
pub(super) struct Apart {
    child: Child,
    pub(super) address: Address,
    pub(super) http: Address,
    _folder: Folder,
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

impl Apart {
    /// This program's `serve`, with the generated policy and these settings of the decision log.
    pub(super) fn start(threads: NonZeroUsize, directory: &Directory, decision_log: &Json) -> anyhow::Result<Self> {
        let folder = Folder::below(&env::temp_dir());
        let policies = folder.0.join("policies");
        write_generated(directory, &policies)?;
        let config = json!({
            "grpc": { "address": "127.0.0.1:0" },
            "http": { "address": "127.0.0.1:0" },
            "admin": { "address": "off" },
            "policies": { "path": policies, "strict": true },
            "log": { "format": "json" },
            "server": { "worker_threads": threads },
            "decision_log": decision_log,
        });
        let path = folder.0.join("verdict.yaml");
        // JSON is YAML.
        fs::write(&path, config.to_string()).context("can't write the server's configuration")?;
        let mut command = Command::new(env::current_exe().context("can't find this program")?);
        // Its standard input is ours to hold: it ends with us, also if we are killed.
        command.arg("serve").arg("--until-stdin-ends").arg("--config").arg(path);
        // What is set for another server is not for this one.
        let ours = |name: &str| name.starts_with("VERDICT_") || name.starts_with("OTEL_");
        let set = env::vars_os().map(|(name, _)| name).filter(|name| name.to_str().is_some_and(ours));
        set.for_each(|name| _ = command.env_remove(name));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("can't start the server")?;
        match listening(&mut child) {
            Ok((address, http)) => Ok(Self { child, address, http, _folder: folder }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Nothing of it is wanted any more, so it is not asked to end in order.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Where it says that it listens, for gRPC and for HTTP.
fn listening(child: &mut Child) -> anyhow::Result<(Address, Address)> {
    let said = child.stderr.take().context("the server has no standard error")?;
    let (tell, told) = mpsc::channel();
    // Read to its end: a server whose log nobody takes would wait for that.
    thread::spawn(move || BufReader::new(said).lines().map_while(Result::ok).for_each(|line| _ = tell.send(line)));
    let mut lines = Vec::new();
    while let Ok(line) = told.recv_timeout(PATIENCE) {
        let entry: Json = serde_json::from_str(&line).unwrap_or_default();
        let address = |name: &str| entry.get(name)?.as_str()?.parse().ok();
        if let (Some("listening"), Some(grpc), Some(http)) =
            (entry.get("message").and_then(Json::as_str), address("grpc"), address("http"))
        {
            return Ok((grpc, http));
        }
        lines.push(line);
    }
    bail!("the server did not start: {}", lines.join("\n"))
}
