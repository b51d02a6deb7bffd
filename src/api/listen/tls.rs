//! TLS of a door: certificates of files or of the SPIFFE Workload API, which may change while it listens, and who clients
//! prove to be.

mod domains;
mod figures;
mod files;
mod leaf;
mod server;
mod workload;

use std::{
    fmt, io,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

pub use self::figures::Certificates;
use self::{figures::Figures, files::Files, server::Parts};
use super::{Io, certificate::Certificate};
use crate::workload::Material;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

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
    /// Whether certificate and authorities come from the SPIFFE Workload API, and not from files.
    pub spiffe: bool,
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

/// Why a door's certificates are of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file is.
    #[error("{setting}: `{}` {cause}", file.display())]
    File {
        /// The setting that names it.
        setting: String,
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// What the settings say together, or what the SPIFFE Workload API gave, is.
    #[error("{setting}: {cause}")]
    Setting {
        /// Which setting.
        setting: String,
        /// What is wrong.
        cause: String,
    },
}

/// What the SPIFFE Workload API says, and which of it is this server's.
#[derive(Clone)]
pub struct Workload {
    /// What it has said last; nothing is known of a door before it is there.
    pub told: watch::Receiver<Option<Arc<Material>>>,
    /// The hint of the server's SVID; without it, the first.
    pub hint: Option<String>,
}

/// A door's TLS.
pub struct Tls {
    /// The section of its settings.
    door: &'static str,
    alpn: Vec<Vec<u8>>,
    config: Config,
    current: ArcSwap<ServerConfig>,
    origin: Origin,
    figures: Figures,
    again: Notify,
}

enum Origin {
    Files(Mutex<Seen>),
    Workload(Workload),
}

/// The files as they were, by their hash.
struct Seen {
    current: [u8; 32],
    broken: Option<([u8; 32], bool)>,
}

impl Config {
    /// Whether the door speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.spiffe || self.cert_file.is_some() || self.key_file.is_some()
    }

    /// Whether clients may be known by their certificates.
    #[must_use]
    pub fn knows_clients(&self) -> bool {
        self.spiffe || self.client_ca_file.is_some()
    }
}

impl Tls {
    /// The TLS of a door, if it has any. `door` is the section of its settings, `alpn` what it speaks; `workload` is for
    /// doors whose certificates come from there, and must have said something.
    ///
    /// # Errors
    /// If its certificates are of no use.
    pub fn open(
        door: &'static str,
        config: &Config,
        alpn: &[&str],
        workload: Option<Workload>,
    ) -> Result<Option<Arc<Self>>, Error> {
        if !config.is_on() {
            return Ok(None);
        }
        let alpn: Vec<_> = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (parts, origin) = if config.spiffe {
            let nothing =
                || Error::Setting { setting: setting(door, "tls_spiffe"), cause: "nothing was given".to_owned() };
            let mut workload = workload.ok_or_else(nothing)?;
            let material = workload.told.borrow_and_update().clone().ok_or_else(nothing)?;
            (workload::parts(door, config, &material, workload.hint.as_deref())?, Origin::Workload(workload))
        } else {
            let files = Files::read(door, config)?;
            let seen = Seen { current: files.digest(), broken: None };
            (files.parts(door, config)?, Origin::Files(Mutex::new(seen)))
        };
        let figures = Figures::new(parts.leaf());
        let current = ArcSwap::from_pointee(parts.server(door, config, &alpn)?);
        Ok(Some(Arc::new(Self { door, alpn, config: config.clone(), current, origin, figures, again: Notify::new() })))
    }

    /// The section of the door's settings.
    #[must_use]
    pub fn door(&self) -> &'static str {
        self.door
    }

    /// Where its certificates come from.
    #[must_use]
    pub fn source(&self) -> &'static str {
        if self.config.spiffe { "spiffe" } else { "files" }
    }

    /// How its certificates fare.
    #[must_use]
    pub fn certificates(&self) -> Certificates {
        self.figures.read()
    }

    /// Looks at the files now, not only at the next second.
    pub fn look_again(&self) {
        self.again.notify_one();
    }

    /// Follows its certificates for as long as this is polled. New connections get what is new; open ones keep what they
    /// began with. What is of no use is told of, and what was last good goes on.
    pub async fn follow(self: Arc<Self>) {
        match &self.origin {
            Origin::Files(_) => loop {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = self.again.notified() => {}
                }
                let this = Arc::clone(&self);
                // Reading and parsing is a blocking affair.
                let _ = tokio::task::spawn_blocking(move || this.look()).await;
            },
            Origin::Workload(workload) => {
                let Workload { mut told, hint } = workload.clone();
                while told.changed().await.is_ok() {
                    let Some(material) = told.borrow_and_update().clone() else { continue };
                    let parts = workload::parts(self.door, &self.config, &material, hint.as_deref());
                    if let Err(error) = parts.and_then(|parts| self.take(&parts)) {
                        self.refuse(&error);
                    }
                }
                std::future::pending::<()>().await;
            }
        }
    }

    /// Takes the files as they are now, if they have changed and are of use.
    fn look(&self) {
        let Origin::Files(seen) = &self.origin else { return };
        let read = Files::read(self.door, &self.config);
        let digest = match &read {
            Ok(files) => files.digest(),
            Err(error) => Sha256::digest(error.to_string()).into(),
        };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if digest == seen.current {
            if seen.broken.take().is_some_and(|(_, told)| told) {
                self.figures.recovered();
            }
            return;
        }
        let taken = read.and_then(|files| files.parts(self.door, &self.config)).and_then(|parts| self.take(&parts));
        match taken {
            Ok(()) => (seen.current, seen.broken) = (digest, None),
            // Between the change of one file and of the next, they may not fit: only what stays so is told of, once.
            Err(error) => match seen.broken {
                Some((broken, true)) if broken == digest => {}
                Some((broken, false)) if broken == digest => {
                    seen.broken = Some((digest, true));
                    self.refuse(&error);
                }
                _ => seen.broken = Some((digest, false)),
            },
        }
    }

    fn take(&self, parts: &Parts) -> Result<(), Error> {
        let server = parts.server(self.door, &self.config, &self.alpn)?;
        self.current.store(Arc::new(server));
        self.figures.taken(parts.leaf());
        tracing::info!(door = self.door, "new certificates are in use");
        Ok(())
    }

    fn refuse(&self, error: &Error) {
        self.figures.refused();
        tracing::error!(door = self.door, %error, "new certificates are of no use; the last good ones go on");
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

/// The name of a door's setting.
fn setting(door: &str, leaf: &str) -> String {
    format!("{door}.{leaf}")
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
