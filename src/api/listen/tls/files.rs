//! Certificates, keys, authorities and lists of revocations in files of PEM.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::RootCertStore;

use super::{
    Config, Error,
    server::{Parts, Unlisted, verifier},
    setting,
};

/// The largest file that is read, in bytes: of lists of revocations, some are long.
const LARGEST: u64 = 16 << 20;

/// The contents of the files.
pub(super) struct Files {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
    crl: Option<Vec<u8>>,
}

impl Files {
    pub(super) fn read(door: &'static str, config: &Config) -> Result<Self, Error> {
        let Config { cert_file, key_file, client_ca_file, crl_file, .. } = config;
        let needed = |leaf: &str, file: &Option<PathBuf>| match file {
            Some(file) => contents(&setting(door, leaf), file),
            None => Err(Error::Setting { setting: setting(door, leaf), cause: "is not set".to_owned() }),
        };
        let optional = |leaf: &str, file: &Option<PathBuf>| {
            file.as_deref().map(|file| contents(&setting(door, leaf), file)).transpose()
        };
        Ok(Self {
            certificate: needed("tls_cert_file", cert_file)?,
            key: needed("tls_key_file", key_file)?.into(),
            client_ca: optional("tls_client_ca_file", client_ca_file)?,
            crl: optional("tls_crl_file", crl_file)?,
        })
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        let Self { certificate, key, client_ca, crl } = self;
        let mut hash = Sha256::new();
        for part in [Some(certificate), Some(&**key), client_ca.as_ref(), crl.as_ref()] {
            // Lengths, so that no two sets of files are one text.
            hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            hash.update(part.map_or([].as_slice(), Vec::as_slice));
        }
        hash.finalize().into()
    }

    pub(super) fn parts(&self, door: &'static str, config: &Config) -> Result<Parts, Error> {
        let fault = |leaf: &str, file: &Option<PathBuf>, cause: String| Error::File {
            setting: setting(door, leaf),
            file: file.clone().unwrap_or_default(),
            cause,
        };
        let clients = match &self.client_ca {
            None => None,
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
                let lists = self.lists(|cause| fault("tls_crl_file", &config.crl_file, cause.to_owned()))?;
                let clients = verifier(roots, lists, Unlisted::Refused, config.client_optional);
                Some(clients.map_err(|error| at_ca(error.to_string()))?)
            }
        };
        let at_cert = |cause: &str| fault("tls_cert_file", &config.cert_file, cause.to_owned());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|_| at_cert("is no PEM of certificates"))?;
        if chain.is_empty() {
            return Err(at_cert("has no certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| fault("tls_key_file", &config.key_file, "has no private key in PEM".to_owned()))?;
        let unfit = |door: &'static str, config: &Config, cause| Error::File {
            setting: setting(door, "tls_cert_file"),
            file: config.cert_file.clone().unwrap_or_default(),
            cause,
        };
        Ok(Parts { chain, key, clients, unfit })
    }

    fn lists(&self, fault: impl Fn(&str) -> Error) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
        let Some(pem) = &self.crl else { return Ok(Vec::new()) };
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
        let lists = lists.map_err(|_| fault("is no PEM of lists of revocations"))?;
        // An empty file would be a list that revokes nobody.
        if lists.is_empty() {
            return Err(fault("has no list of revocations in PEM (`X509 CRL`)"));
        }
        Ok(lists)
    }
}

fn contents(setting: &str, file: &Path) -> Result<Vec<u8>, Error> {
    let fault = |cause: String| Error::File { setting: setting.to_owned(), file: file.to_owned(), cause };
    let opened = fs::File::open(file).map_err(|error| fault(format!("can't be read: {error}")))?;
    let mut bytes = Vec::new();
    opened.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| fault(format!("can't be read: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(fault("is larger than 16 MiB".to_owned()));
    }
    Ok(bytes)
}
