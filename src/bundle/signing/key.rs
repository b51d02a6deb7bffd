//! Keys: read from PEM or taken as secrets. None of them is ever printed.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer as _,
    hmac,
    rand::SystemRandom,
    rsa::PublicEncryptingKey,
    signature::{EcdsaKeyPair, ParsedPublicKey, RsaEncoding, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm},
};
use rustls_pki_types::CertificateDer;

use super::algorithm::{Algorithm, Family};

/// The sizes of RSA keys that the library takes.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key that checks signatures, of one algorithm.
#[derive(Clone)]
pub struct VerificationKey {
    algorithm: Algorithm,
    scope: String,
    check: Check,
}

#[derive(Clone)]
enum Check {
    Secret(Box<hmac::Key>),
    Public { algorithm: &'static dyn VerificationAlgorithm, der: Vec<u8> },
}

/// A key that makes signatures, of one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    make: Make,
}

enum Make {
    Secret(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(Box<EcdsaKeyPair>),
}

/// Why a text is no key for an algorithm. It never holds any of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// A secret of no bytes.
    #[error("the secret is empty")]
    Empty,
    /// A PEM text was to be a secret: whoever has a public key could sign with it.
    #[error("{algorithm} needs a secret, and this is PEM; choose an algorithm of the key's kind (RS256, ES256 …)")]
    PemAsSecret {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// There is no PEM.
    #[error("{algorithm} needs a key in PEM, and this is none")]
    NoPem {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The PEM holds something else.
    #[error("the PEM holds `{found}`, and not {wanted}")]
    Label {
        /// What it holds.
        found: String,
        /// What it should.
        wanted: &'static str,
    },
    /// The bytes are no key that the algorithm takes.
    #[error(
        "this is no key that {algorithm} takes; RS and PS need RSA of 2,048 to 8,192 bits, ES256 P-256, ES384 P-384, ES512 P-521"
    )]
    Material {
        /// The algorithm.
        algorithm: Algorithm,
    },
}

impl VerificationKey {
    /// A key out of a PEM text (`PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`), or a secret for the HS algorithms, whose
    /// bytes are taken as they are, as OPA does: a line end at the end of a file is one of them.
    ///
    /// `scope` is what tokens of this key must say of theirs, unless the [`Verification`](super::Verification) has one.
    pub fn new(algorithm: Algorithm, material: &[u8], scope: &str) -> Result<Self, InvalidKey> {
        let check = match algorithm.family() {
            Family::Hmac(hash) => Check::Secret(secret(algorithm, hash, material)?),
            Family::Rsa { verify, .. } | Family::Ecdsa { verify, .. } => {
                Check::Public { algorithm: verify, der: public(algorithm, material)? }
            }
        };
        if let Check::Public { algorithm: verify, der } = &check {
            let invalid = |_| InvalidKey::Material { algorithm };
            let key = ParsedPublicKey::new(*verify, der).map_err(invalid)?;
            if matches!(algorithm.family(), Family::Rsa { .. }) {
                let key = key.as_der().and_then(|der| {
                    PublicEncryptingKey::from_der(der.as_ref()).map_err(|_| aws_lc_rs::error::Unspecified)
                });
                let bits = key.map_err(|_| InvalidKey::Material { algorithm })?.key_size_bits();
                if !RSA_BITS.contains(&bits) {
                    return Err(InvalidKey::Material { algorithm });
                }
            }
        }
        Ok(Self { algorithm, scope: scope.to_owned(), check })
    }

    /// The only algorithm that it is used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What tokens of this key must say of their scope.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            Check::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Check::Public { algorithm, der } => {
                UnparsedPublicKey::new(*algorithm, der).verify(message, signature).is_ok()
            }
        }
    }
}

impl SigningKey {
    /// A key out of a PEM text (`PRIVATE KEY`, `RSA PRIVATE KEY`, `EC PRIVATE KEY`), or a secret for the HS algorithms,
    /// whose bytes are taken as they are.
    pub fn new(algorithm: Algorithm, material: &[u8]) -> Result<Self, InvalidKey> {
        let invalid = |_| InvalidKey::Material { algorithm };
        let make = match algorithm.family() {
            Family::Hmac(hash) => Make::Secret(secret(algorithm, hash, material)?),
            Family::Rsa { sign, .. } => {
                let (is_pkcs8, der) = private(algorithm, material, "RSA PRIVATE KEY")?;
                let pair = if is_pkcs8 { RsaKeyPair::from_pkcs8(&der) } else { RsaKeyPair::from_der(&der) };
                Make::Rsa(Box::new(pair.map_err(invalid)?), sign)
            }
            Family::Ecdsa { sign, .. } => {
                let (is_pkcs8, der) = private(algorithm, material, "EC PRIVATE KEY")?;
                let pair = if is_pkcs8 {
                    EcdsaKeyPair::from_pkcs8(sign, &der)
                } else {
                    EcdsaKeyPair::from_private_key_der(sign, &der)
                };
                Make::Ecdsa(Box::new(pair.map_err(invalid)?))
            }
        };
        Ok(Self { algorithm, make })
    }

    /// The only algorithm that it is used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        match &self.make {
            Make::Secret(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Make::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Make::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, scope, check: _ } = self;
        formatter
            .debug_struct("VerificationKey")
            .field("algorithm", algorithm)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn secret(algorithm: Algorithm, hash: hmac::Algorithm, material: &[u8]) -> Result<Box<hmac::Key>, InvalidKey> {
    if material.trim_ascii().is_empty() {
        return Err(InvalidKey::Empty);
    }
    if material.windows(b"-----BEGIN ".len()).any(|window| window == b"-----BEGIN ") {
        return Err(InvalidKey::PemAsSecret { algorithm });
    }
    Ok(Box::new(hmac::Key::new(hash, material)))
}

/// The DER of a public key: PKCS #1, or a `SubjectPublicKeyInfo`.
fn public(algorithm: Algorithm, material: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    let block = block(algorithm, material)?;
    match block.tag() {
        "PUBLIC KEY" => Ok(block.into_contents()),
        "RSA PUBLIC KEY" if matches!(algorithm.family(), Family::Rsa { .. }) => Ok(block.into_contents()),
        "CERTIFICATE" => {
            let certificate = CertificateDer::from(block.into_contents());
            let certificate =
                webpki::EndEntityCert::try_from(&certificate).map_err(|_| InvalidKey::Material { algorithm })?;
            Ok(certificate.subject_public_key_info().to_vec())
        }
        found => Err(InvalidKey::Label { found: found.to_owned(), wanted: "a public key or a certificate" }),
    }
}

/// Whether it is PKCS #8, and the DER of a private key.
fn private(algorithm: Algorithm, material: &[u8], traditional: &str) -> Result<(bool, Vec<u8>), InvalidKey> {
    let block = block(algorithm, material)?;
    match block.tag() {
        "PRIVATE KEY" => Ok((true, block.into_contents())),
        found if found == traditional => Ok((false, block.into_contents())),
        found => Err(InvalidKey::Label { found: found.to_owned(), wanted: "a private key that is not encrypted" }),
    }
}

/// The first block. What `openssl ecparam -genkey` writes before a key only names its curve.
fn block(algorithm: Algorithm, material: &[u8]) -> Result<pem::Pem, InvalidKey> {
    let blocks = pem::parse_many(material).map_err(|_| InvalidKey::NoPem { algorithm })?;
    let mut blocks = blocks.into_iter().filter(|block| block.tag() != "EC PARAMETERS");
    blocks.next().ok_or(InvalidKey::NoPem { algorithm })
}
