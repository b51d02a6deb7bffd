//! `verdict bundle inspect`: what is in a bundle.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use chrono::DateTime;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use verdict::{
    bundle::{
        Package,
        signing::{self, Claimed, InvalidSignature},
    },
    decision::Digest,
    policy::{Fault, outline, printable},
};

use super::{Format, count, files, size};
use crate::cli::say;

const EXAMPLES: &str = "\
What a signature says is shown as it is; whether it is right is told by `verdict bundle verify`.

Examples:
  verdict bundle inspect bundle.tar.gz
  verdict bundle inspect bundle.tar.gz --format json | jq -r .digest
  verdict bundle inspect policies/

Exit: 0 shown, 2 it is no bundle, 64 wrong usage.";

/// Show what is in a bundle: its manifest, files, packages and signature
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A bundle, or a folder that one is built from
    #[arg(value_name = "FILE|FOLDER")]
    bundle: PathBuf,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Everything that is shown.
struct Contents {
    package: Package,
    packages: Vec<String>,
    faults: Vec<Fault>,
    signature: Result<Option<Claimed>, InvalidSignature>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let package = files::read_sources(&args.bundle)?;
    let texts = super::texts(&package)?;
    let modules: Vec<_> = texts.modules.iter().chain(&texts.tests).collect();
    let (packages, faults) = outline::packages(&modules, package.manifest.rego_version == Some(0));
    let signature = signing::claimed(&package);
    let contents = Contents { package, packages, faults, signature };
    say(&match args.format {
        Format::Text => contents.text(),
        Format::Json => format!("{:#}", contents.json()),
    });
    Ok(ExitCode::SUCCESS)
}

impl Contents {
    fn text(&self) -> String {
        let Package { manifest, files, .. } = &self.package;
        let mut out = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{name:<10} {}", printable(value));
        };
        line("kind", self.kind());
        line("digest", &self.package.digest().to_string());
        line("revision", if manifest.revision.is_empty() { "none" } else { &manifest.revision });
        let roots = manifest.roots.as_ref().map_or("all of `data`".to_owned(), |roots| {
            roots.iter().map(|root| format!("`{root}`")).collect::<Vec<_>>().join(", ")
        });
        line("roots", &roots);
        if let Some(version) = manifest.rego_version {
            line("rego", &format!("v{version}"));
        }
        for (pattern, version) in &manifest.file_rego_versions {
            line("", &format!("v{version} for `{pattern}`"));
        }
        for (name, value) in &manifest.metadata {
            line("metadata", &format!("{name}: {value}"));
        }
        line("packages", &self.packages.join(", "));
        for fault in &self.faults {
            line("unreadable", &fault.to_string());
        }
        line("signature", &self.signature_text());
        let all = files.iter().map(|file| file.bytes.len()).sum();
        line("files", &format!("{}, {}", files.len(), size(all)));
        for file in files {
            let hash: Digest = Digest(Sha256::digest(&file.bytes).into());
            let hash: String = hash.to_string().chars().skip("sha256:".len()).take(12).collect();
            let _ = writeln!(out, "  {hash}  {:>10}  {}", size(file.bytes.len()), printable(&file.path));
        }
        out.trim_end().to_owned()
    }

    fn signature_text(&self) -> String {
        let claimed = match &self.signature {
            Ok(None) => return "none".to_owned(),
            Err(wrong) => return wrong.to_string(),
            Ok(Some(claimed)) => claimed,
        };
        let Claimed { algorithm, key_id, scope, issued, not_before, expires, files } = claimed;
        let mut out = format!("not verified: {algorithm}");
        if let Some(id) = key_id {
            let _ = write!(out, ", by the key `{id}`");
        }
        if !scope.is_empty() {
            let _ = write!(out, ", for `{scope}`");
        }
        for (what, at) in [("made", issued), ("valid from", not_before), ("expires", expires)] {
            if let Some(at) = at {
                let _ = write!(out, ", {what} {}", time(*at));
            }
        }
        let _ = write!(out, ", over {}", count(files.len(), "file"));
        out
    }

    fn json(&self) -> Json {
        let Package { manifest, files, .. } = &self.package;
        let file = |file: &verdict::bundle::File| {
            let hash = Digest(Sha256::digest(&file.bytes).into());
            json!({"path": file.path, "bytes": file.bytes.len(), "digest": hash.to_string()})
        };
        let signature = match &self.signature {
            Ok(None) => Json::Null,
            Err(wrong) => json!({"verified": false, "error": wrong.to_string()}),
            Ok(Some(Claimed { algorithm, key_id, scope, issued, not_before, expires, files })) => json!({
                "verified": false,
                "algorithm": algorithm,
                "key_id": key_id,
                "scope": scope,
                "issued": issued.map(time),
                "not_before": not_before.map(time),
                "expires": expires.map(time),
                "files": files.iter().map(|file| &file.name).collect::<Vec<_>>(),
            }),
        };
        json!({
            "kind": self.kind(),
            "digest": self.package.digest().to_string(),
            "manifest": serde_json::to_value(manifest).unwrap_or_default(),
            "packages": self.packages,
            "faults": self.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "signature": signature,
            "files": files.iter().map(file).collect::<Json>(),
        })
    }

    fn kind(&self) -> &'static str {
        if self.package.is_delta() { "delta" } else { "bundle" }
    }
}

/// A time as in RFC 3339.
fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| format!("{seconds} s after 1970"), |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
