//! DER (X.690), as far as the Workload API needs it: certificates that stand one behind the other.

use der::{Reader as _, SliceReader};
use rustls_pki_types::CertificateDer;

/// The certificates of a text of them; `None` if something else is in it.
pub(super) fn certificates(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    const SEQUENCE: u8 = 0x30;
    let mut certificates = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let one = SliceReader::new(rest).ok()?.tlv_bytes().ok()?;
        if one.first() != Some(&SEQUENCE) {
            return None;
        }
        certificates.push(CertificateDer::from(one.to_vec()));
        rest = rest.get(one.len()..)?;
    }
    Some(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_stand_one_behind_the_other() {
        let (one, two) = (b"\x30\x03\x02\x01\x01".as_slice(), b"\x30\x00".as_slice());
        assert_eq!(certificates(&[one, two].concat()).unwrap(), [one.into(), two.into()]);
        assert_eq!(certificates(b"").unwrap(), []);
        for bad in [b"\x30".as_slice(), b"\x30\x05\x02", b"\x02\x01\x01", b"\x30\x00\x00", b"\x30\x80\x00\x00"] {
            assert_eq!(certificates(bad), None, "{bad:x?}");
        }
    }
}
