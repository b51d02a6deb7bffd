//! What is read of a certificate beyond whose it is (RFC 5280 §4.1): until when it is good, and whether it may sign others.

use der::{
    Decode as _, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::{AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, UtcTime},
};

/// `id-ce-keyUsage` (RFC 5280 §4.2.1.3).
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// `keyCertSign` and `cRLSign`, in the first octet.
const SIGNS: u8 = 0b0000_0110;

/// Of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// When it ends, in seconds since 1970.
    pub(super) not_after: u64,
    /// Whether its key may sign certificates or lists of revocations.
    pub(super) may_sign: bool,
}

impl Leaf {
    /// Reads it; `None` for what is none.
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        read(certificate).ok()
    }
}

fn read(certificate: &[u8]) -> der::Result<Leaf> {
    let mut whole = inside(AnyRef::from_der(certificate)?)?;
    let mut fields = inside(AnyRef::decode(&mut whole)?)?;
    // The version is `[0]`, and may be missing.
    let first = AnyRef::decode(&mut fields)?;
    if is_context(first, 0) {
        AnyRef::decode(&mut fields)?;
    }
    let (_signature, _issuer) = (AnyRef::decode(&mut fields)?, AnyRef::decode(&mut fields)?);
    let mut validity = inside(AnyRef::decode(&mut fields)?)?;
    let (_not_before, not_after) = (AnyRef::decode(&mut validity)?, AnyRef::decode(&mut validity)?);
    let not_after = match not_after.tag() {
        Tag::UtcTime => not_after.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => not_after.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    let mut may_sign = false;
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields)?;
        if is_context(field, 3) {
            may_sign = signs(field)?;
        }
    }
    Ok(Leaf { not_after: not_after.as_secs(), may_sign })
}

/// Whether the extensions have a key usage of signing.
fn signs(field: AnyRef<'_>) -> der::Result<bool> {
    let mut extensions = inside(AnyRef::from_der(field.value())?)?;
    while !extensions.is_finished() {
        let mut extension = inside(AnyRef::decode(&mut extensions)?)?;
        let id = ObjectIdentifier::decode(&mut extension)?;
        let mut value = AnyRef::decode(&mut extension)?;
        // Whether it is critical may stand before it.
        if value.tag() == Tag::Boolean {
            value = AnyRef::decode(&mut extension)?;
        }
        if id == KEY_USAGE {
            let usage = BitStringRef::from_der(value.value())?;
            return Ok(usage.raw_bytes().first().is_some_and(|first| first & SIGNS != 0));
        }
    }
    Ok(false)
}

fn inside(element: AnyRef<'_>) -> der::Result<SliceReader<'_>> {
    SliceReader::new(element.value())
}

fn is_context(element: AnyRef<'_>, number: u32) -> bool {
    matches!(element.tag(), Tag::ContextSpecific { number: is, .. } if is.value() == number)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, KeyUsagePurpose, date_time_ymd};

    use super::*;

    fn leaf(usages: &[KeyUsagePurpose], year: i32) -> Leaf {
        let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.key_usages = usages.to_vec();
        params.not_after = date_time_ymd(year, 1, 1);
        Leaf::read(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
    }

    #[test]
    fn reads_when_it_ends_and_whether_it_may_sign() {
        use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyAgreement, KeyCertSign};
        assert_eq!(leaf(&[], 2030), Leaf { not_after: 1_893_456_000, may_sign: false });
        assert_eq!(leaf(&[], 2060).not_after, 2_840_140_800, "beyond UTCTime");
        assert!(!leaf(&[DigitalSignature, KeyAgreement], 2030).may_sign);
        for usages in [&[KeyCertSign][..], &[CrlSign], &[DigitalSignature, KeyCertSign]] {
            assert!(leaf(usages, 2030).may_sign, "{usages:?}");
        }
        for broken in [&b""[..], b"\x30\x00", b"\x30\x02\x30\x00", b"x"] {
            assert_eq!(Leaf::read(broken), None);
        }
    }
}
