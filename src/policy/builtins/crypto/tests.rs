//! Against `opa` 1.20.2: `cases.json` has what it answered, made with keys of our own.

use super::{super::corpus, asn1::Input, encoding, x509::Certificate};

#[test]
fn answers_as_opa_does() {
    corpus::check(include_str!("cases.json"));
}

#[test]
fn a_certificate_that_was_cut_or_changed_is_read_or_refused() {
    let text = include_str!("cases.json");
    let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap();
    let text = text[begin..].replace("\\\\n", "\n");
    let (block, _) = encoding::pem(text.as_bytes()).unwrap();
    assert!(Certificate::parse(&block.bytes).is_ok());
    for at in 0..block.bytes.len() {
        assert!(Certificate::parse(&block.bytes[..at]).is_err(), "cut at {at}");
        for byte in [0x00, 0x7f, 0x80, 0xff, block.bytes[at].wrapping_add(1)] {
            let mut bytes = block.bytes.clone();
            bytes[at] = byte;
            // Only that it comes back is asked.
            let _ = Certificate::parse(&bytes);
        }
    }
}

#[test]
fn lengths_that_are_not_as_short_as_can_be_are_refused() {
    for der in
        [&[0x30, 0x81, 0x01, 0x00][..], &[0x30, 0x80, 0x00, 0x00], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x3f]]
    {
        assert!(Input(der).any().is_none(), "{der:x?}");
    }
    for der in [&[0x02, 0x00][..], &[0x02, 0x02, 0x00, 0x01], &[0x02, 0x02, 0xff, 0x80]] {
        assert!(Input(der).integer().is_none(), "{der:x?}");
    }
}

#[test]
fn many_beginnings_of_blocks_take_no_time() {
    let text = "-----BEGIN X-----\n".repeat(50_000);
    let started = std::time::Instant::now();
    assert_eq!(encoding::pem(text.as_bytes()), None);
    assert_eq!(encoding::pem(format!("{text}-----END Y-----\n").repeat(2).as_bytes()), None);
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}
