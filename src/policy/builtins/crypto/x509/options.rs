//! What `parse_and_verify_certificates_with_options` may demand.

use regorus::Value as Rego;

use super::super::{super::Failure, operand::bad};

/// The names of extended key usages, at Go's numbers.
const USAGES: [&str; 14] = [
    "KeyUsageAny",
    "KeyUsageServerAuth",
    "KeyUsageClientAuth",
    "KeyUsageCodeSigning",
    "KeyUsageEmailProtection",
    "KeyUsageIPSECEndSystem",
    "KeyUsageIPSECTunnel",
    "KeyUsageIPSECUser",
    "KeyUsageTimeStamping",
    "KeyUsageOCSPSigning",
    "KeyUsageMicrosoftServerGatedCrypto",
    "KeyUsageNetscapeServerGatedCrypto",
    "KeyUsageMicrosoftCommercialCodeSigning",
    "KeyUsageMicrosoftKernelCodeSigning",
];

/// The demands.
#[derive(Default)]
pub(super) struct Options {
    /// The host that the leaf must be for; any if empty.
    pub(super) host: String,
    /// Nanoseconds since 1970; now without it.
    pub(super) time_ns: Option<i64>,
    /// At Go's numbers; server authentication if empty.
    pub(super) usages: Vec<u64>,
}

impl Options {
    pub(super) fn new(object: &regorus::value::Object) -> Result<Self, Failure> {
        let mut options = Self::default();
        for (name, value) in object.iter() {
            // Keys that are no strings are passed over, as OPA does.
            let Rego::String(name) = name else { continue };
            match (&**name, value) {
                ("DNSName", Rego::String(host)) => host.trim_matches('"').clone_into(&mut options.host),
                ("DNSName", _) => return Err(bad("'DNSName' should be a string")),
                ("CurrentTime", Rego::Number(_)) => {
                    let time = value.as_i64().map_err(|_| bad("'CurrentTime' should be a valid int64 number"))?;
                    options.time_ns = Some(time);
                }
                ("CurrentTime", _) => return Err(bad("'CurrentTime' should be a number")),
                // Go bounds the comparisons itself.
                ("MaxConstraintComparisons", Rego::Number(_)) if value.as_i64().is_ok() => {}
                ("MaxConstraintComparisons", _) => {
                    return Err(bad("'MaxConstraintComparisons' should be a valid number"));
                }
                ("KeyUsages", Rego::Array(usages)) => options.usages = numbers(usages.iter())?,
                ("KeyUsages", Rego::Set(usages)) => options.usages = numbers(usages.iter())?,
                ("KeyUsages", _) => return Err(bad("'KeyUsages' should be an Array or Set")),
                _ => return Err(bad("invalid key option")),
            }
        }
        Ok(options)
    }
}

fn numbers<'a>(usages: impl Iterator<Item = &'a Rego>) -> Result<Vec<u64>, Failure> {
    let strings = usages.filter_map(|usage| match usage {
        Rego::String(usage) => Some(usage.trim_matches('"')),
        _ => None,
    });
    strings
        .map(|usage| (0..).zip(USAGES).find(|(_, name)| *name == usage).map(|(number, _)| number))
        .collect::<Option<_>>()
        .ok_or_else(|| bad("invalid entries for 'KeyUsages' found"))
}
