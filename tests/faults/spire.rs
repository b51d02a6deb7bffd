//! Certificates from SPIRE, unmodified: its server and its agent, of which `VERDICT_TEST_SPIRE` names the folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use verdict::{
    api::grpc::proto::{Effect, decision_service_client::DecisionServiceClient},
    client::Tls,
};

use crate::{
    support::{ALWAYS, Folder, Serve, eventually, to},
    tls::asked,
};

const DOMAIN: &str = "spiffe://example.org";

/// A part of SPIRE; ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Spire {
    programs: PathBuf,
    home: tempfile::TempDir,
}

impl Spire {
    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text.replace("HOME", self.home.path().to_str().unwrap())).unwrap();
        path
    }

    fn start(&self, program: &str, arguments: &[&str]) -> Running {
        let log = fs::File::create(self.path(&format!("{program}.log"))).unwrap();
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Running(command.spawn().unwrap())
    }

    /// What a command says, if it ends well.
    fn say(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = Command::new(self.programs.join(program)).args(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}

const SERVER: &str = r#"
server {
  bind_address = "127.0.0.1"
  bind_port = "PORT"
  socket_path = "HOME/server.sock"
  trust_domain = "example.org"
  data_dir = "HOME/server"
  log_level = "WARN"
  ca_ttl = "1h"
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "HOME/datastore.sqlite3" } }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
"#;

const AGENT: &str = r#"
agent {
  server_address = "127.0.0.1"
  server_port = "PORT"
  socket_path = "HOME/agent.sock"
  trust_domain = "example.org"
  data_dir = "HOME/agent"
  log_level = "WARN"
  insecure_bootstrap = true
}
plugins {
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
"#;

/// A port that nobody has.
fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn uid() -> String {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").unwrap().uid().to_string()
}

#[tokio::test]
async fn a_server_of_spire_gives_svids_and_gives_new_ones_in_time() {
    let Some(programs) = std::env::var_os("VERDICT_TEST_SPIRE").map(PathBuf::from) else {
        let required = std::env::var("VERDICT_TEST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "spire"), "VERDICT_TEST_SPIRE names no SPIRE");
        println!("skipped: VERDICT_TEST_SPIRE names no folder with spire-server and spire-agent");
        return;
    };
    let spire = Spire { programs, home: tempfile::tempdir().unwrap() };
    for folder in ["server", "agent"] {
        fs::create_dir(spire.home.path().join(folder)).unwrap();
    }
    let port = free();
    let server_config = spire.write("server.conf", &SERVER.replace("PORT", &port));
    let agent_config = spire.write("agent.conf", &AGENT.replace("PORT", &port));
    let (control, socket) = (spire.path("server.sock"), spire.path("agent.sock"));
    let _server = spire.start("spire-server", &["run", "-config", &server_config]);
    let parent = format!("{DOMAIN}/host");
    let token = eventually("a token", async || {
        let arguments = ["token", "generate", "-socketPath", &control, "-spiffeID", &parent];
        spire.say("spire-server", &arguments)?.strip_prefix("Token: ").map(|token| token.trim().to_owned())
    })
    .await;
    let selector = format!("unix:uid:{}", uid());
    let entry = |id: &str, hint: &str| {
        let id = format!("{DOMAIN}/{id}");
        let arguments = ["entry", "create", "-socketPath", &control, "-parentID", &parent, "-spiffeID", &id];
        let more = ["-selector", &selector, "-hint", hint, "-dns", "localhost", "-x509SVIDTTL", "20"];
        spire.say("spire-server", &[&arguments[..], &more].concat()).expect("an entry");
    };
    entry("web", "web");
    entry("pdp", "pdp");
    let agent = spire.start("spire-agent", &["run", "-config", &agent_config, "-joinToken", &token]);
    let shown = spire.home.path().join("shown");
    fs::create_dir(&shown).unwrap();
    // As a client would: by SPIRE's own command.
    let fetch = async || {
        let arguments = ["api", "fetch", "x509", "-silent", "-socketPath", &socket, "-write", shown.to_str().unwrap()];
        spire.say("spire-agent", &arguments)?;
        let read = |name: String| fs::read_to_string(Path::new(&shown).join(name)).ok();
        let of_web = |at: usize| {
            let certificate = read(format!("svid.{at}.pem"))?;
            let der = pem::parse(&certificate).ok()?.into_contents();
            let has = der.windows(11).any(|window| window == b"example.org") && der.windows(4).any(|w| w == b"/web");
            has.then_some((certificate, read(format!("svid.{at}.key"))?, read(format!("bundle.{at}.pem"))?))
        };
        // Both are there only once the agent knows of both entries.
        read("svid.1.pem".to_owned())?;
        of_web(0).or_else(|| of_web(1))
    };
    let _ = eventually("SVIDs", fetch).await;
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder)
        .env("SPIFFE_ENDPOINT_SOCKET", &format!("unix://{socket}"))
        .env("VERDICT_GRPC_TLS_SPIFFE", "true")
        .env("VERDICT_SPIFFE_HINT", "pdp")
        .listening()
        .await;
    server.logged("policies active").await;
    let given = server.logged("the SPIFFE agent gave SVIDs").await;
    assert!(given["svids"].as_str().unwrap().contains("spiffe://example.org/pdp"), "{given}");
    let client = async || {
        let (certificate, key, bundle) = eventually("an SVID", fetch).await;
        let tls = Tls::new(Some(bundle.as_bytes()), Some((certificate.as_bytes(), key.as_bytes()))).unwrap();
        let port = server.grpc.rsplit_once(':').unwrap().1;
        DecisionServiceClient::new(tls.lazy(&format!("localhost:{port}"), |endpoint| endpoint).unwrap())
    };
    let mut steady = client().await;
    // SVIDs live 20 seconds, and are new after about half of that.
    let mut calls = 0;
    let news = || server.lines().iter().filter(|line| line["message"] == "new certificates are in use").count();
    for round in 1..=2 {
        eventually("a new SVID", async || {
            assert!(steady.check(to(ALWAYS)).await.is_ok(), "on the old connection");
            assert_eq!(asked(client().await).await, Ok(Effect::Allow), "on a new one");
            calls += 1;
            (news() >= round).then_some(())
        })
        .await;
    }
    drop(agent);
    server.logged("what it gave last goes on").await;
    assert!(steady.check(to(ALWAYS)).await.is_ok(), "without an agent");
    println!("2 new SVIDs of SPIRE under {calls} pairs of calls, 0 failed");
}
