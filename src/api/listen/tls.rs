//! TLS of a door: certificates from files, which may change while it listens, and who clients prove to be.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};

use super::{Io, certificate::Certificate};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The largest file that is read, in bytes: of lists of revocations, some are long.
const LARGEST: u64 = 16 << 20;

/// The settings of a door's TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The file of its certificate, and of those that lead from it to an authority.
    pub cert_file: Option<PathBuf>,
    /// The file of its key.
    pub key_file: Option<PathBuf>,
    /// The file of the authorities that clients' certificates are from; without it, clients are asked for none.
    pub client_ca_file: Option<PathBuf>,
    /// The file of the lists of revocations of those authorities.
    pub crl_file: Option<PathBuf>,
    /// Whether clients may come without a certificate.
    pub client_optional: bool,
    /// The oldest version that is spoken.
    pub min_version: MinVersion,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// RFC 5246, with suites of forward secrecy only.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// Why a door's files are of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: `{}` {cause}", file.display())]
pub struct Error {
    setting: &'static str,
    file: PathBuf,
    cause: String,
}

/// A door's TLS.
pub struct Tls {
    /// The section of its settings.
    door: &'static str,
    alpn: Vec<Vec<u8>>,
    config: Config,
    current: ArcSwap<ServerConfig>,
    seen: Mutex<Seen>,
}

/// The files as they were, by their hash.
#[derive(Default)]
struct Seen {
    current: [u8; 32],
    broken: Option<([u8; 32], bool)>,
}

/// The contents of the files.
struct Files {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
    crl: Option<Vec<u8>>,
}

impl Config {
    /// Whether the door speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.cert_file.is_some() || self.key_file.is_some()
    }
}

impl Tls {
    /// Reads the files of a door, if it has any. `door` is the section of its settings, `alpn` what it speaks.
    ///
    /// # Errors
    /// If one of the files is of no use.
    pub fn open(door: &'static str, config: &Config, alpn: &[&str]) -> Result<Option<Arc<Self>>, Error> {
        if !config.is_on() {
            return Ok(None);
        }
        let alpn: Vec<_> = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let files = Files::read(door, config)?;
        let current = ArcSwap::from_pointee(files.server(door, config, &alpn)?);
        let seen = Mutex::new(Seen { current: files.digest(), broken: None });
        Ok(Some(Arc::new(Self { door, alpn, config: config.clone(), current, seen })))
    }

    /// Follows the files for as long as this is polled. New connections get what they say; open ones keep what they
    /// began with. What is of no use is told of, and the last good files go on.
    pub async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let this = Arc::clone(&self);
            // Reading and parsing is a blocking affair.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    /// Takes the files as they are now, if they have changed and are of use.
    fn look(&self) {
        let door = self.door;
        let read = Files::read(door, &self.config);
        let digest = match &read {
            Ok(files) => files.digest(),
            Err(error) => Sha256::digest(error.to_string()).into(),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if digest == seen.current {
            seen.broken = None;
            return;
        }
        match read.and_then(|files| files.server(door, &self.config, &self.alpn)) {
            Ok(server) => {
                self.current.store(Arc::new(server));
                (seen.current, seen.broken) = (digest, None);
                tracing::info!(door, "new certificates are in use");
            }
            // Between the change of one file and of the next, they may not fit: only what stays so is told of, once.
            Err(error) => match seen.broken {
                Some((broken, true)) if broken == digest => {}
                Some((broken, false)) if broken == digest => {
                    seen.broken = Some((digest, true));
                    tracing::error!(door, %error, "new certificates are of no use; the last good ones go on");
                }
                _ => seen.broken = Some((digest, false)),
            },
        }
    }

    /// Shakes hands, and tells whose certificate the client has shown, if any.
    pub(super) async fn accept(
        &self,
        stream: Box<dyn Io>,
    ) -> io::Result<(TlsStream<Box<dyn Io>>, Option<Arc<Certificate>>)> {
        let stream = TlsAcceptor::from(self.current.load_full()).accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|certificate| Arc::new(Certificate::read(certificate)));
        Ok((stream, certificate))
    }
}

impl Files {
    fn read(door: &'static str, config: &Config) -> Result<Self, Error> {
        let Config { cert_file, key_file, client_ca_file, crl_file, .. } = config;
        let missing = |setting| Error { setting, file: PathBuf::new(), cause: "is not set".to_owned() };
        let cert_file = cert_file.as_deref().ok_or_else(|| missing(name(door, "tls_cert_file")))?;
        let key_file = key_file.as_deref().ok_or_else(|| missing(name(door, "tls_key_file")))?;
        Ok(Self {
            certificate: contents(name(door, "tls_cert_file"), cert_file)?,
            key: contents(name(door, "tls_key_file"), key_file)?.into(),
            client_ca: optional(name(door, "tls_client_ca_file"), client_ca_file.as_deref())?,
            crl: optional(name(door, "tls_crl_file"), crl_file.as_deref())?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let Self { certificate, key, client_ca, crl } = self;
        let mut hash = Sha256::new();
        for part in [Some(certificate), Some(&**key), client_ca.as_ref(), crl.as_ref()] {
            // Lengths, so that no two sets of files are one text.
            hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            hash.update(part.map_or([].as_slice(), Vec::as_slice));
        }
        hash.finalize().into()
    }

    fn server(&self, door: &'static str, config: &Config, alpn: &[Vec<u8>]) -> Result<ServerConfig, Error> {
        let fault = |leaf: &'static str, file: &Option<PathBuf>, cause: String| Error {
            setting: name(door, leaf),
            file: file.clone().unwrap_or_default(),
            cause,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions: &[&SupportedProtocolVersion] = match config.min_version {
            MinVersion::Tls12 => &[&TLS13, &TLS12],
            MinVersion::Tls13 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| fault("tls_min_version", &None, error.to_string()))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let at_ca = |cause: String| fault("tls_client_ca_file", &config.client_ca_file, cause);
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|_| at_ca("is no PEM of certificates".to_owned()))?;
                    roots.add(certificate).map_err(|error| at_ca(format!("has no good authority: {error}")))?;
                }
                if roots.is_empty() {
                    return Err(at_ca("has no certificate in PEM".to_owned()));
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
                let verifier = match &self.crl {
                    None => verifier,
                    Some(pem) => {
                        let at_crl = |cause: &str| fault("tls_crl_file", &config.crl_file, cause.to_owned());
                        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
                        let lists = lists.map_err(|_| at_crl("is no PEM of lists of revocations"))?;
                        // An empty file would be a list that revokes nobody.
                        if lists.is_empty() {
                            return Err(at_crl("has no list of revocations in PEM (`X509 CRL`)"));
                        }
                        verifier.with_crls(lists)
                    }
                };
                let verifier = if config.client_optional { verifier.allow_unauthenticated() } else { verifier };
                let verifier = verifier.build().map_err(|error| at_ca(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let at_cert = |cause: String| fault("tls_cert_file", &config.cert_file, cause);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|_| at_cert("is no PEM of certificates".to_owned()))?;
        if chain.is_empty() {
            return Err(at_cert("has no certificate in PEM".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| fault("tls_key_file", &config.key_file, "has no private key in PEM".to_owned()))?;
        let mut server = builder
            .with_single_cert(chain, key)
            .map_err(|error| at_cert(format!("does not go with its key: {error}")))?;
        server.alpn_protocols = alpn.to_vec();
        Ok(server)
    }
}

/// The name of a door's setting.
fn name(door: &'static str, leaf: &'static str) -> &'static str {
    match (door, leaf) {
        ("grpc", "tls_cert_file") => "grpc.tls_cert_file",
        ("grpc", "tls_key_file") => "grpc.tls_key_file",
        ("grpc", "tls_client_ca_file") => "grpc.tls_client_ca_file",
        ("grpc", "tls_crl_file") => "grpc.tls_crl_file",
        (_, "tls_cert_file") => "http.tls_cert_file",
        (_, "tls_key_file") => "http.tls_key_file",
        (_, "tls_client_ca_file") => "http.tls_client_ca_file",
        (_, "tls_crl_file") => "http.tls_crl_file",
        _ => leaf,
    }
}

fn optional(setting: &'static str, file: Option<&Path>) -> Result<Option<Vec<u8>>, Error> {
    file.map(|file| contents(setting, file)).transpose()
}

fn contents(setting: &'static str, file: &Path) -> Result<Vec<u8>, Error> {
    use io::Read as _;
    let fault = |cause: String| Error { setting, file: file.to_owned(), cause };
    let opened = fs::File::open(file).map_err(|error| fault(format!("can't be read: {error}")))?;
    let mut bytes = Vec::new();
    opened.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| fault(format!("can't be read: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(fault("is larger than 16 MiB".to_owned()));
    }
    Ok(bytes)
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tls").field("config", &self.config).finish_non_exhaustive()
    }
}

impl FromStr for MinVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => Err(()),
        }
    }
}

impl fmt::Display for MinVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}
