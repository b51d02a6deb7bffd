//! Values in the form that Go's JSON gives its structures: a slice that is nil is null, bytes are base64.

use std::net::{Ipv4Addr, Ipv6Addr};

use der::asn1::ObjectIdentifier;
use regorus::Value as Rego;

use super::super::{super::Failure, asn1, encoding::to_standard, key::PublicKey};

/// An object of these members.
pub(in super::super) fn record<const N: usize>(members: [(&str, Rego); N]) -> Rego {
    let mut object = regorus::value::Object::new();
    for (name, value) in members {
        object.insert(name.into(), value);
    }
    object.into_value()
}

/// Bytes, which are null where there are none.
pub(in super::super) fn bytes(bytes: Option<&[u8]>) -> Rego {
    bytes.map_or(Rego::Null, |bytes| to_standard(bytes).into())
}

/// A slice, which is null where it is empty.
pub(in super::super) fn slice<T>(items: &[T], value: impl Fn(&T) -> Rego) -> Rego {
    if items.is_empty() { Rego::Null } else { Rego::from(items.iter().map(value).collect::<Vec<_>>()) }
}

/// A slice of texts.
pub(in super::super) fn texts(items: &[String]) -> Rego {
    slice(items, |text| text.as_str().into())
}

/// The numbers of an identifier.
pub(in super::super) fn oid(oid: &ObjectIdentifier) -> Rego {
    Rego::from(oid.arcs().map(|arc| Rego::from(u64::from(arc))).collect::<Vec<_>>())
}

/// An address as text.
pub(in super::super) fn address(bytes: &[u8]) -> Rego {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Ipv4Addr::from(bytes).to_string().into();
    }
    let Ok(bytes) = <[u8; 16]>::try_from(bytes) else { return Rego::Null };
    let address = Ipv6Addr::from(bytes);
    address.to_ipv4_mapped().map_or_else(|| address.to_string(), |address| address.to_string()).into()
}

/// What Go numbers the kind of a key, where it knows it.
pub(in super::super) fn key_algorithm(key: Option<&PublicKey>) -> Rego {
    Rego::from(match key {
        Some(PublicKey::Rsa { .. }) => 1_u64,
        Some(PublicKey::Dsa { .. }) => 2,
        Some(PublicKey::Ec { .. }) => 3,
        Some(PublicKey::Ed25519(_)) => 4,
        Some(PublicKey::X25519) | None => 0,
    })
}

/// A public key.
pub(in super::super) fn public_key(key: Option<&PublicKey>) -> Result<Rego, Failure> {
    let number = asn1::number;
    Ok(match key {
        Some(PublicKey::Rsa { n, e }) => record([("E", number(e)?), ("N", number(n)?)]),
        Some(PublicKey::Ec { curve, point }) => {
            let (x, y) = coordinates(curve.size(), point);
            record([("Curve", Rego::new_object()), ("X", number(x)?), ("Y", number(y)?)])
        }
        Some(PublicKey::Ed25519(key)) => bytes(Some(key)),
        Some(PublicKey::Dsa { p, q, g, y }) => {
            record([("G", number(g)?), ("P", number(p)?), ("Q", number(q)?), ("Y", number(y)?)])
        }
        Some(PublicKey::X25519) | None => Rego::Null,
    })
}

/// The two numbers of an uncompressed point.
pub(in super::super) fn coordinates(size: usize, point: &[u8]) -> (&[u8], &[u8]) {
    point.get(1..).and_then(|numbers| numbers.split_at_checked(size)).unwrap_or_default()
}
