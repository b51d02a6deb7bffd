//! The shipped configurations, served by: the files laid out as the kubelet lays them, the probes asked as it asks them.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value as Json;
use tempfile::TempDir;
use tonic::Code;
use verdict::{
    api::grpc::proto::{Effect, decision_service_client::DecisionServiceClient},
    client::Tls,
};

use crate::{
    authority::{Authority, Issued},
    container,
    manifests::{Mounted, Pods, Set, documents, list, plain, rendered},
    support::{Client, Ended, PATIENCE, Serve, Server, asking, eventually, run, verdict},
};

/// Where configurations have their files.
const FOLDERS: [&str; 3] = ["/etc/verdict", "/run/verdict", "/var/lib/verdict"];

/// The files of a pod.
pub(crate) struct Files {
    root: TempDir,
    pub(crate) authority: Authority,
}

/// A server on them.
struct Served {
    server: Server,
    files: Files,
    is_secure: bool,
}

#[test]
fn every_configuration_is_one_that_the_program_takes() {
    for set in plain().into_iter().chain(rendered()) {
        for pods in set.pods() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("verdict.yaml");
            fs::write(&file, pods.config()).unwrap();
            let ended = run(verdict()
                .env_remove("VERDICT_ADMIN_ADDRESS")
                .args(["serve", "--check-config", "--config"])
                .arg(&file));
            assert_eq!(ended.code, Some(0), "{}: {}", set.name, ended.stderr);
        }
    }
}

#[tokio::test]
async fn every_set_is_served_by_and_its_probes_see_it() {
    for set in plain().into_iter().chain(rendered()) {
        for pods in set.pods() {
            // These would come from afar.
            if documents(&pods.config())[0]["bundles"].is_object() {
                continue;
            }
            let mut served = serve(&pods, &[]).await;
            served.ready().await;
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                assert!(served.probed(&pods, probe).await, "{}: {probe}", set.name);
            }
            let healthcheck = served.exec(&container::healthcheck());
            assert_eq!(healthcheck.code, Some(0), "{}: {}", set.name, healthcheck.stderr);
            let status = run(verdict().args(["policy", "status", "--server", &served.files.admin(&pods)]));
            assert_eq!(status.code, Some(0), "{}: {}", set.name, status.stderr);
            served.server.signal("TERM");
            assert!(served.server.ended().await.success(), "{}", set.name);
        }
    }
}

#[tokio::test]
async fn a_pod_whose_policies_are_broken_lives_and_is_not_ready() {
    for set in plain() {
        let pods = &set.pods()[0];
        let served = serve(pods, &[("etc/verdict/policies/authz.rego", "package authz\n\nallow if {\n")]).await;
        assert!(served.probed(pods, "livenessProbe").await, "{}", set.name);
        eventually("the first load has failed", async || {
            assert!(!served.probed(pods, "readinessProbe").await, "{}", set.name);
            served.exec(&container::healthcheck()).stderr.contains("the first load failed").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn who_may_ask_is_what_the_manifests_say() {
    for set in plain().iter().filter(|set| !set.name.ends_with("sidecar")) {
        let pods = &set.pods()[0];
        let served = serve(pods, &[]).await;
        served.ready().await;
        let shop = served.files.authority.issue(&["spiffe://cluster.local/ns/shop/sa/cart"]);
        let other = served.files.authority.issue(&["spiffe://cluster.local/ns/other/sa/cart"]);
        let foreign = Authority::new().issue(&["spiffe://cluster.local/ns/shop/sa/cart"]);
        assert_eq!(served.ask(Some(&shop), "read").await, Ok(Effect::Allow), "{}", set.name);
        assert_eq!(served.ask(Some(&shop), "delete").await, Ok(Effect::Deny), "{}", set.name);
        assert_eq!(served.ask(Some(&other), "read").await, Err(Code::PermissionDenied), "{}", set.name);
        for nobody in [None, Some(&foreign)] {
            // No connection, or one that ends as soon as it has begun: in TLS 1.3, the server judges last.
            let refused = served.ask(nobody, "read").await;
            assert!(refused.is_err_and(|code| code != Code::PermissionDenied), "{}: {refused:?}", set.name);
        }
        let prometheus = served.files.authority.issue(&["prometheus.monitoring.svc"]);
        for (who, status) in [(None, 401), (Some(&shop), 403), (Some(&prometheus), 200)] {
            assert_eq!(served.get("/metrics", who).await, Some(status), "{}", set.name);
        }
    }
}

#[tokio::test]
async fn a_sidecar_answers_who_is_in_its_pod() {
    let sets = plain();
    let set = sets.iter().find(|set| set.name.ends_with("sidecar")).unwrap();
    let served = serve(&set.pods()[0], &[]).await;
    served.ready().await;
    let mut question = asking("user:alice", "read", "order:1");
    let owner = serde_json::json!({"owner": "alice"});
    question.resource.as_mut().unwrap().properties = Some(crate::support::object(owner));
    assert_eq!(served.server.ask(question).await.effect(), Effect::Allow);
    assert_eq!(served.server.ask(asking("user:alice", "read", "order:1")).await.effect(), Effect::Deny);
}

#[tokio::test]
async fn a_door_that_wants_certificates_is_looked_at_with_one() {
    let sets = plain();
    let pods = &sets[0].pods()[0];
    let strict = pods.config().replace("tls_client_optional: true", "tls_client_optional: false");
    let served = serve(pods, &[("etc/verdict/verdict.yaml", &strict)]).await;
    let shown = served.files.authority.issue(&["probe.verdict.svc"]);
    let foreign = Authority::new().issue(&["probe.verdict.svc"]);
    let look = |shown: &Issued| {
        let place = served.files.root.path();
        let (cert, key) = (place.join("probe.crt"), place.join("probe.key"));
        fs::write(&cert, &shown.certificate).unwrap();
        fs::write(&key, &shown.key).unwrap();
        let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
        served.exec(&["/usr/local/bin/verdict", "healthcheck", "--cert", cert, "--key", key])
    };
    eventually("it is well", async || (look(&shown).code == Some(0)).then_some(())).await;
    let ended = look(&foreign);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let ended = served.exec(&container::healthcheck());
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("http.tls_client_optional"), "{}", ended.stderr);
}

/// Starts a server as this pod does, with these files in place of its own.
async fn serve(pods: &Pods<'_>, instead: &[(&str, &str)]) -> Served {
    let files = Files::of(pods);
    for (path, text) in instead {
        fs::write(files.root.path().join(path), files.here(text)).unwrap();
    }
    let config = files.config();
    let is_secure = documents(&pods.config())[0]["http"]["tls_cert_file"].is_string();
    let serve = Serve::embedded().arg("--config").arg(config.to_str().unwrap());
    let server = serve.env("VERDICT_ADMIN_ADDRESS", &files.admin(pods)).listening().await;
    Served { server, files, is_secure }
}

impl Files {
    /// All that is mounted into Verdict's container. The paths in its configuration are changed to where that is.
    pub(crate) fn of(pods: &Pods<'_>) -> Self {
        let files = Self { root: tempfile::tempdir().unwrap(), authority: Authority::new() };
        for (at, key, from) in pods.mounts() {
            let place = files.root.path().join(at.trim_start_matches('/'));
            match from {
                Mounted::ConfigMap(map) => files.config_map(pods.set, map, key, &place),
                Mounted::Secret(name) => lay(&place, &files.secret(name)),
                Mounted::Empty => {
                    fs::create_dir_all(&place).unwrap();
                    // As `fsGroup` has it: every container of the pod can write here.
                    fs::set_permissions(&place, fs::Permissions::from_mode(0o2777)).unwrap();
                }
            }
        }
        files
    }

    /// The file of the configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.root.path().join("etc/verdict/verdict.yaml")
    }

    /// The operators' socket.
    fn admin(&self, pods: &Pods<'_>) -> String {
        let config = &documents(&pods.config())[0];
        self.here(config["admin"]["address"].as_str().expect("a socket for operators"))
    }

    fn config_map(&self, set: &Set, map: &str, key: Option<&str>, place: &Path) {
        let others = || vec![("p.rego".to_owned(), "package authz\n\ndefault decision := false\n".to_owned())];
        let content = set.config_map(map).unwrap_or_else(others);
        match key {
            Some(key) => {
                let (_, text) = content.iter().find(|(name, _)| name == key).unwrap();
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::write(place, self.here(text)).unwrap();
            }
            None => lay(place, &content),
        }
    }

    /// What the manifests say of what is in it.
    fn secret(&self, name: &str) -> Vec<(String, String)> {
        if name.contains("key") {
            let line = run(verdict().args(["key", "batch"])).stdout;
            let line = line.lines().find_map(|line| line.strip_prefix("line  ")).expect("a line").to_owned();
            return vec![("keys".to_owned(), line + "\n")];
        }
        let own = self.authority.issue(&["verdict.verdict.svc", "localhost", "127.0.0.1"]);
        [("tls.crt", own.certificate), ("tls.key", own.key), ("ca.crt", self.authority.pem())]
            .map(|(name, text)| (name.to_owned(), text))
            .into()
    }

    fn here(&self, text: &str) -> String {
        let root = self.root.path().to_str().unwrap();
        FOLDERS.iter().fold(text.to_owned(), |text, folder| text.replace(folder, &format!("{root}{folder}")))
    }
}

/// Files as the kubelet lays them: links to links, so that it can change all of them at once.
fn lay(place: &Path, content: &[(String, String)]) {
    let version = place.join("..2026_11_28_00_00_00.1");
    fs::create_dir_all(&version).unwrap();
    symlink(version.file_name().unwrap(), place.join("..data")).unwrap();
    for (name, text) in content {
        fs::write(version.join(name), text).unwrap();
        symlink(Path::new("..data").join(name), place.join(name)).unwrap();
    }
}

impl Served {
    async fn ready(&self) {
        eventually("it is ready", async || (self.get("/health/ready", None).await == Some(200)).then_some(())).await;
    }

    /// Whether the kubelet would be content.
    async fn probed(&self, pods: &Pods<'_>, kind: &str) -> bool {
        let probe = &pods.verdict[kind];
        if let Some(path) = probe["httpGet"]["path"].as_str() {
            return self.get(path, None).await.is_some_and(|status| (200..400).contains(&status));
        }
        let command: Vec<_> = list(&probe["exec"]["command"]).iter().map(|word| word.as_str().unwrap()).collect();
        self.exec(&command).code == Some(0)
    }

    /// Runs a command in the container, as it were.
    fn exec(&self, command: &[impl AsRef<str>]) -> Ended {
        let words: Vec<_> = command.iter().map(AsRef::as_ref).collect();
        let (program, arguments) = words.split_first().unwrap();
        assert_eq!(*program, "/usr/local/bin/verdict");
        let mut command = verdict();
        command.args(arguments).env("VERDICT_CONFIG", self.files.config());
        // The tests' server has the port that the system gave it.
        run(command.env("VERDICT_HTTP_ADDRESS", self.server.http.to_string()))
    }

    /// The status of an answer of the HTTP door to who shows that; `None` without an answer.
    async fn get(&self, path: &str, shown: Option<&Issued>) -> Option<u16> {
        let authority = reqwest::Certificate::from_pem(self.files.authority.pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).timeout(PATIENCE);
        let client = match shown {
            None => client,
            Some(shown) => {
                let pem = format!("{}{}", shown.certificate, shown.key);
                client.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
            }
        };
        let scheme = if self.is_secure { "https" } else { "http" };
        let url = format!("{scheme}://{}{path}", self.server.http);
        Some(client.build().unwrap().get(url).send().await.ok()?.status().as_u16())
    }

    /// Asks whether alice may, showing that.
    async fn ask(&self, shown: Option<&Issued>, action: &str) -> Result<Effect, Code> {
        let identity = shown.map(|shown| (shown.certificate.as_bytes(), shown.key.as_bytes()));
        let tls = Tls::new(Some(self.files.authority.pem().as_bytes()), identity).unwrap();
        let lazy = tls.lazy(&self.server.grpc, |endpoint| endpoint.timeout(Duration::from_secs(20))).unwrap();
        let mut client: Client = DecisionServiceClient::new(lazy);
        let answer = client.check(asking("user:alice", action, "order:1")).await;
        answer.map(|answer| answer.into_inner().verdict.unwrap().effect()).map_err(|status| status.code())
    }
}

/// The text of a configuration, where its door for HTTP is.
pub(crate) fn http_of(config: &Json) -> &str {
    config["http"]["address"].as_str().unwrap()
}
