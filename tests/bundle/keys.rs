//! Key pairs, made for one run.

use std::path::Path;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair as RsaPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, KeyPair,
    },
};

pub(crate) const ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];

/// Writes `NAME.key` and `NAME.pub` for an algorithm; for the HS algorithms both are the secret.
pub(crate) fn write(folder: &Path, name: &str, algorithm: &str) {
    let pem = |tag: &str, der: &[u8]| pem::encode(&pem::Pem::new(tag, der));
    let ecdsa = |kind| {
        let pair = EcdsaKeyPair::generate(kind).unwrap();
        let public = pair.public_key().as_der().unwrap();
        (pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref()), pem("PUBLIC KEY", public.as_ref()))
    };
    let (private, public) = match algorithm {
        "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        "ES512" => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
        _ if algorithm.starts_with('H') => {
            let secret = format!("the secret of {name}, long enough\n");
            (secret.clone(), secret)
        }
        _ => {
            let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
            let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            let public = pair.public_key().as_der().unwrap();
            (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()))
        }
    };
    std::fs::write(folder.join(format!("{name}.key")), private).unwrap();
    std::fs::write(folder.join(format!("{name}.pub")), public).unwrap();
}
