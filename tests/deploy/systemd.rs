//! The units for systemd, and the configuration that goes with them.

use std::fs;

use crate::{
    container::checked,
    repository,
    serving::http_of,
    support::{Folder, Serve, run, verdict},
    text,
    tools::{content, tool},
};

/// What a unit says of a setting, each time.
fn said(unit: &str, setting: &str) -> Vec<String> {
    let text = text(&format!("deploy/systemd/{unit}"));
    let of = |line: &str| line.strip_prefix(setting)?.strip_prefix('=').map(str::to_owned);
    text.lines().filter_map(of).collect()
}

fn seconds(setting: &str) -> u64 {
    said("verdict.service", setting)[0].strip_suffix('s').unwrap().parse().unwrap()
}

#[test]
fn the_unit_starts_what_there_is() {
    let start = said("verdict.service", "ExecStart");
    let words: Vec<_> = start[0].split(' ').collect();
    assert_eq!(words[0], "/usr/local/bin/verdict");
    let shipped = repository().join("deploy/systemd/verdict.yaml");
    let here: Vec<_> = words[1..]
        .iter()
        .map(|word| if *word == "/etc/verdict/verdict.yaml" { shipped.to_str().unwrap() } else { word })
        .collect();
    assert!(here.contains(&shipped.to_str().unwrap()), "{words:?}");
    let ended = run(verdict().args(here).arg("--check-config"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    assert_eq!(said("verdict.service", "Type"), ["notify"]);
    // 64 is what `serve` says of a configuration that it does not take.
    assert_eq!(said("verdict.service", "RestartPreventExitStatus"), ["64"]);
    let broken = run(verdict().args(["serve", "--config", "/nowhere.yaml"]));
    assert_eq!(broken.code, Some(64));
    // The default of `server.drain_timeout`, and what it takes at most beside that.
    assert!(seconds("TimeoutStopSec") > 10 + 13);
    assert!(seconds("WatchdogSec") >= 10);
}

#[test]
fn systemd_listens_where_the_doors_are() {
    let config = checked(&repository().join("deploy/systemd/verdict.yaml"));
    let doors = [config["grpc"]["address"].as_str().unwrap(), http_of(&config)];
    assert_eq!(said("verdict.socket", "ListenStream"), doors);
    assert_eq!(said("verdict.socket", "Service"), ["verdict.service"]);
    // The operators' socket is where the unit has a folder for it, and one of its own below that.
    assert_eq!(config["admin"]["address"], "unix:/run/verdict/admin/admin.sock");
    assert_eq!(said("verdict.service", "RuntimeDirectory"), ["verdict"]);
}

#[tokio::test]
async fn the_configuration_is_served_by() {
    let folder = Folder::always(&[]);
    let config = text("deploy/systemd/verdict.yaml").replace("/etc/verdict/policies", folder.path().to_str().unwrap());
    fs::write(folder.join("verdict.yaml"), config).unwrap();
    let serve = Serve::embedded().arg("--config").arg(folder.join("verdict.yaml").to_str().unwrap());
    serve.ready().await.unharmed().await;
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Some(mut analyze) = tool("systemd-analyze") else { return };
    // It looks whether the program is there.
    let folder = tempfile::tempdir().unwrap();
    let program = verdict().get_program().to_str().unwrap().to_owned();
    let mut units = Vec::new();
    for unit in ["verdict.service", "verdict.socket"] {
        let text = text(&format!("deploy/systemd/{unit}")).replace("/usr/local/bin/verdict", &program);
        fs::write(folder.path().join(unit), text).unwrap();
        units.push(folder.path().join(unit));
    }
    let ended = content(analyze.args(["verify", "--man=no"]).args(&units));
    assert_eq!(ended.stderr, "", "it warns");
    let Some(mut analyze) = tool("systemd-analyze") else { return };
    // Of 100; a unit without any sandbox has 96.
    content(analyze.args(["security", "--offline=true", "--no-pager", "--threshold=20"]).arg(&units[0]));
}
