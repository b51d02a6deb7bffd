//! Archives byte by byte, so that they can be wrong in every way.

use std::io::Write as _;

pub(crate) const BLOCK: usize = 512;

/// A header; `size` is what it says, whatever follows.
pub(crate) fn header(name: impl AsRef<[u8]>, kind: u8, size: usize) -> Vec<u8> {
    let mut header = vec![0; BLOCK];
    let name = name.as_ref();
    header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    header[100..107].copy_from_slice(b"0000600");
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    summed(header)
}

/// The header with the checksum that belongs to it.
pub(crate) fn summed(mut header: Vec<u8>) -> Vec<u8> {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header[..BLOCK].iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A header that is changed somewhere.
pub(crate) fn changed(mut header: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    header[at..at + bytes.len()].copy_from_slice(bytes);
    summed(header)
}

/// An entry of that kind, its content padded.
pub(crate) fn entry(name: impl AsRef<[u8]>, kind: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut entry = header(name, kind, content.len());
    entry.extend_from_slice(content);
    entry.resize(entry.len().next_multiple_of(BLOCK), 0);
    entry
}

pub(crate) fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Vec<u8> {
    entry(name, b'0', content)
}

/// A policy that is as it should be.
pub(crate) fn good() -> Vec<u8> {
    file("p.rego", "package p")
}

/// An extended header of these records.
pub(crate) fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    entry("pax", b'x', records.iter().map(|(key, value)| record(key, value)).collect::<String>())
}

pub(crate) fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length.to_string().len() + rest.len() != length {
        length = length.to_string().len() + rest.len();
    }
    format!("{length}{rest}")
}

/// GNU's long name of the next entry.
pub(crate) fn long(name: impl AsRef<[u8]>) -> Vec<u8> {
    entry("././@LongLink", b'L', name)
}

/// A whole tar of these entries.
pub(crate) fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = entries.concat();
    tar.extend_from_slice(&[0; 2 * BLOCK]);
    tar
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A compressed stream of a block, so many times.
pub(crate) fn repeated(head: &[u8], block: &[u8], times: usize, zstd: bool) -> Vec<u8> {
    if zstd {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.write_all(head).unwrap();
        (0..times).for_each(|_| encoder.write_all(block).unwrap());
        return encoder.finish().unwrap();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(head).unwrap();
    (0..times).for_each(|_| encoder.write_all(block).unwrap());
    encoder.finish().unwrap()
}
