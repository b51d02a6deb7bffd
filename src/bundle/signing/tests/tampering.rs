//! A signed bundle, changed in a thousand ways.

use super::*;

/// A generator of numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

#[test]
fn a_thousand_tamperings_are_refused() {
    let algorithms = [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Ps384, Algorithm::Es256, Algorithm::Es512];
    let pairs = algorithms.map(|algorithm| (algorithm, pair(algorithm)));
    let strangers = algorithms.map(|algorithm| match algorithm {
        Algorithm::Hs256 => b"quite another secret".to_vec(),
        other => pair(other).0,
    });
    let good = pairs.each_ref().map(|(algorithm, (private, public))| {
        let key = SigningKey::new(*algorithm, private).unwrap();
        let mut package = example();
        package.signatures = Some(sign(&package, &key, &Options::default()).unwrap());
        let verification = verification(*algorithm, public);
        assert_eq!(verification.verify(&package, NOW), Ok(()));
        (package, verification)
    });
    let yaml = |package: &Package| yaml_serde::from_slice::<yaml_serde::Value>(&package.files[2].bytes).ok();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let (mut tampered, mut accepted) = (0, Vec::new());
    while tampered < 1_000 {
        let at = numbers.below(good.len());
        let (original, verification) = &good[at];
        let mut package = original.clone();
        let count = package.files.len();
        let (one, other) = (numbers.below(count), numbers.below(count));
        let kind = numbers.below(10);
        match kind {
            0..=2 => {
                let byte = numbers.below(package.files[one].bytes.len());
                package.files[one].bytes[byte] ^= u8::try_from(1 + numbers.below(255)).unwrap();
            }
            3 | 4 => {
                let signatures = package.signatures.as_mut().unwrap();
                let byte = 20 + numbers.below(signatures.len() - 24);
                signatures[byte] ^= u8::try_from(1 + numbers.below(255)).unwrap();
            }
            5 => {
                let mut name = package.files[one].path.clone().into_bytes();
                let byte = numbers.below(name.len());
                name[byte] = b'a' + u8::try_from(numbers.below(26)).unwrap();
                package.files[one].path = String::from_utf8(name).unwrap();
            }
            6 => {
                let bytes = package.files[other].bytes.clone();
                package.files[other].bytes = std::mem::replace(&mut package.files[one].bytes, bytes);
            }
            7 => drop(package.files.remove(one)),
            8 => {
                let key = SigningKey::new(algorithms[at], &strangers[at]).unwrap();
                package.signatures = Some(sign(&package, &key, &Options::default()).unwrap());
            }
            _ => {
                let others: Vec<&(Package, Verification)> =
                    good.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, one)| one).collect();
                package.signatures.clone_from(&others[numbers.below(others.len())].0.signatures);
            }
        }
        // Some bytes of YAML can change and mean the same.
        if package == *original || (yaml(&package) == yaml(original) && kind <= 2 && one == 2) {
            continue;
        }
        tampered += 1;
        if verification.verify(&package, NOW).is_ok() {
            accepted.push((kind, algorithms[at], package));
        }
    }
    assert!(accepted.is_empty(), "{accepted:?}");
}
