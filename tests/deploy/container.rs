//! The image: what its recipe says, and the program as it has it, alone on a file system that it can't write to.

use std::{fs, path::Path, process::Command};

use serde_json::Value as Json;
use verdict::config::{self, Flags};

use crate::{
    repository,
    support::{Serve, run, verdict},
    text,
    tools::{content, skipped, tool},
};

/// The libraries that `distroless/cc` has.
const LIBRARIES: [&str; 8] = [
    "linux-vdso.so.1",
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
];

/// An instruction of the recipe, and the rest of it.
type Instruction = (String, String);

fn recipe() -> Vec<Instruction> {
    let text = text("deploy/Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).unwrap())
        .collect()
}

/// What becomes the image.
fn last_stage() -> Vec<Instruction> {
    let recipe = recipe();
    let from = recipe.iter().rposition(|(word, _)| word == "FROM").unwrap();
    recipe[from..].to_vec()
}

fn said(word: &str) -> Vec<String> {
    last_stage().into_iter().filter(|(other, _)| other == word).map(|(_, rest)| rest).collect()
}

/// The command of `HEALTHCHECK`.
pub(crate) fn healthcheck() -> Vec<String> {
    let said = said("HEALTHCHECK");
    let (_, command) = said.first().expect("a HEALTHCHECK").split_once("CMD").unwrap();
    serde_json::from_str(command).unwrap()
}

#[test]
fn hadolint_finds_nothing_wrong_with_the_recipe() {
    let Some(mut hadolint) = tool("hadolint") else { return };
    content(hadolint.arg("deploy/Dockerfile"));
}

#[test]
fn the_image_is_the_program_and_no_root() {
    let user = said("USER");
    let (user, group) = user.last().expect("a USER").split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
    assert_eq!(said("COPY").iter().filter(|copy| !copy.contains("--from=build")).count(), 1, "the licence alone");
    assert!(said("RUN").is_empty() && said("ADD").is_empty(), "there is no shell");
    let entry: Vec<String> = serde_json::from_str(&said("ENTRYPOINT")[0]).unwrap();
    assert!(said("COPY").iter().any(|copy| copy.ends_with(&entry[0])), "{entry:?}");
    assert_eq!(healthcheck(), ["/usr/local/bin/verdict", "healthcheck"]);
    let defaults = config::load(&Flags { file: None, values: Vec::new() }, std::iter::empty()).unwrap();
    let ports: Vec<_> = [defaults.grpc.address, defaults.http.address]
        .iter()
        .map(|address| address.to_string().rsplit_once(':').unwrap().1.to_owned())
        .collect();
    assert_eq!(said("EXPOSE")[0].split(' ').collect::<Vec<_>>(), ports);
    let rust = recipe().into_iter().find(|(_, rest)| rest.starts_with("BUILD_IMAGE=")).unwrap().1;
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let oldest = manifest["package"]["rust-version"].as_str().unwrap();
    assert!(rust.contains(&format!("rust:{oldest}")), "{rust} is to be at least {oldest}");
    // The C library of both is the same.
    assert!(rust.ends_with("bookworm") && text("deploy/Dockerfile").contains("cc-debian12:nonroot"));
}

#[test]
fn the_context_has_what_cargo_needs_and_no_build_output() {
    let ignored = text(".dockerignore");
    let mut lines = ignored.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"), "what is not named stays out");
    let named: Vec<_> = lines.clone().filter_map(|line| line.strip_prefix('!')).collect();
    for name in &named {
        assert!(repository().join(name).exists(), "{name}");
    }
    for needed in [".cargo", "Cargo.toml", "Cargo.lock", "build.rs", "proto", "src", "policies", "LICENSE"] {
        assert!(named.contains(&needed), "{needed}");
    }
    assert!(lines.any(|line| line == "**/target") && !named.contains(&"target") && !named.contains(&".git"));
    // Targets that the manifest names must be there, though nobody compiles them.
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    assert!(manifest.contains_key("bench") && named.contains(&"benches") && named.contains(&"tests"));
    let mut sources = Vec::new();
    below(&repository().join("src"), &mut sources);
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        for (at, _) in text.match_indices("include_str!(\"").chain(text.match_indices("include_bytes!(\"")) {
            // Of the documentation's tests.
            if text[..at].lines().rev().nth(1).is_some_and(|line| line == "#[cfg(doctest)]") {
                continue;
            }
            let included = text[at..].split('"').nth(1).unwrap();
            let path = source.parent().unwrap().join(included);
            // In a test's text there may be what is no file.
            let Ok(path) = path.canonicalize() else { continue };
            let path = path.strip_prefix(repository().canonicalize().unwrap()).unwrap();
            assert!(
                named.iter().any(|name| path.starts_with(name)),
                "{} includes {}",
                source.display(),
                path.display()
            );
        }
    }
}

fn below(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What only tests compile is not in the image.
        if path.file_stem().is_some_and(|name| name == "tests" || name == "documentation") {
            continue;
        }
        if path.is_dir() {
            below(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Makes the root of a container from the files of a folder, with the program and its libraries in it; all of it can only be
/// read, but for `/run/verdict`, which is as an `emptyDir` is. Then it becomes the server in it, as a user who is nobody.
const CONTAINER: &str = r#"
set -e
root=$1; program=$2; shift 2
mkdir -p "$root/usr/local/bin" "$root/run/verdict" "$root/proc"
touch "$root/usr/local/bin/verdict"
for library in $(ldd "$program" | grep -o '/[^ ]*'); do
  mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"
done
mount --bind "$root" "$root"
mount --bind "$program" "$root/usr/local/bin/verdict"
mount --rbind /proc "$root/proc"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=2777,gid=65532,size=1m tmpfs "$root/run/verdict"
exec setpriv --no-new-privs chroot --userspec=65532:65532 "$root" /usr/local/bin/verdict "$@"
"#;

#[tokio::test]
async fn it_runs_as_nobody_on_a_file_system_that_can_only_be_read() {
    let may =
        run(Command::new("unshare").args(["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt && command -v setpriv"]));
    if may.code != Some(0) || !cfg!(target_arch = "x86_64") {
        return skipped("containers", "nothing can be mounted here, by `unshare --mount`");
    }
    let folder = tempfile::tempdir().unwrap();
    let etc = folder.path().join("etc/verdict");
    fs::create_dir_all(etc.join("policies")).unwrap();
    fs::write(etc.join("policies/always.rego"), "package always\n\ndecision := true\n").unwrap();
    // What systemd's unit ships is what is on loopback, too.
    fs::copy(repository().join("deploy/systemd/verdict.yaml"), etc.join("verdict.yaml")).unwrap();
    let open = run(Command::new("chmod").args(["-R", "a+rX"]).arg(folder.path()));
    assert_eq!(open.code, Some(0));
    let root = folder.path().to_str().unwrap();
    let inside = ["--mount", "sh", "-c", CONTAINER, "sh", root];
    let serve = Serve::embedded().within("unshare", &inside).arg("--config").arg("/etc/verdict/verdict.yaml");
    let mut server = serve.env("VERDICT_ADMIN_ADDRESS", "unix:/run/verdict/admin/admin.sock").ready().await;
    server.unharmed().await;
    let there = server.root();
    let status = fs::read_to_string(there.parent().unwrap().join("status")).unwrap();
    for line in ["Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.lines().any(|other| other == line), "no `{line}` in {status}");
    }
    assert!(fs::write(there.join("etc/verdict/x"), "").is_err(), "not even by root");
    let admin = format!("unix:{}", there.join("run/verdict/admin/admin.sock").display());
    let status = run(verdict().args(["policy", "status", "--server", &admin]));
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    let http = server.http.to_string();
    let ended = run(verdict().args(&healthcheck()[1..]).env("VERDICT_HTTP_ADDRESS", http));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    server.signal("TERM");
    assert!(server.ended().await.success());
}

#[test]
fn the_program_needs_no_library_that_the_image_lacks() {
    let ended = run(Command::new("ldd").arg(verdict().get_program()));
    if ended.code != Some(0) {
        return skipped("containers", "`ldd` says nothing of the program");
    }
    for line in ended.stdout.lines() {
        let name = line.split_whitespace().next().unwrap();
        let name = name.rsplit('/').next().unwrap();
        assert!(LIBRARIES.contains(&name), "{line}");
    }
}

/// What the program says of a configuration.
pub(crate) fn checked(file: &Path) -> Json {
    let ended =
        run(verdict().env_remove("VERDICT_ADMIN_ADDRESS").args(["serve", "--check-config", "--config"]).arg(file));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    yaml_serde::from_str(&ended.stdout).unwrap()
}
