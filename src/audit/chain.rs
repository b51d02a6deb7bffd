//! Tamper evidence: each line of a file names the hash of the line before it, and signed checkpoints seal what is
//! before them.
//!
//! A line's last member is `chain`: `seq` counts the lines, `prev` is the SHA-256 of the whole line before, without its
//! end, in hexadecimal digits. A checkpoint is a line of its own, whose `signature` is Ed25519 (RFC 8032) over the line
//! up to that member.

use std::{fmt, path::Path, time::SystemTime};

use aws_lc_rs::{
    digest,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};

/// The schema that a checkpoint names.
pub(super) const CHECKPOINT: &str = "verdict.checkpoint.v1";

/// The first `prev` of a chain.
pub(super) const GENESIS: [u8; 32] = [0; 32];

/// What stands before the 32 bytes of an Ed25519 public key (RFC 8410 §4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What signs checkpoints. Never shown.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: String,
}

/// What checks checkpoints.
#[derive(Clone, Debug)]
pub struct Verifier {
    key: Vec<u8>,
    id: String,
}

/// Why a file has no key.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` {problem}; make one with `openssl genpkey -algorithm ed25519`")]
pub struct InvalidKey {
    path: String,
    problem: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({})", self.id)
    }
}

impl Signer {
    /// Reads an Ed25519 private key: PKCS#8 in PEM (RFC 8410).
    pub fn open(path: &Path) -> Result<Self, InvalidKey> {
        let der = pem_of(path, "PRIVATE KEY")?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
            .map_err(|_| invalid(path, "holds no Ed25519 private key"))?;
        let id = id_of(pair.public_key().as_ref());
        Ok(Self { pair, id })
    }

    /// The key's name: the start of its hash.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A signature in Base64.
    pub(super) fn sign(&self, text: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(text))
    }

    /// A key of its own.
    #[cfg(test)]
    pub(super) fn of_test() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let id = id_of(pair.public_key().as_ref());
        Self { pair, id }
    }

    /// What checks what this signs.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier { key: self.pair.public_key().as_ref().to_vec(), id: self.id.clone() }
    }
}

impl Verifier {
    /// Reads an Ed25519 key in PEM: the public one, or the private one, of which the public part is used.
    pub fn open(path: &Path) -> Result<Self, InvalidKey> {
        if let Ok(signer) = Signer::open(path) {
            return Ok(signer.verifier());
        }
        let der = pem_of(path, "PUBLIC KEY")?;
        let key = der.strip_prefix(&SPKI).filter(|key| key.len() == 32);
        let key = key.ok_or_else(|| invalid(path, "holds no Ed25519 public key"))?;
        Ok(Self { key: key.to_vec(), id: id_of(key) })
    }

    /// The key's name: the start of its hash.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn verifies(&self, signed: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, &self.key).verify(signed, &signature).is_ok()
    }
}

/// How far a chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The number of the next line.
    pub(super) seq: u64,
    /// The hash of the last one.
    pub(super) prev: [u8; 32],
    /// Records since the last checkpoint.
    pub(super) unsealed: u64,
}

/// What was wrong with a file when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) struct Gap {
    /// Up to which line its head says that it was sealed; `None` if the head was gone, or none of ours.
    pub(super) sealed: Option<u64>,
    /// The number of the last line that was there; 0 if none was.
    pub(super) found: u64,
}

impl State {
    pub(super) fn start() -> Self {
        Self { seq: 1, prev: GENESIS, unsealed: 0 }
    }

    /// Adds a record's line, which is one JSON object, to the chain. `from` says in which spool it was, and under which
    /// number.
    pub(super) fn add(&mut self, record: &[u8], from: Option<(u64, u64)>, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(record.strip_suffix(b"}").unwrap_or(record));
        out.extend_from_slice(br#","chain":{"seq":"#);
        out.extend_from_slice(itoa::Buffer::new().format(self.seq).as_bytes());
        out.extend_from_slice(br#","prev":""#);
        write_hex(&self.prev, out);
        out.push(b'"');
        if let Some((spool, number)) = from {
            out.extend_from_slice(br#","from":""#);
            write_hex(&spool.to_be_bytes(), out);
            out.push(b'/');
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b"}}");
        self.advance(out.get(begin..).unwrap_or_default());
        self.unsealed += 1;
        out.push(b'\n');
    }

    /// Adds a checkpoint; with `gap`, one that says for ever that lines were gone when the file was opened.
    pub(super) fn seal(&mut self, signer: &Signer, time: SystemTime, gap: Option<Gap>, out: &mut Vec<u8>) {
        let begin = out.len();
        let time = DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true);
        let (seq, prev, key) = (self.seq, hex(&self.prev), &signer.id);
        let gap = gap.map_or_else(String::new, |Gap { sealed, found }| {
            let sealed = sealed.map_or_else(|| "null".to_owned(), |sealed| sealed.to_string());
            format!(r#""gap":{{"sealed":{sealed},"found":{found}}},"#)
        });
        let body = format!(
            r#"{{"schema":"{CHECKPOINT}","time":"{time}","key":"{key}",{gap}"chain":{{"seq":{seq},"prev":"{prev}"}}"#
        );
        out.extend_from_slice(body.as_bytes());
        let signature = signer.sign(body.as_bytes());
        out.extend_from_slice(format!(r#","signature":"{signature}"}}"#).as_bytes());
        self.advance(out.get(begin..).unwrap_or_default());
        self.unsealed = 0;
        out.push(b'\n');
    }

    fn advance(&mut self, line: &[u8]) {
        self.prev = hash(line);
        self.seq += 1;
    }
}

/// The part of a checkpoint's line that is signed, and the signature.
pub(super) fn signed(line: &str) -> Option<(&str, &str)> {
    let (body, rest) = line.rsplit_once(r#","signature":""#)?;
    Some((body, rest.strip_suffix(r#""}"#)?))
}

pub(super) fn hash(line: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    let digest = digest::digest(&digest::SHA256, line);
    for (byte, from) in hash.iter_mut().zip(digest.as_ref()) {
        *byte = *from;
    }
    hash
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut digits = Vec::with_capacity(2 * bytes.len());
    write_hex(bytes, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

fn id_of(key: &[u8]) -> String {
    hex(hash(key).get(..8).unwrap_or_default())
}

fn pem_of(path: &Path, label: &str) -> Result<Vec<u8>, InvalidKey> {
    let text = std::fs::read(path).map_err(|error| invalid(path, &format!("cannot be read: {error}")))?;
    let pem = pem::parse(&text).map_err(|_| invalid(path, "is no PEM"))?;
    if pem.tag() != label {
        return Err(invalid(path, &format!("holds no {}", label.to_lowercase())));
    }
    Ok(pem.into_contents())
}

fn invalid(path: &Path, problem: &str) -> InvalidKey {
    InvalidKey { path: path.display().to_string(), problem: problem.to_owned() }
}
