//! Any bytes as an archive: read or refused; what is read is written and read again as it was. The first byte says how the
//! rest is compressed, so that what mutates is the tar.

use std::io::Write as _;

use verdict::bundle::{Compression, File, Limits, Package, assemble};

/// Bytes as an archive.
pub fn run(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let archive = match how % 3 {
        0 => rest.to_vec(),
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(rest).unwrap();
            encoder.finish().unwrap()
        }
        // A header's checksum is hard to guess.
        _ => summed(rest.to_vec()),
    };
    let limits = Limits { unpacked_bytes: 4 << 20, ..Limits::default() };
    let Ok(package) = Package::read(&archive, &limits) else { return };
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let again = Package::read(&package.write(compression), &Limits::default());
        assert_eq!(again.as_ref(), Ok(&package), "{compression:?}");
    }
    let _ = package.apply(&package);
    assert!(
        package.diff(&package, 3).is_ok_and(|difference| difference.is_empty()) || package.diff(&package, 3).is_err()
    );
    let _ = assemble(&[("a".to_owned(), package.into())]);
}

/// With the right checksum in each block that may be a header.
fn summed(mut tar: Vec<u8>) -> Vec<u8> {
    for block in tar.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    tar
}

/// Inputs to begin with; `fuzz/run` makes more of them with `tar`.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
    let manifest = r#"{"revision": "1", "roots": ["a"], "file_rego_versions": {"/a/*.rego": 0}}"#;
    let bundle = [
        file(".manifest", manifest),
        file("a/p.rego", "package a"),
        file("a/data.json", r#"{"x": [1.50]}"#),
        file("a/b/data.yml", "y: 1"),
    ];
    let delta = [
        file(".manifest", manifest),
        file("patch.json", r#"{"data": [{"op": "upsert", "path": "/a/b", "value": 1}]}"#),
    ];
    let tar = |files: &[File]| Package::from_files(files.to_vec()).unwrap().write(Compression::None);
    vec![
        ("bundle", super::chosen(0, tar(&bundle))),
        ("bundle-gzip", super::chosen(1, tar(&bundle))),
        ("bundle-summed", super::chosen(2, tar(&bundle))),
        ("delta", super::chosen(2, tar(&delta))),
    ]
}
