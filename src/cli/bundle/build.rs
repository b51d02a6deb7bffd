//! `verdict bundle build`: a bundle out of folders.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value as Json};
use verdict::{
    bundle::{Bundle, Compression, File, Limits, Package, assemble},
    policy::{self, Capabilities, Faults, Options, Snapshot},
};

use super::{count, files, keys, progress, select::Selection, size};
use crate::cli::{capabilities, complain, exit, say_aside, show_faults};

const EXAMPLES: &str = "\
Taken are `*.rego`, `data.json`, `data.yaml`, `data.yml` at any depth but not in hidden folders, and
`.manifest`. The same files make the same bytes on every machine; signed, with RS and HS only.

Examples:
  verdict bundle build policies/ -o bundle.tar.gz --revision \"$(git rev-parse HEAD)\"
  verdict bundle build policies/ data/ --without-tests --root authz --root limits --metadata team=platform
  verdict bundle build policies/ --without-tests --ignore drafts --ignore '*_old.rego'
  verdict bundle build policies/ --signing-key private.pem --signing-alg ES256 -o signed.tar.gz
  opa eval -b bundle.tar.gz data.authz

Exit: 0 built, 1 the policies have faults, 2 it could not be done, 64 wrong usage.";

/// Build a bundle of policies and data, after checking them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folders, each with the layout of `data`; together they are one bundle
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Where the bundle goes; `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "bundle.tar.gz")]
    output: PathBuf,
    /// What this content is called: every verdict names it
    #[arg(short, long, value_name = "REVISION")]
    revision: Option<String>,
    /// A path below `data` that the bundle owns, with `/`; may be given more than once [default: all of `data`]
    #[arg(long, value_name = "ROOT")]
    root: Vec<String>,
    /// The version of Rego of files for which `.manifest` says no other [default: 1]
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    rego_version: Option<u8>,
    /// Something to know about the bundle, in its manifest; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// What the bundle is compressed with; OPA reads gzip only [default: by the output's name, else gzip]
    #[arg(long, value_enum)]
    compression: Option<Compress>,
    /// Leave out files and folders of this name, or this path if it has a `/` (`*`, `?`, `[a-z]`); may be repeated
    #[arg(long, visible_alias = "ignore", value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave out the `*_test.rego` files
    #[arg(long)]
    without_tests: bool,
    /// Don't lint and compile
    #[arg(long)]
    no_check: bool,
    /// The built-ins that policies may call, in OPA's format [default: all]
    #[arg(long, value_name = "FILE", value_parser = capabilities)]
    capabilities: Option<Capabilities>,
    #[command(flatten)]
    signing: keys::Signer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Compress {
    Gzip,
    Zstd,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let selection = match Selection::new(&args.exclude, args.without_tests) {
        Ok(selection) => selection,
        Err(wrong) => {
            complain(&wrong);
            return Ok(ExitCode::from(exit::CONFIG));
        }
    };
    let mut package = Package::from_files(args.files(&selection)?).context("the files make no bundle")?;
    // That of the folder, if there is one, is of something else.
    package.signatures = None;
    let package = Arc::new(package);
    if !args.no_check
        && let Err(faults) = args.check(&package)?
    {
        show_faults(&faults);
        return Ok(ExitCode::from(exit::NO));
    }
    let mut package = Arc::unwrap_or_clone(package);
    package.signatures = args.signing.sign(&package)?;
    let archive = {
        let _step = progress::step("packing");
        package.write(args.compression())
    };
    // What can't be read again must not leave here.
    let again = Package::read(&archive, &Limits::default()).context("the bundle exceeds what may be loaded")?;
    if again != package {
        bail!("the bundle does not read as it was written; please report it");
    }
    files::write(&args.output, &archive)?;
    let revision = match package.manifest.revision.as_str() {
        "" => String::new(),
        revision => format!(", revision {revision}"),
    };
    say_aside(&format!(
        "{}: {}, {}{revision}; {}",
        args.output.display(),
        count(package.files.len(), "file"),
        size(archive.len()),
        package.digest()
    ));
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// The files of all folders, with the manifest that the flags make.
    fn files(&self, selection: &Selection) -> anyhow::Result<Vec<File>> {
        let mut all: Vec<(File, &PathBuf)> = Vec::new();
        for root in &self.folders {
            if !root.is_dir() {
                bail!("`{}` is no folder; name the folder whose layout is that of `data`", root.display());
            }
            all.extend(files::folder(root, &|path| selection.takes(path))?.into_iter().map(|file| (file, root)));
        }
        all.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
        if let Some([(file, one), (_, other)]) =
            all.array_windows().find(|[(one, _), (other, _)]| one.path == other.path)
        {
            bail!("`{}` is in `{}` and in `{}`; a bundle has it once", file.path, one.display(), other.display());
        }
        if all.iter().all(|(file, _)| file.path == ".manifest") {
            bail!("there are no policies and no data; they are files named `*.rego`, `data.json` or `data.yaml`");
        }
        let mut files: Vec<File> = all.into_iter().map(|(file, _)| file).collect();
        let manifest = files.iter().position(|file| file.path == ".manifest").map(|at| files.remove(at).bytes);
        files.push(File { path: ".manifest".to_owned(), bytes: self.manifest(manifest)? });
        Ok(files)
    }

    /// What `.manifest` says, changed by the flags. The version of Rego is always said, because readers' defaults differ.
    fn manifest(&self, written: Option<Vec<u8>>) -> anyhow::Result<Vec<u8>> {
        let mut manifest: Map<String, Json> = match written {
            Some(bytes) => serde_json::from_slice(&bytes).context("`.manifest` is no JSON object")?,
            None => Map::new(),
        };
        if let Some(revision) = &self.revision {
            manifest.insert("revision".to_owned(), revision.as_str().into());
        }
        if !self.root.is_empty() {
            let roots = self.root.iter().map(|root| root.trim_matches('/'));
            manifest.insert("roots".to_owned(), roots.collect::<Json>());
        }
        match self.rego_version {
            Some(version) => drop(manifest.insert("rego_version".to_owned(), version.into())),
            None => drop(manifest.entry("rego_version").or_insert_with(|| 1.into())),
        }
        if !self.metadata.is_empty() {
            let metadata = manifest.entry("metadata").or_insert_with(|| Json::Object(Map::new()));
            let Json::Object(metadata) = metadata else { bail!("`metadata` in `.manifest` is no object") };
            metadata.extend(self.metadata.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
        }
        Ok(format!("{:#}\n", Json::Object(manifest)).into_bytes())
    }

    /// Compiles everything, and then what is served alone, as `verdict lint` does. Warnings are shown.
    fn check(&self, package: &Arc<Package>) -> anyhow::Result<Result<(), Faults>> {
        let _step = progress::step("checking");
        let bundle: Bundle = assemble(&[("bundle".to_owned(), Arc::clone(package))])?;
        let capabilities = self.capabilities.unwrap_or_default();
        let options = Options { tests: true, capabilities, ..Options::default() };
        let compiled = Snapshot::compile(&bundle, 1, options)
            .and_then(|_| Snapshot::compile(&bundle, 1, Options { tests: false, ..options }));
        if let Err(faults) = compiled {
            return Ok(Err(faults));
        }
        for warning in policy::warnings(&bundle, options, &[]) {
            say_aside(&warning.render(false));
        }
        Ok(Ok(()))
    }

    fn compression(&self) -> Compression {
        let name = self.output.to_string_lossy();
        match self.compression {
            Some(Compress::Zstd) => Compression::Zstd,
            None if name.ends_with(".zst") || name.ends_with(".tzst") => Compression::Zstd,
            _ => Compression::Gzip,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like `team=platform`".to_owned()),
    }
}
