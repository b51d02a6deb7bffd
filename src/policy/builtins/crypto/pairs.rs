//! `crypto.parse_private_keys`, `crypto.x509.parse_rsa_private_key` and `crypto.x509.parse_keypair`.

use regorus::Value as Rego;

use super::{
    super::Failure,
    asn1::number,
    encoding,
    operand::{bad, document},
    private::{PrivateKey, Rsa},
    x509::{
        Certificate,
        value::{coordinates, record},
    },
};

/// The most keys of one text.
const MAX_KEYS: usize = 100;

/// The private keys of a text, as Go has them.
pub(super) fn parse_private_keys(arguments: &[Rego]) -> Result<Rego, Failure> {
    let text = document(arguments, 0)?;
    if text.is_empty() {
        return Ok(Rego::Null);
    }
    let keys = read(text.as_bytes())?;
    Ok(Rego::from(keys.iter().map(value).collect::<Result<Vec<_>, _>>()?))
}

/// The first private key of a text, of whatever kind, as a JWK (RFC 7517, RFC 8037).
pub(super) fn parse_rsa_private_key(arguments: &[Rego]) -> Result<Rego, Failure> {
    let text = document(arguments, 0)?;
    if text.is_empty() {
        return Err(bad("input PEM data was empty"));
    }
    let keys = if text.starts_with("-----BEGIN") {
        read(text.as_bytes())?
    } else {
        read(&encoding::standard(text.as_bytes()).ok_or_else(|| bad("illegal base64 data"))?)?
    };
    Ok(keys.first().map_or(Rego::Null, jwk))
}

/// A certificate with the key that belongs to it.
pub(super) fn parse_keypair(arguments: &[Rego]) -> Result<Rego, Failure> {
    let (certificate, key) = (document(arguments, 0)?, document(arguments, 1)?);
    let certificates = blocks(certificate, |label| label == "CERTIFICATE")?;
    let first = certificates.first().ok_or_else(|| bad("tls: failed to find any PEM data in certificate input"))?;
    let keys = blocks(key, |label| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY"))?;
    let key = keys.first().ok_or_else(|| bad("tls: failed to find any PEM data in key input"))?;
    let leaf = Certificate::parse(first)?;
    let key = Rsa::from_pkcs1(key)
        .map(PrivateKey::Rsa)
        .or_else(|| PrivateKey::from_pkcs8(key))
        .or_else(|| PrivateKey::from_sec1(key, None))
        .filter(|key| !matches!(key, PrivateKey::X25519 { .. }))
        .ok_or_else(|| bad("tls: failed to parse private key"))?;
    if leaf.public_key != Some(key.public()) {
        return Err(bad("tls: private key does not match public key"));
    }
    let encoded = certificates.iter().map(|der| Rego::from(encoding::to_standard(der)));
    Ok(record([
        ("Certificate", Rego::from(encoded.collect::<Vec<_>>())),
        ("Leaf", leaf.value(false)?),
        ("OCSPStaple", Rego::Null),
        ("PrivateKey", value(&key)?),
        ("SignedCertificateTimestamps", Rego::Null),
        ("SupportedSignatureAlgorithms", Rego::Null),
    ]))
}

/// The bytes of the blocks with a label that is wanted, in PEM, or PEM in base64; or of DER in base64.
fn blocks(text: &str, wanted: fn(&str) -> bool) -> Result<Vec<Vec<u8>>, Failure> {
    const BEGIN: &[u8] = b"-----BEGIN ";

    let mut bytes = text.as_bytes().to_vec();
    if !bytes.starts_with(BEGIN) {
        bytes = encoding::standard(&bytes).ok_or_else(|| bad("illegal base64 data"))?;
    }
    if !bytes.starts_with(BEGIN) {
        return Ok(vec![bytes]);
    }
    let mut found = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((block, after)) = encoding::pem(rest) {
        if wanted(&block.label) {
            found.push(block.bytes);
        }
        rest = after;
    }
    Ok(found)
}

fn read(text: &[u8]) -> Result<Vec<PrivateKey>, Failure> {
    let decoded = encoding::standard(text);
    let mut rest = decoded.as_deref().unwrap_or(text);
    let mut keys = Vec::new();
    while let Some((block, after)) = encoding::pem(rest) {
        rest = after;
        let key = match block.label.as_str() {
            "RSA PRIVATE KEY" => Rsa::from_pkcs1(&block.bytes).map(PrivateKey::Rsa),
            "PRIVATE KEY" => PrivateKey::from_pkcs8(&block.bytes),
            "EC PRIVATE KEY" => PrivateKey::from_sec1(&block.bytes, None),
            _ => continue,
        };
        if keys.len() == MAX_KEYS {
            return Err(Failure::Spent(format!("more than {MAX_KEYS} private keys")));
        }
        keys.push(key.ok_or_else(|| bad("x509: failed to parse private key"))?);
    }
    Ok(keys)
}

/// A key as Go's JSON has it.
fn value(key: &PrivateKey) -> Result<Rego, Failure> {
    Ok(match key {
        PrivateKey::Rsa(Rsa { n, e, d, p, q, dp, dq, qi }) => record([
            ("D", number(d)?),
            ("E", number(e)?),
            ("N", number(n)?),
            (
                "Precomputed",
                record([
                    ("CRTValues", Rego::new_array()),
                    ("Dp", number(dp)?),
                    ("Dq", number(dq)?),
                    ("Qinv", number(qi)?),
                ]),
            ),
            ("Primes", Rego::from(vec![number(p)?, number(q)?])),
        ]),
        PrivateKey::Ec { curve, d, point } => {
            let (x, y) = coordinates(curve.size(), point);
            record([("Curve", Rego::new_object()), ("D", number(d)?), ("X", number(x)?), ("Y", number(y)?)])
        }
        PrivateKey::Ed25519 { seed, public } => {
            encoding::to_standard(&[seed.as_slice(), public.as_slice()].concat()).into()
        }
        // Go has nothing public in there.
        PrivateKey::X25519 { .. } => Rego::new_object(),
    })
}

fn jwk(key: &PrivateKey) -> Rego {
    let text = |bytes: &[u8]| Rego::from(encoding::to_url(bytes));
    match key {
        PrivateKey::Rsa(Rsa { n, e, d, p, q, dp, dq, qi }) => record([
            ("d", text(d)),
            ("dp", text(dp)),
            ("dq", text(dq)),
            ("e", text(e)),
            ("kty", "RSA".into()),
            ("n", text(n)),
            ("p", text(p)),
            ("q", text(q)),
            ("qi", text(qi)),
        ]),
        PrivateKey::Ec { curve, d, point } => {
            let (x, y) = coordinates(curve.size(), point);
            record([("crv", curve.name().into()), ("d", text(d)), ("kty", "EC".into()), ("x", text(x)), ("y", text(y))])
        }
        PrivateKey::Ed25519 { seed, public } => {
            record([("crv", "Ed25519".into()), ("d", text(seed)), ("kty", "OKP".into()), ("x", text(public))])
        }
        PrivateKey::X25519 { d, public } => {
            record([("crv", "X25519".into()), ("d", text(d)), ("kty", "OKP".into()), ("x", text(public))])
        }
    }
}
