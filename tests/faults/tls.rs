//! TLS: who gets in, who does not, and certificates that change meanwhile.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_rustls::rustls;
use verdict::{
    api::grpc::proto::{Effect, decision_service_client::DecisionServiceClient},
    client::Tls,
};

use crate::{
    sized,
    support::{ALWAYS, Client, Folder, PATIENCE, Serve, Server, eventually, run, to, verdict},
};

/// An authority, and a folder for what it issues.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Of two with one name, a list of one would be looked for in the other's.
        let name = format!("authority {}", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    /// A certificate with these names; what begins with a scheme is a URI.
    pub(crate) fn issue(&self, names: &[&str], serial: u64) -> Issued {
        let (uris, dns): (Vec<_>, Vec<_>) =
            names.iter().map(|name| (*name).to_owned()).partition(|name| name.contains("://"));
        let mut params = CertificateParams::new(dns).unwrap();
        params.subject_alt_names.extend(uris.into_iter().map(|uri| SanType::URI(uri.try_into().unwrap())));
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Writes over a file as a renamed one does.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.folder.path().join(name), self.folder.path().join(format!("{name}.new")));
        fs::write(&new, text).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.write("ca.pem", &self.issuer.pem())
    }

    /// A certificate of names, a key and whatever else `change` says, in DER.
    pub(crate) fn issue_der(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, Vec<u8>) {
        let (uris, dns): (Vec<_>, Vec<_>) =
            names.iter().map(|name| (*name).to_owned()).partition(|name| name.contains("://"));
        let mut params = CertificateParams::new(dns).unwrap();
        params.subject_alt_names.extend(uris.into_iter().map(|uri| SanType::URI(uri.try_into().unwrap())));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().der().to_vec(), key.serialize_der())
    }

    /// Its own certificate.
    pub(crate) fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// A list of revocations, in DER.
    pub(crate) fn revoked_der(&self, serials: &[u64]) -> Vec<u8> {
        pem::parse(self.revoked(serials)).unwrap().into_contents()
    }

    fn revoked(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// A server whose two doors have a certificate of this, and want one of clients.
    pub(crate) fn serve(&self, folder: &Folder) -> Serve {
        self.secure(Serve::folder(folder))
    }

    /// The same of another server to be.
    pub(crate) fn secure(&self, mut serve: Serve) -> Serve {
        let own = self.issue(&["localhost", "127.0.0.1"], 1);
        let (certificate, key) = (self.write("server.pem", &own.certificate), self.write("server.key", &own.key));
        for door in ["GRPC", "HTTP"] {
            serve = serve
                .env(&format!("VERDICT_{door}_TLS_CERT_FILE"), certificate.to_str().unwrap())
                .env(&format!("VERDICT_{door}_TLS_KEY_FILE"), key.to_str().unwrap())
                .env(&format!("VERDICT_{door}_TLS_CLIENT_CA_FILE"), self.ca().to_str().unwrap());
        }
        serve
    }

    /// A client that trusts this, and shows what it is given.
    pub(crate) fn client(&self, server: &Server, shown: Option<&Issued>) -> Client {
        let identity = shown.map(|shown| (shown.certificate.as_bytes(), shown.key.as_bytes()));
        let tls = Tls::new(Some(self.issuer.pem().as_bytes()), identity).unwrap();
        DecisionServiceClient::new(tls.lazy(&server.grpc, |endpoint| endpoint).unwrap())
    }
}

/// Asks on a new connection; the code of the error, if it is one.
pub(crate) async fn asked(mut client: Client) -> Result<Effect, tonic::Code> {
    let answer = tokio::time::timeout(PATIENCE, client.check(to(ALWAYS))).await.expect("an end");
    answer.map(|answer| answer.into_inner().verdict.unwrap().effect()).map_err(|status| status.code())
}

async fn serving(authority: &Authority, server: &Server) -> Issued {
    server.logged("policies active").await;
    let good = authority.issue(&["spiffe://example.org/gateway"], 2);
    assert_eq!(asked(authority.client(server, Some(&good))).await, Ok(Effect::Allow));
    good
}

#[tokio::test]
async fn nobody_gets_in_without_a_certificate_of_the_authority() {
    let (authority, other, folder) = (Authority::new(), Authority::new(), Folder::always(&[]));
    let server = authority.serve(&folder).listening().await;
    let good = serving(&authority, &server).await;
    // None, another authority's, and one that signed itself.
    let foreign = other.issue(&["spiffe://example.org/gateway"], 2);
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["gateway".to_owned()]).unwrap().self_signed(&key).unwrap();
    let own = Issued { certificate: own.pem(), key: key.serialize_pem() };
    for shown in [None, Some(&foreign), Some(&own)] {
        assert!(asked(authority.client(&server, shown)).await.is_err());
    }
    // Plain text, at both doors.
    if let Ok(mut client) = DecisionServiceClient::connect(format!("http://{}", server.grpc)).await {
        assert!(client.check(to(ALWAYS)).await.is_err());
    }
    let mut plain = TcpStream::connect(server.http).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET /health/live HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut answer)).await.expect("an end");
    assert!(!answer.starts_with(b"HTTP"), "no HTTP in plain text");
    assert_eq!(asked(authority.client(&server, Some(&good))).await, Ok(Effect::Allow));
}

#[tokio::test]
async fn metrics_say_why_and_until_when() {
    // HTTP in plain text, so that it can be asked.
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let own = authority.issue(&["localhost", "127.0.0.1"], 1);
    let (certificate, key) = (authority.write("s.pem", &own.certificate), authority.write("s.key", &own.key));
    let server = Serve::folder(&folder)
        .env("VERDICT_GRPC_TLS_CERT_FILE", certificate.to_str().unwrap())
        .env("VERDICT_GRPC_TLS_KEY_FILE", key.to_str().unwrap())
        .env("VERDICT_GRPC_TLS_CLIENT_CA_FILE", authority.ca().to_str().unwrap())
        .listening()
        .await;
    serving(&authority, &server).await;
    assert!(asked(authority.client(&server, None)).await.is_err());
    let mut plain = TcpStream::connect(&server.grpc).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut Vec::new())).await.expect("an end");
    for cause in ["tls_no_certificate", "tls_none"] {
        let sample = format!("verdict_connections_refused_total{{door=\"grpc\",cause=\"{cause}\"}}");
        eventually(cause, async || (server.metric(&sample).await? > 0.0).then_some(())).await;
        assert_eq!(server.metric(&sample).await, Some(1.0), "{cause}");
    }
    let ends = "verdict_certificate_expiry_timestamp_seconds{door=\"grpc\",source=\"files\"}";
    assert!(server.metric(ends).await.unwrap() > 1.9e9, "what rcgen makes lives long");
    authority.write("s.key", "-----BEGIN NONSENSE-----");
    server.logged("new certificates are of no use").await;
    let last = "verdict_certificate_last_reload_successful{door=\"grpc\"}";
    assert_eq!(server.metric(last).await, Some(0.0));
    let failed = "verdict_certificate_reloads_total{door=\"grpc\",result=\"failed\"}";
    assert_eq!(server.metric(failed).await, Some(1.0));
    authority.write("s.key", &own.key);
    eventually("the files are as they were", async || (server.metric(last).await? > 0.0).then_some(())).await;
}

#[tokio::test]
async fn what_the_list_revokes_is_out_and_without_delay() {
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let list = authority.write("crl.pem", &authority.revoked(&[7]));
    let server = authority.serve(&folder).env("VERDICT_GRPC_TLS_CRL_FILE", list.to_str().unwrap()).listening().await;
    let good = serving(&authority, &server).await;
    let revoked = authority.issue(&["spiffe://example.org/gateway"], 7);
    assert!(asked(authority.client(&server, Some(&revoked))).await.is_err());
    authority.write("crl.pem", &authority.revoked(&[2, 7]));
    server.logged("new certificates are in use").await;
    assert!(asked(authority.client(&server, Some(&good))).await.is_err(), "now revoked");
    // An empty list would let all back in.
    authority.write("crl.pem", "");
    server.logged("new certificates are of no use").await;
    assert!(asked(authority.client(&server, Some(&good))).await.is_err(), "the last good list goes on");
}

/// `VERDICT_TEST_SWAPS` (2) new certificates under load, then a broken one.
#[tokio::test]
async fn certificates_change_and_no_call_fails() {
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let server = authority.serve(&folder).listening().await;
    let good = serving(&authority, &server).await;
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (stop, mut steady) = (std::sync::Arc::clone(&done), authority.client(&server, Some(&good)));
    let mut fresh: Vec<_> = (0..40).map(|_| authority.client(&server, Some(&good))).collect();
    let load = tokio::spawn(async move {
        let mut calls = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            steady.check(to(ALWAYS)).await.expect("an answer on the old connection");
            if let Some(client) = fresh.pop() {
                assert_eq!(asked(client).await, Ok(Effect::Allow), "on a new connection");
            }
            calls += 1;
        }
        calls
    });
    let swaps = sized("VERDICT_TEST_SWAPS", 2);
    for swap in 0..swaps {
        let own = authority.issue(&["localhost", "127.0.0.1"], 100 + swap as u64);
        // One file after the other: in between, they don't fit.
        authority.write("server.pem", &own.certificate);
        authority.write("server.key", &own.key);
        let count = || server.lines().iter().filter(|line| line["message"] == "new certificates are in use").count();
        // Each of the two doors says so.
        eventually("both doors take it", async || (count() >= 2 * (swap + 1)).then_some(())).await;
    }
    authority.write("server.key", "-----BEGIN NONSENSE-----");
    server.logged("new certificates are of no use").await;
    assert_eq!(asked(authority.client(&server, Some(&good))).await, Ok(Effect::Allow), "the last good one goes on");
    done.store(true, Ordering::Relaxed);
    let calls = tokio::time::timeout(PATIENCE, load).await.expect("the load ends").unwrap();
    println!("figure: {swaps} swaps and a broken one under {calls} calls, 0 failed");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_ended() {
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let server = authority.serve(&folder).env("VERDICT_SERVER_HANDSHAKE_TIMEOUT", "500ms").listening().await;
    for address in [server.grpc.clone(), server.http.to_string()] {
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await.expect("the server closes it");
    }
}

#[tokio::test]
async fn the_command_line_asks_over_mutual_tls() {
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let server = authority.serve(&folder).listening().await;
    let good = serving(&authority, &server).await;
    let (cert, key) = (authority.write("c.pem", &good.certificate), authority.write("c.key", &good.key));
    let ask = |more: &[&str]| {
        let question =
            ["check", "--subject", "user:a", "--action", "read", "--resource", "document:d", "--policy", ALWAYS];
        let ended = run(verdict().args(question).args(["--server", &server.grpc]).args(more));
        (ended.code, ended.stderr)
    };
    let (ca, cert, key) = (authority.ca(), cert.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned());
    let ca = ca.to_str().unwrap();
    assert_eq!(ask(&["--ca", ca, "--cert", &cert, "--key", &key]).0, Some(0));
    for refused in [vec![], vec!["--ca", ca], vec!["--tls"], vec!["--ca", ca, "--cert", &cert]] {
        assert_ne!(ask(&refused).0, Some(0), "{refused:?}");
    }
}

#[test]
fn plain_text_stays_on_this_machine_unless_it_is_said() {
    let check = |arguments: &[&str]| run(verdict().args(["serve", "--check-config"]).args(arguments));
    for door in ["--grpc", "--http"] {
        for address in ["0.0.0.0:7001", "[::]:7001", "192.0.2.1:7001"] {
            let refused = check(&[door, address]);
            assert_eq!(refused.code, Some(64), "{door} {address}");
            assert!(
                refused.stderr.contains("plain text") && refused.stderr.contains("--insecure"),
                "{}",
                refused.stderr
            );
            assert_eq!(check(&[door, address, "--insecure"]).code, Some(0));
        }
        for address in ["127.0.0.2:7001", "[::1]:7001", "unix:/tmp/x.sock"] {
            assert_eq!(check(&[door, address]).code, Some(0), "{door} {address}");
        }
    }
}

#[tokio::test]
async fn files_of_no_use_end_the_start() {
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let stranger = Authority::new().issue(&["localhost"], 1).key;
    for (setting, text) in
        [("KEY_FILE", stranger.as_str()), ("CERT_FILE", "nonsense"), ("CLIENT_CA_FILE", ""), ("CRL_FILE", "nonsense")]
    {
        let bad = authority.write("bad", text);
        let ended = authority.serve(&folder).env(&format!("VERDICT_GRPC_TLS_{setting}"), bad.to_str().unwrap()).run();
        assert_eq!(ended.code, Some(64), "{setting}: {}", ended.stderr);
        assert!(ended.stderr.contains("grpc.tls_"), "{}", ended.stderr);
    }
}

/// A client that trusts an authority, and shows what it is given.
fn connector(
    versions: &[&'static rustls::SupportedProtocolVersion],
    (trusted, shown): (&Authority, Option<&Issued>),
) -> tokio_rustls::TlsConnector {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.der().into()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(shown) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(shown.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    std::sync::Arc::new(config).into()
}

/// Shakes hands with a door; what the client, or the server a little later, has against it.
async fn shaken(address: &str, connector: &tokio_rustls::TlsConnector) -> std::io::Result<()> {
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect(name, stream).await?;
    // In TLS 1.3, a client's certificate is looked at only after its handshake: the server's SETTINGS say that it is good.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    tokio::io::AsyncWriteExt::write_all(&mut stream, preface).await?;
    let settings = stream.read_u8();
    tokio::time::timeout(PATIENCE, settings).await.expect("an answer or an end").map(drop)
}

/// A session is no way around the end of the certificate that it began with.
#[tokio::test]
async fn a_certificate_that_has_ended_is_out_also_where_there_was_a_session() {
    use rustls::version::{TLS12, TLS13};
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let server = authority.serve(&folder).listening().await;
    let begun = std::time::Instant::now();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (certificate, key) = authority.issue_der(&["spiffe://example.org/a"], |params| {
        params.not_after = date_time_ymd(1970, 1, 1) + now + std::time::Duration::from_secs(12);
    });
    let text = |tag: &str, contents: Vec<u8>| pem::encode(&pem::Pem::new(tag, contents));
    let short = Issued { certificate: text("CERTIFICATE", certificate), key: text("PRIVATE KEY", key) };
    let connectors = [&TLS12, &TLS13].map(|version| connector(&[version], (&authority, Some(&short))));
    for connector in &connectors {
        assert!(shaken(&server.grpc, connector).await.is_ok());
    }
    eventually("it has ended", async || (begun.elapsed().as_secs() >= 14).then_some(())).await;
    for (connector, version) in connectors.iter().zip(["1.2", "1.3"]) {
        assert!(shaken(&server.grpc, connector).await.is_err(), "TLS {version}");
    }
}

#[tokio::test]
async fn each_door_has_its_own_floor_and_its_own_authorities() {
    use rustls::version::{TLS12, TLS13};
    let (own, other, folder) = (Authority::new(), Authority::new(), Folder::always(&[]));
    let server = own
        .serve(&folder)
        .env("VERDICT_GRPC_TLS_MIN_VERSION", "1.3")
        .env("VERDICT_HTTP_TLS_CLIENT_CA_FILE", other.ca().to_str().unwrap())
        .listening()
        .await;
    let (grpc, http) = (server.grpc.clone(), server.http.to_string());
    let (mine, theirs) = (own.issue(&["spiffe://example.org/a"], 2), other.issue(&["spiffe://example.org/b"], 2));
    // The server's certificate is of one authority at both doors.
    assert!(shaken(&grpc, &connector(&[&TLS13], (&own, Some(&mine)))).await.is_ok());
    assert!(shaken(&grpc, &connector(&[&TLS12], (&own, Some(&mine)))).await.is_err(), "below the floor");
    assert!(shaken(&grpc, &connector(&[&TLS13], (&own, Some(&theirs)))).await.is_err(), "the other door's authority");
    for version in [&TLS12, &TLS13] {
        assert!(shaken(&http, &connector(&[version], (&own, Some(&theirs)))).await.is_ok(), "{version:?}");
        assert!(shaken(&http, &connector(&[version], (&own, Some(&mine)))).await.is_err(), "{version:?}");
        assert!(shaken(&http, &connector(&[version], (&own, None))).await.is_err(), "{version:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_does_not_hold_up_the_end() {
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let serve = authority.serve(&folder).env("VERDICT_SERVER_HANDSHAKE_TIMEOUT", "1m");
    let mut server = serve.env("VERDICT_SERVER_DRAIN_TIMEOUT", "10m").listening().await;
    let mut silent = Vec::new();
    for address in [server.grpc.clone(), server.http.to_string()] {
        for sent in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, sent).await.unwrap();
            silent.push(stream);
        }
    }
    server.signal("TERM");
    assert!(server.ended().await.success());
}
