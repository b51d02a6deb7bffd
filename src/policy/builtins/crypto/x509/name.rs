//! Distinguished names (RFC 5280 §4.1.2.4).

use der::asn1::ObjectIdentifier;
use regorus::Value as Rego;

use super::{
    super::asn1::{Input, tag},
    value::{self, record, texts},
};

/// A name: its attributes in their order.
#[derive(Default)]
pub(super) struct Name(Vec<(ObjectIdentifier, String)>);

impl Name {
    /// A name out of its element.
    pub(super) fn parse(raw: &[u8]) -> Option<Self> {
        let mut input = Input(raw);
        let mut sets = input.expect(tag::SEQUENCE).filter(|_| input.is_empty())?;
        let mut attributes = Vec::new();
        while !sets.is_empty() {
            let mut set = sets.expect(tag::SET)?;
            while !set.is_empty() {
                let mut attribute = set.expect(tag::SEQUENCE)?;
                let kind = attribute.oid()?;
                let element = attribute.any()?;
                attributes.push((kind, string(element.tag, element.value.0)?));
            }
        }
        Some(Self(attributes))
    }

    /// As Go has it.
    pub(super) fn value(&self) -> Rego {
        const ATTRIBUTE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4");

        let all = |arc: u32| -> Vec<String> {
            let wanted = ATTRIBUTE.push_arc(arc).ok();
            self.0.iter().filter(|(kind, _)| Some(*kind) == wanted).map(|(_, text)| text.clone()).collect()
        };
        let last = |arc: u32| Rego::from(all(arc).pop().unwrap_or_default());
        let names =
            value::slice(&self.0, |(kind, text)| record([("Type", value::oid(kind)), ("Value", text.as_str().into())]));
        record([
            ("CommonName", last(3)),
            ("Country", texts(&all(6))),
            ("ExtraNames", Rego::Null),
            ("Locality", texts(&all(7))),
            ("Names", names),
            ("Organization", texts(&all(10))),
            ("OrganizationalUnit", texts(&all(11))),
            ("PostalCode", texts(&all(17))),
            ("Province", texts(&all(8))),
            ("SerialNumber", last(5)),
            ("StreetAddress", texts(&all(9))),
        ])
    }
}

/// A string of ASN.1.
fn string(tag: u8, bytes: &[u8]) -> Option<String> {
    let all = |allowed: fn(&u8) -> bool| {
        bytes.iter().all(allowed).then(|| bytes.iter().copied().map(char::from).collect::<String>())
    };
    match tag {
        0x0c => std::str::from_utf8(bytes).ok().map(str::to_owned),
        0x12 => all(|byte| byte.is_ascii_digit() || *byte == b' '),
        // Go lets `*` and `&` pass, which others write.
        0x13 => all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(byte)),
        // T61String, read as Latin-1.
        0x14 => all(|_| true),
        0x16 => all(u8::is_ascii),
        0x1e => {
            let bytes = bytes.strip_suffix(&[0, 0]).filter(|_| bytes.len().is_multiple_of(2)).unwrap_or(bytes);
            let mut pairs = bytes.chunks_exact(2);
            let text = pairs
                .by_ref()
                .map(|pair| match pair {
                    [high, low] => u16::from_be_bytes([*high, *low]),
                    _ => 0xffff,
                })
                .map(|point| match point {
                    0xfdd0..=0xfdef | 0xfffe.. => None,
                    // A half of a pair of UTF-16 is no character.
                    point => char::from_u32(u32::from(point)),
                })
                .collect::<Option<String>>()?;
            pairs.remainder().is_empty().then_some(text)
        }
        _ => None,
    }
}
