//! A request for a certificate (RFC 2986 §4).

use der::asn1::ObjectIdentifier;
use regorus::Value as Rego;

use super::{
    super::{
        super::Failure,
        asn1::{Element, Input, signed_number, tag},
        encoding::to_standard,
        operand::bad,
    },
    certificate::{SignatureAlgorithm, subject_key},
    extension::{Extension, Names},
    name::Name,
    value::{self, record},
};

/// The attribute that lists extensions (RFC 2985 §5.4.2).
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// As Go has it. The request's own signature is not checked.
pub(super) fn parse(der: &[u8]) -> Result<Rego, Failure> {
    let mut input = Input(der);
    let whole = input.element(tag::SEQUENCE).filter(|_| input.is_empty());
    whole.and_then(value_of).unwrap_or_else(|| Err(bad("x509: malformed certificate request")))
}

fn value_of(whole: Element) -> Option<Result<Rego, Failure>> {
    let mut outer = whole.value;
    let to_be_signed = outer.element(tag::SEQUENCE)?;
    let algorithm = SignatureAlgorithm::parse(outer.expect(tag::SEQUENCE)?)?;
    let signature = outer.aligned_bits()?;

    let mut inner = to_be_signed.value;
    let version = inner.integer()?;
    let subject = inner.element(tag::SEQUENCE)?;
    let key_info = inner.element(tag::SEQUENCE)?;
    let key = subject_key(key_info.value)?;
    let attributes = list(inner.expect(tag::constructed(0))?)?;
    let extensions = requested(&attributes)?;
    let names = match extensions.iter().rev().find(|extension| extension.id == ALTERNATIVE_NAMES) {
        Some(extension) => Names::parse(&extension.value)?,
        None => Names::default(),
    };
    let attributes: Vec<Rego> = attributes.iter().filter_map(|attribute| attribute_value(*attribute)).collect();
    let make = || {
        let [dns, emails, addresses, uris] = names.values();
        Ok(record([
            ("Attributes", value::slice(&attributes, Rego::clone)),
            ("DNSNames", dns),
            ("EmailAddresses", emails),
            ("Extensions", value::slice(&extensions, Extension::value)),
            ("ExtraExtensions", Rego::Null),
            ("IPAddresses", addresses),
            ("PublicKey", value::public_key(key.as_ref())?),
            ("PublicKeyAlgorithm", value::key_algorithm(key.as_ref())),
            ("Raw", to_standard(whole.raw).into()),
            ("RawSubject", to_standard(subject.raw).into()),
            ("RawSubjectPublicKeyInfo", to_standard(key_info.raw).into()),
            ("RawTBSCertificateRequest", to_standard(to_be_signed.raw).into()),
            ("Signature", to_standard(&signature).into()),
            ("SignatureAlgorithm", Rego::from(algorithm.number)),
            ("Subject", Name::parse(subject.raw).unwrap_or_default().value()),
            ("URIs", uris),
            ("Version", signed_number(version)?),
        ]))
    };
    Name::parse(subject.raw)?;
    Some(make())
}

fn list(mut input: Input) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    while !input.is_empty() {
        elements.push(input.any()?);
    }
    Some(elements)
}

/// The extensions that are asked for. What is no such attribute is passed over.
fn requested(attributes: &[Element]) -> Option<Vec<Extension>> {
    let mut extensions: Vec<Extension> = Vec::new();
    for attribute in attributes {
        let mut parts = attribute.value;
        if attribute.tag != tag::SEQUENCE || parts.oid() != Some(EXTENSION_REQUEST) {
            continue;
        }
        let Some(first) = parts.expect(tag::SET).and_then(|mut values| values.any()) else { continue };
        if first.tag != tag::SEQUENCE {
            return None;
        }
        extensions.extend(Extension::list(first.value)?);
    }
    Some(extensions)
}

/// An attribute whose values are lists of types with values; Go leaves the others out.
fn attribute_value(attribute: Element) -> Option<Rego> {
    let mut parts = attribute.value;
    let kind = parts.oid().filter(|_| attribute.tag == tag::SEQUENCE)?;
    let mut lists = Vec::new();
    for mut values in list(parts.expect(tag::SET)?)?
        .into_iter()
        .map(|list| (list.tag == tag::SEQUENCE).then_some(list.value))
        .collect::<Option<Vec<_>>>()?
    {
        let mut pairs = Vec::new();
        while !values.is_empty() {
            let mut pair = values.expect(tag::SEQUENCE)?;
            let kind = value::oid(&pair.oid()?);
            pairs.push(record([("Type", kind), ("Value", any(pair.any()?)?)]));
        }
        lists.push(Rego::from(pairs));
    }
    Some(record([("Type", value::oid(&kind)), ("Value", Rego::from(lists))]))
}

/// A value of any type, as far as one is to be expected in an attribute.
fn any(element: Element) -> Option<Rego> {
    let bytes = element.value.0;
    let mut input = Input(element.raw);
    Some(match element.tag {
        tag::BOOLEAN => Rego::from(input.boolean()?),
        tag::INTEGER => Rego::from(input.small()?),
        tag::OID => value::oid(&input.oid()?),
        tag::OCTET_STRING => to_standard(bytes).into(),
        0x0c | 0x12 | 0x13 | 0x14 | 0x16 => std::str::from_utf8(bytes).ok()?.into(),
        _ => Rego::Null,
    })
}
