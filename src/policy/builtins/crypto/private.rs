//! Private keys: read from DER, and made to sign. They have no `Debug`, so that none is written by mistake.

use aws_lc_rs::{
    agreement,
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair},
};
use num_bigint::BigUint;

use super::{
    asn1::{Input, tag, without_zeros},
    key::{self, Curve, Hash, PublicKey, Scheme},
};

/// The most bytes of a modulus.
const MAX_MODULUS: usize = 1024;

/// A private key. Numbers are big-endian, without leading zeros.
pub(in super::super) enum PrivateKey {
    Rsa(Rsa),
    Ec {
        curve: Curve,
        d: Vec<u8>,
        point: Vec<u8>,
    },
    Ed25519 {
        seed: Vec<u8>,
        public: Vec<u8>,
    },
    /// It signs nothing.
    X25519 {
        d: Vec<u8>,
        public: Vec<u8>,
    },
}

/// RSA's private key with two primes (RFC 8017 §3.2).
pub(in super::super) struct Rsa {
    pub(in super::super) n: Vec<u8>,
    pub(in super::super) e: Vec<u8>,
    pub(in super::super) d: Vec<u8>,
    pub(in super::super) p: Vec<u8>,
    pub(in super::super) q: Vec<u8>,
    pub(in super::super) dp: Vec<u8>,
    pub(in super::super) dq: Vec<u8>,
    pub(in super::super) qi: Vec<u8>,
}

impl Rsa {
    /// A key out of its numbers, of which the last three follow from the others. `None` where they do not belong
    /// together.
    #[expect(clippy::many_single_char_names, reason = "these are the names that RFC 8017 gives them")]
    pub(in super::super) fn new(n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8]) -> Option<Self> {
        let numbers = [n, e, d, p, q].map(without_zeros);
        if numbers.iter().any(|number| number.is_empty() || number.len() > MAX_MODULUS) {
            return None;
        }
        let [big_n, big_e, big_d, big_p, big_q] = numbers.map(BigUint::from_bytes_be);
        let one = BigUint::from(1_u8);
        if big_p <= one || big_q <= one || big_n != &big_p * &big_q {
            return None;
        }
        let (dp, dq) = (&big_d % (&big_p - &one), &big_d % (&big_q - &one));
        let inverse = |d: &BigUint, prime: &BigUint| (d * &big_e) % (prime - &one) == &one % (prime - &one);
        if !inverse(&dp, &big_p) || !inverse(&dq, &big_q) {
            return None;
        }
        let qi = big_q.modinv(&big_p)?;
        let [n, e, d, p, q] = numbers.map(<[u8]>::to_vec);
        let [dp, dq, qi] = [dp, dq, qi].map(|number| number.to_bytes_be());
        Some(Self { n, e, d, p, q, dp, dq, qi })
    }

    /// The key in PKCS #1 (RFC 8017, appendix A.1.2).
    #[expect(clippy::many_single_char_names, reason = "these are the names that RFC 8017 gives them")]
    pub(in super::super) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        let mut input = Input(der);
        let mut key = input.expect(tag::SEQUENCE).filter(|_| input.is_empty())?;
        if key.small()? != 0 {
            return None;
        }
        let (n, e, d) = (key.positive()?, key.positive()?, key.positive()?);
        let (p, q) = (key.positive()?, key.positive()?);
        Self::new(n, e, d, p, q)
    }

    fn sign(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Option<Vec<u8>> {
        let public_key = PublicKeyComponents { n: &self.n, e: &self.e };
        let Self { d, p, q, dp, dq, qi, .. } = self;
        let pair =
            RsaKeyPair::from_components(&KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi }).ok()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

impl PrivateKey {
    /// The key of a curve out of its number; the point is computed, and has to be `point` where there is one.
    pub(in super::super) fn on_curve(curve: Curve, d: &[u8], point: Option<&[u8]>) -> Option<Self> {
        let d = without_zeros(d);
        let algorithm = match curve {
            Curve::P224 => return None,
            Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            Curve::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        };
        let padded = [vec![0; curve.size().checked_sub(d.len())?], d.to_vec()].concat();
        let point = if let Some(point) = point {
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, &padded, point).ok()?;
            point.to_vec()
        } else {
            let agreement = match curve {
                Curve::P224 => return None,
                Curve::P256 => &agreement::ECDH_P256,
                Curve::P384 => &agreement::ECDH_P384,
                Curve::P521 => &agreement::ECDH_P521,
            };
            agreed_public(agreement, &padded)?
        };
        Some(Self::Ec { curve, d: padded, point })
    }

    /// The key of Ed25519 out of its seed.
    pub(in super::super) fn from_seed(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self::Ed25519 { seed: seed.to_vec(), public: pair.public_key().as_ref().to_vec() })
    }

    /// The key of X25519 (RFC 7748) out of its bytes.
    pub(in super::super) fn x25519(d: &[u8]) -> Option<Self> {
        let public = agreed_public(&agreement::X25519, d)?;
        Some(Self::X25519 { d: d.to_vec(), public })
    }

    /// The key in RFC 5915; `curve` where what is around it names one.
    pub(in super::super) fn from_sec1(der: &[u8], curve: Option<Curve>) -> Option<Self> {
        let mut input = Input(der);
        let mut key = input.expect(tag::SEQUENCE).filter(|_| input.is_empty())?;
        if key.small()? != 1 {
            return None;
        }
        let d = key.expect(tag::OCTET_STRING)?.0;
        let named = match key.optional(tag::constructed(0))? {
            Some(mut parameters) => {
                let oid = parameters.oid()?;
                Curve::ALL.into_iter().find(|curve| curve.oid() == oid)
            }
            None => None,
        };
        Self::on_curve(curve.or(named)?, d, None)
    }

    /// The key in PKCS #8 (RFC 5208 §5).
    pub(in super::super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let mut input = Input(der);
        let mut info = input.expect(tag::SEQUENCE).filter(|_| input.is_empty())?;
        info.small()?;
        let mut algorithm = info.expect(tag::SEQUENCE)?;
        let oid = algorithm.oid()?;
        let bytes = info.expect(tag::OCTET_STRING)?.0;
        match oid {
            key::RSA => Rsa::from_pkcs1(bytes).map(Self::Rsa),
            key::EC => {
                let named = if algorithm.next_is(tag::OID) { Some(algorithm.oid()?) } else { None };
                let curve = Curve::ALL.into_iter().find(|curve| Some(curve.oid()) == named);
                Self::from_sec1(bytes, curve)
            }
            key::ED25519 | key::X25519 => {
                let seed = Input(bytes).expect(tag::OCTET_STRING).filter(|_| algorithm.is_empty())?.0;
                if oid == key::ED25519 { Self::from_seed(seed) } else { Self::x25519(seed) }
            }
            _ => None,
        }
    }

    /// Its public part.
    pub(in super::super) fn public(&self) -> PublicKey {
        match self {
            Self::Rsa(Rsa { n, e, .. }) => PublicKey::Rsa { n: n.clone(), e: e.clone() },
            Self::Ec { curve, point, .. } => PublicKey::Ec { curve: *curve, point: point.clone() },
            Self::Ed25519 { public, .. } => PublicKey::Ed25519(public.clone()),
            Self::X25519 { .. } => PublicKey::X25519,
        }
    }

    /// A JWS' signature (RFC 7518 §3) of `message`; `None` where the key is not one for the scheme.
    pub(in super::super) fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        match (self, scheme) {
            (Self::Rsa(key), Scheme::Pkcs1(hash)) => {
                let encoding = match hash {
                    Hash::Sha256 => &signature::RSA_PKCS1_SHA256,
                    Hash::Sha384 => &signature::RSA_PKCS1_SHA384,
                    Hash::Sha512 => &signature::RSA_PKCS1_SHA512,
                };
                key.sign(encoding, message)
            }
            (Self::Rsa(key), Scheme::Pss(hash)) => {
                let encoding = match hash {
                    Hash::Sha256 => &signature::RSA_PSS_SHA256,
                    Hash::Sha384 => &signature::RSA_PSS_SHA384,
                    Hash::Sha512 => &signature::RSA_PSS_SHA512,
                };
                key.sign(encoding, message)
            }
            (Self::Ec { curve, d, point }, Scheme::Ecdsa(hash)) => {
                let algorithm = match (curve, hash) {
                    (Curve::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                    (Curve::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                    (Curve::P521, Hash::Sha256) => &signature::ECDSA_P521_SHA256_FIXED_SIGNING,
                    (Curve::P521, Hash::Sha384) => &signature::ECDSA_P521_SHA384_FIXED_SIGNING,
                    (Curve::P521, Hash::Sha512) => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
                    _ => return None,
                };
                let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, d, point).ok()?;
                Some(pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec())
            }
            (Self::Ed25519 { seed, .. }, Scheme::EdDsa) => {
                Some(Ed25519KeyPair::from_seed_unchecked(seed).ok()?.sign(message).as_ref().to_vec())
            }
            _ => None,
        }
    }
}

/// The public part of a key that is given as its number.
fn agreed_public(algorithm: &'static agreement::Algorithm, private: &[u8]) -> Option<Vec<u8>> {
    let key = agreement::PrivateKey::from_private_key(algorithm, private).ok()?;
    Some(key.compute_public_key().ok()?.as_ref().to_vec())
}
