//! A certificate (RFC 5280 §4.1), as strictly read as Go reads it.

use der::{Decode as _, asn1::ObjectIdentifier};
use regorus::Value as Rego;

use super::{
    super::{
        super::Failure,
        asn1::{Element, Input, signed_number, tag},
        encoding::to_standard,
        key::{Hash, PublicKey, Scheme},
        operand::bad,
    },
    extension::{Extension, Extensions},
    name::Name,
    value::{self, record},
};

/// A certificate that was read. Nothing says yet that anyone signed it.
pub(in super::super::super) struct Certificate {
    pub(super) raw: Vec<u8>,
    pub(super) signed: Vec<u8>,
    pub(super) key_info: Vec<u8>,
    pub(super) raw_subject: Vec<u8>,
    pub(super) raw_issuer: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) signature_algorithm: SignatureAlgorithm,
    /// The key, if its kind is known.
    pub(in super::super::super) public_key: Option<PublicKey>,
    pub(super) version: i64,
    serial: Vec<u8>,
    issuer: Name,
    subject: Name,
    /// Seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    validity: [String; 2],
    pub(super) list: Vec<Extension>,
    pub(super) extensions: Extensions,
}

/// How a certificate is signed: Go's number, and the scheme if a signature of it is ever accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignatureAlgorithm {
    pub(super) number: u64,
    pub(super) scheme: Option<Scheme>,
}

impl Certificate {
    /// A certificate, and nothing after it.
    pub(in super::super::super) fn parse(der: &[u8]) -> Result<Self, Failure> {
        match Self::parse_first(der)? {
            (certificate, []) => Ok(certificate),
            _ => Err(bad("x509: trailing data")),
        }
    }

    /// The first certificate, and what is after it.
    pub(super) fn parse_first(der: &[u8]) -> Result<(Self, &[u8]), Failure> {
        let mut input = Input(der);
        let parsed = input.element(tag::SEQUENCE).and_then(Self::of);
        parsed.map(|certificate| (certificate, input.0)).ok_or_else(|| bad("x509: malformed certificate"))
    }

    fn of(whole: Element) -> Option<Self> {
        let mut outer = whole.value;
        let to_be_signed = outer.element(tag::SEQUENCE)?;
        let outer_algorithm = outer.expect(tag::SEQUENCE)?;
        let signature = outer.aligned_bits()?;

        let mut inner = to_be_signed.value;
        let version = match inner.optional(tag::constructed(0))? {
            Some(mut version) => version.small().filter(|number| (0..3).contains(number) && version.is_empty())? + 1,
            None => 1,
        };
        let serial = inner.integer().filter(|bytes| bytes.first().is_some_and(|byte| byte & 0x80 == 0))?;
        if inner.expect(tag::SEQUENCE)? != outer_algorithm {
            return None;
        }
        let issuer = inner.element(tag::SEQUENCE)?;
        let mut validity = inner.expect(tag::SEQUENCE)?;
        let ((not_before, first), (not_after, last)) = (time(&mut validity)?, time(&mut validity)?);
        let subject = inner.element(tag::SEQUENCE)?;
        let key_info = inner.element(tag::SEQUENCE)?;
        let list = if version == 1 { Vec::new() } else { Self::extensions(&mut inner, version)? };
        Some(Self {
            raw: whole.raw.to_vec(),
            signed: to_be_signed.raw.to_vec(),
            key_info: key_info.raw.to_vec(),
            raw_subject: subject.raw.to_vec(),
            raw_issuer: issuer.raw.to_vec(),
            signature,
            signature_algorithm: SignatureAlgorithm::parse(outer_algorithm)?,
            public_key: subject_key(key_info.value)?,
            version,
            serial: serial.to_vec(),
            issuer: Name::parse(issuer.raw)?,
            subject: Name::parse(subject.raw)?,
            not_before,
            not_after,
            validity: [first, last],
            extensions: Extensions::new(&list)?,
            list,
        })
    }

    fn extensions(input: &mut Input, version: i64) -> Option<Vec<Extension>> {
        // The unique identifiers of version 2, which nobody reads.
        input.optional(tag::context(1))?;
        input.optional(tag::context(2))?;
        if version != 3 {
            return Some(Vec::new());
        }
        match input.optional(tag::constructed(3))? {
            Some(mut extensions) => Extension::list(extensions.expect(tag::SEQUENCE)?),
            None => Some(Vec::new()),
        }
    }

    /// The key that checks what this certificate's subject signs.
    pub(super) fn key(&self) -> Option<&PublicKey> {
        self.public_key.as_ref()
    }

    /// As Go has it.
    pub(in super::super) fn value(&self, uri_strings: bool) -> Result<Rego, Failure> {
        let [not_before, not_after] = &self.validity;
        let mut certificate = record([
            ("ExtraExtensions", Rego::Null),
            ("Extensions", value::slice(&self.list, Extension::value)),
            ("Issuer", self.issuer.value()),
            ("NotAfter", not_after.as_str().into()),
            ("NotBefore", not_before.as_str().into()),
            ("PublicKey", value::public_key(self.key())?),
            ("PublicKeyAlgorithm", value::key_algorithm(self.key())),
            ("Raw", to_standard(&self.raw).into()),
            ("RawIssuer", to_standard(&self.raw_issuer).into()),
            ("RawSubject", to_standard(&self.raw_subject).into()),
            ("RawSubjectPublicKeyInfo", to_standard(&self.key_info).into()),
            ("RawTBSCertificate", to_standard(&self.signed).into()),
            ("SerialNumber", signed_number(&self.serial)?),
            ("Signature", to_standard(&self.signature).into()),
            ("SignatureAlgorithm", Rego::from(self.signature_algorithm.number)),
            ("Subject", self.subject.value()),
            ("Version", Rego::from(self.version)),
        ]);
        if let Ok(members) = certificate.as_object_mut() {
            self.extensions.write(members, uri_strings);
        }
        Ok(certificate)
    }
}

impl SignatureAlgorithm {
    /// Out of an `AlgorithmIdentifier`; the outer `None` is an error, an algorithm that is not known has number 0.
    pub(super) fn parse(mut identifier: Input) -> Option<Self> {
        use Hash::{Sha256, Sha384, Sha512};

        let oid = identifier.oid()?;
        let parameters = if identifier.is_empty() { &[] } else { identifier.any()?.raw };
        // SHA-1 and MD5 have numbers, and no scheme: what they sign is refused.
        let (number, scheme) = match oid.to_string().as_str() {
            "1.2.840.113549.1.1.4" => (2, None),
            "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => (3, None),
            "1.2.840.113549.1.1.11" => (4, Some(Scheme::Pkcs1(Sha256))),
            "1.2.840.113549.1.1.12" => (5, Some(Scheme::Pkcs1(Sha384))),
            "1.2.840.113549.1.1.13" => (6, Some(Scheme::Pkcs1(Sha512))),
            "1.2.840.10040.4.3" => (7, None),
            "2.16.840.1.101.3.4.3.2" => (8, None),
            "1.2.840.10045.4.1" => (9, None),
            "1.2.840.10045.4.3.2" => (10, Some(Scheme::Ecdsa(Sha256))),
            "1.2.840.10045.4.3.3" => (11, Some(Scheme::Ecdsa(Sha384))),
            "1.2.840.10045.4.3.4" => (12, Some(Scheme::Ecdsa(Sha512))),
            "1.3.101.112" if parameters.is_empty() => (16, Some(Scheme::EdDsa)),
            "1.2.840.113549.1.1.10" => match pss(parameters) {
                Some(Sha256) => (13, Some(Scheme::Pss(Sha256))),
                Some(Sha384) => (14, Some(Scheme::Pss(Sha384))),
                Some(Sha512) => (15, Some(Scheme::Pss(Sha512))),
                None => (0, None),
            },
            _ => (0, None),
        };
        Some(Self { number, scheme })
    }
}

/// The digest of RSASSA-PSS (RFC 4055 §3.1), where it is the mask's, too, and as long as the salt.
fn pss(parameters: &[u8]) -> Option<Hash> {
    let mut parameters = Input(parameters).expect(tag::SEQUENCE)?;
    let mut hash = parameters.expect(tag::constructed(0))?;
    let (hash, size) = digest(&mut hash)?;
    let mut mask = parameters.expect(tag::constructed(1))?.expect(tag::SEQUENCE)?;
    let mgf1 = mask.oid()? == ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
    let same = digest(&mut mask)?.0 == hash;
    let salt = parameters.expect(tag::constructed(2))?.small()?;
    let trailer = match parameters.optional(tag::constructed(3))? {
        Some(mut trailer) => trailer.small()?,
        None => 1,
    };
    (mgf1 && same && salt == size && trailer == 1).then_some(hash)
}

fn digest(input: &mut Input) -> Option<(Hash, i64)> {
    let mut identifier = input.expect(tag::SEQUENCE)?;
    let oid = identifier.oid()?.to_string();
    if !identifier.is_empty() && identifier.any()?.raw != tag::NULL {
        return None;
    }
    match oid.as_str() {
        "2.16.840.1.101.3.4.2.1" => Some((Hash::Sha256, 32)),
        "2.16.840.1.101.3.4.2.2" => Some((Hash::Sha384, 48)),
        "2.16.840.1.101.3.4.2.3" => Some((Hash::Sha512, 64)),
        _ => None,
    }
}

/// The key in a `SubjectPublicKeyInfo`'s value. The inner `None` is a kind that Go does not know in certificates.
#[expect(clippy::option_option, reason = "the outer is an error, the inner what is not there")]
pub(super) fn subject_key(mut info: Input) -> Option<Option<PublicKey>> {
    let mut algorithm = info.expect(tag::SEQUENCE)?;
    let oid = algorithm.oid()?;
    let parameters = if algorithm.is_empty() { &[] } else { algorithm.any()?.raw };
    let key = PublicKey::of_info(oid, parameters, &info.aligned_bits()?);
    if oid == super::super::key::X25519 { Some(None) } else { key }
}

/// A point in time: seconds since 1970, and as text.
fn time(input: &mut Input) -> Option<(i64, String)> {
    let element = input.any()?;
    let time = match element.tag {
        tag::UTC_TIME => der::asn1::UtcTime::from_der(element.raw).ok()?.to_date_time(),
        tag::GENERALIZED_TIME => der::asn1::GeneralizedTime::from_der(element.raw).ok()?.to_date_time(),
        _ => return None,
    };
    Some((i64::try_from(time.unix_duration().as_secs()).ok()?, time.to_string()))
}
