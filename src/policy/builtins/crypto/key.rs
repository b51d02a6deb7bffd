//! Public keys, and whether one made a signature.

use aws_lc_rs::{
    hmac,
    rsa::PublicKeyComponents,
    signature::{self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, UnparsedPublicKey},
};
use der::asn1::ObjectIdentifier;

use super::asn1::{Input, tag, unsigned, wrap};

pub(in super::super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(in super::super) const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
pub(in super::super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(in super::super) const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
pub(in super::super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The curves that Go knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Curve {
    P224,
    P256,
    P384,
    P521,
}

/// The digest that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature is made with an asymmetric key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Scheme {
    Pkcs1(Hash),
    Pss(Hash),
    Ecdsa(Hash),
    EdDsa,
}

/// A public key. Numbers are big-endian, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum PublicKey {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point is uncompressed (SEC 1 §2.3.3).
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    Dsa {
        p: Vec<u8>,
        q: Vec<u8>,
        g: Vec<u8>,
        y: Vec<u8>,
    },
    /// It can't verify anything.
    X25519,
}

impl Curve {
    pub(in super::super) const ALL: [Self; 4] = [Self::P224, Self::P256, Self::P384, Self::P521];

    pub(in super::super) fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P224 => ObjectIdentifier::new_unwrap("1.3.132.0.33"),
            Self::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
            Self::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
            Self::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        }
    }

    /// Its name in a JWK (RFC 7518 §6.2.1.1).
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::P224 => "P-224",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The bytes of a coordinate.
    pub(in super::super) fn size(self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn verification(self, hash: Hash) -> Option<&'static EcdsaVerificationAlgorithm> {
        Some(match (self, hash) {
            (Self::P224, _) => return None,
            (Self::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Self::P256, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Self::P256, Hash::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Self::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Self::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Self::P384, Hash::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
            (Self::P521, Hash::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
            (Self::P521, Hash::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
            (Self::P521, Hash::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
        })
    }
}

impl Hash {
    pub(in super::super) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl PublicKey {
    /// A key of a curve out of its coordinates; `None` for what is no point of it.
    pub(in super::super) fn on_curve(curve: Curve, point: &[u8]) -> Option<Self> {
        if point.len() != 1 + 2 * curve.size() || point.first() != Some(&4) {
            return None;
        }
        // The library does not know P-224, so that its points are not looked at: no signature is checked with them.
        if let Some(algorithm) = curve.verification(Hash::Sha256) {
            ParsedPublicKey::new(algorithm, point).ok()?;
        }
        Some(Self::Ec { curve, point: point.to_vec() })
    }

    /// The key in a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7): algorithm, parameters and bits. The inner `None` is an
    /// algorithm that is not known, the outer an error.
    #[expect(clippy::option_option, reason = "the outer is an error, the inner what is not there")]
    pub(in super::super) fn of_info(
        algorithm: ObjectIdentifier,
        parameters: &[u8],
        bits: &[u8],
    ) -> Option<Option<Self>> {
        Some(Some(match algorithm {
            RSA => {
                if parameters != tag::NULL {
                    return None;
                }
                let mut key = Input(bits).expect(tag::SEQUENCE)?;
                let (n, e) = (key.positive()?.to_vec(), key.positive()?.to_vec());
                // Go has the exponent in 63 bits.
                if e.len() > 8 || (e.len() == 8 && e.first().is_some_and(|byte| byte & 0x80 != 0)) {
                    return None;
                }
                Self::Rsa { n, e }
            }
            EC => {
                let named = Input(parameters).oid()?;
                let curve = Curve::ALL.into_iter().find(|curve| curve.oid() == named)?;
                Self::on_curve(curve, bits)?
            }
            ED25519 => {
                if !parameters.is_empty() || bits.len() != 32 {
                    return None;
                }
                Self::Ed25519(bits.to_vec())
            }
            X25519 => {
                if !parameters.is_empty() || bits.len() != 32 {
                    return None;
                }
                Self::X25519
            }
            DSA => {
                let mut numbers = Input(parameters).expect(tag::SEQUENCE)?;
                Self::Dsa {
                    y: Input(bits).positive()?.to_vec(),
                    p: numbers.positive()?.to_vec(),
                    q: numbers.positive()?.to_vec(),
                    g: numbers.positive()?.to_vec(),
                }
            }
            _ => return Some(None),
        }))
    }

    /// The key in a whole `SubjectPublicKeyInfo`; `None` for one that is not known, or is followed by something.
    pub(in super::super) fn from_info(der: &[u8]) -> Option<Self> {
        let mut input = Input(der);
        let mut info = input.expect(tag::SEQUENCE).filter(|_| input.is_empty())?;
        let mut algorithm = info.expect(tag::SEQUENCE)?;
        let oid = algorithm.oid()?;
        let parameters = if algorithm.is_empty() { &[] } else { algorithm.any()?.raw };
        let bits = info.aligned_bits()?;
        if !algorithm.is_empty() || !info.is_empty() {
            return None;
        }
        Self::of_info(oid, parameters, &bits)?
    }

    /// Whether this key made `signature` over `message`. A signature of ECDSA is DER (RFC 3279 §2.2.3).
    pub(in super::super) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match (self, scheme) {
            (Self::Rsa { n, e }, Scheme::Pkcs1(_) | Scheme::Pss(_)) => {
                let parameters: &RsaParameters = match scheme {
                    Scheme::Pss(Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
                    Scheme::Pss(Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
                    Scheme::Pss(_) => &signature::RSA_PSS_2048_8192_SHA512,
                    // Go, too, takes keys from 1,024 bits on.
                    Scheme::Pkcs1(Hash::Sha256) => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                    Scheme::Pkcs1(Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
                    _ => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                };
                PublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Self::Ec { curve, point }, Scheme::Ecdsa(hash)) => curve
                .verification(hash)
                .is_some_and(|algorithm| UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()),
            (Self::Ed25519(key), Scheme::EdDsa) => {
                UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// The DER of an ECDSA signature that a JWS has as its two numbers, one after the other (RFC 7518 §3.4).
pub(in super::super) fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    wrap(tag::SEQUENCE, &[unsigned(r), unsigned(s)].concat())
}
