//! Real files, real time. A change is promised within 500 ms; the tests fail at four times that, because they share
//! the machine with each other.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tempfile::TempDir;
use tokio::time::timeout;

use super::{scan::Limits, watch::arm, *};

const BOUND: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_millis(400);
const HOUR: Duration = Duration::from_hours(1);
/// Each style is repeated, because a watch that went stale shows only at the second change.
const ROUNDS: usize = 5;

/// A folder `policies` with one file in it, and the source that has already given it.
struct Scene {
    temp: TempDir,
    source: Folder,
    took: Vec<Duration>,
}

impl Scene {
    /// Polls so seldom that only events can bring a change in time.
    async fn watched() -> Self {
        Self::with("policies", HOUR, arm, |root| write(&root.join("policies/a.rego"), "0")).await
    }

    async fn with(folder: &str, poll_interval: Duration, arm: Arm, prepare: impl FnOnce(&Path)) -> Self {
        let temp = TempDir::new().unwrap();
        prepare(temp.path());
        let mut source = Folder::with(temp.path().join(folder), Duration::from_millis(50), poll_interval, arm);
        timeout(WAIT, source.files()).await.unwrap().unwrap();
        Self { temp, source, took: Vec::new() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join(path)
    }

    /// Waits for exactly these files, for what may be seen on the way to them too, and not too long.
    async fn until(&mut self, expected: &[(&str, &str)]) {
        let start = Instant::now();
        loop {
            let given = timeout(WAIT, self.source.files()).await.expect("the change is seen");
            if given.is_ok_and(|files| texts(&files) == owned(expected)) {
                break;
            }
        }
        self.took.push(start.elapsed());
        assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
    }

    async fn nothing_comes(&mut self) {
        let given = timeout(QUIET, self.source.files()).await;
        assert!(given.is_err(), "gave {given:?}");
    }

    fn report(&self, style: &str) {
        println!("latency of {style}: {:?}", self.took);
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn texts(files: &[File]) -> Vec<(String, String)> {
    files.iter().map(|file| (file.path.clone(), String::from_utf8(file.bytes.clone()).unwrap())).collect()
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn read(path: &Path) -> Vec<(String, String)> {
    texts(&read_folder(path).unwrap())
}

#[tokio::test]
async fn sees_a_file_written_in_place() {
    let mut scene = Scene::watched().await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        write(&scene.at("policies/a.rego"), &text);
        scene.until(&[("a.rego", &text)]).await;
    }
    scene.report("in-place write");
}

#[tokio::test]
async fn sees_a_file_renamed_over_another() {
    let mut scene = Scene::watched().await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        write(&scene.at("policies/.a.rego.swp"), &text);
        fs::rename(scene.at("policies/.a.rego.swp"), scene.at("policies/a.rego")).unwrap();
        scene.until(&[("a.rego", &text)]).await;
    }
    scene.report("rename over");
}

#[tokio::test]
async fn sees_a_file_deleted_and_created() {
    let mut scene = Scene::watched().await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        fs::remove_file(scene.at("policies/a.rego")).unwrap();
        scene.until(&[]).await;
        write(&scene.at("policies/a.rego"), &text);
        scene.until(&[("a.rego", &text)]).await;
    }
    scene.report("delete, create");
}

#[tokio::test]
async fn sees_new_folders_and_what_is_later_written_in_them() {
    let mut scene = Scene::watched().await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        write(&scene.at("policies/b/c/data.json"), "{}");
        scene.until(&[("a.rego", "0"), ("b/c/data.json", "{}")]).await;
        write(&scene.at("policies/b/c/data.json"), &text);
        scene.until(&[("a.rego", "0"), ("b/c/data.json", &text)]).await;
        fs::remove_dir_all(scene.at("policies/b")).unwrap();
        scene.until(&[("a.rego", "0")]).await;
    }
    scene.report("new subfolder, write in it, delete it");
}

#[tokio::test]
async fn sees_a_mounted_config_map_swapped() {
    let mut scene = Scene::with("mount", HOUR, arm, |root| {
        write(&root.join("mount/..2026_0/a.rego"), "0");
        write(&root.join("mount/..2026_0/more/b.rego"), "0");
        symlink("..2026_0", root.join("mount/..data")).unwrap();
        symlink("..data/a.rego", root.join("mount/a.rego")).unwrap();
        symlink("..data/more", root.join("mount/more")).unwrap();
    })
    .await;
    assert_eq!(read(&scene.at("mount")), owned(&[("a.rego", "0"), ("more/b.rego", "0")]));
    for round in 1..=ROUNDS {
        let (text, new) = (round.to_string(), format!("mount/..2026_{round}"));
        write(&scene.at(&new).join("a.rego"), &text);
        write(&scene.at(&new).join("more/b.rego"), &text);
        symlink(format!("..2026_{round}"), scene.at("mount/..data_tmp")).unwrap();
        fs::rename(scene.at("mount/..data_tmp"), scene.at("mount/..data")).unwrap();
        fs::remove_dir_all(scene.at(&format!("mount/..2026_{}", round - 1))).unwrap();
        scene.until(&[("a.rego", &text), ("more/b.rego", &text)]).await;
    }
    scene.report("ConfigMap swap");
}

#[tokio::test]
async fn never_gives_a_mix_of_two_swaps() {
    const SWAPS: usize = 100;
    fn swap(root: &Path, version: usize) {
        for file in 0..20 {
            write(&root.join(format!("..{version}/{file:02}.rego")), &version.to_string());
        }
        symlink(format!("..{version}"), root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    }
    let mut scene = Scene::with("mount", HOUR, arm, |root| {
        swap(&root.join("mount"), 0);
        for file in 0..20 {
            symlink(format!("..data/{file:02}.rego"), root.join(format!("mount/{file:02}.rego"))).unwrap();
        }
    })
    .await;
    let mount = scene.at("mount");
    let writer = thread::spawn(move || {
        for version in 1..=SWAPS {
            swap(&mount, version);
            fs::remove_dir_all(mount.join(format!("..{}", version - 1))).unwrap();
            thread::sleep(Duration::from_millis(10)); // far more often than any look can settle
        }
    });
    loop {
        let files = texts(&timeout(WAIT, scene.source.files()).await.unwrap().unwrap());
        assert_eq!(files.len(), 20);
        assert!(files.iter().all(|(_, text)| *text == files[0].1), "{files:?}");
        if files[0].1 == SWAPS.to_string() {
            break;
        }
    }
    writer.join().unwrap();
}

#[tokio::test]
async fn sees_the_whole_folder_replaced_by_renaming() {
    let mut scene = Scene::watched().await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        write(&scene.at("new/a.rego"), &text);
        fs::rename(scene.at("policies"), scene.at(&format!("old{round}"))).unwrap();
        fs::rename(scene.at("new"), scene.at("policies")).unwrap();
        scene.until(&[("a.rego", &text)]).await;
        write(&scene.at("policies/a.rego"), "later");
        scene.until(&[("a.rego", "later")]).await;
    }
    scene.report("folder renamed in, then a write in it");
}

#[tokio::test]
async fn sees_the_folder_deleted_and_made_again() {
    let mut scene = Scene::watched().await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        fs::remove_dir_all(scene.at("policies")).unwrap();
        write(&scene.at("policies/a.rego"), &text);
        scene.until(&[("a.rego", &text)]).await;
        write(&scene.at("policies/a.rego"), "later");
        scene.until(&[("a.rego", "later")]).await;
    }
    scene.report("folder deleted and made again, then a write in it");
}

#[tokio::test]
async fn sees_a_link_to_the_folder_swapped_wherever_it_is_on_the_way() {
    for (folder, link) in [("policies", "policies"), ("app/current/policies", "app/current")] {
        let below = |round: usize| format!("releases/{round}{}", folder.strip_prefix(link).unwrap());
        let mut scene = Scene::with(folder, HOUR, arm, |root| {
            write(&root.join(below(0)).join("a.rego"), "0");
            fs::create_dir_all(root.join(link).parent().unwrap()).unwrap();
            symlink(root.join("releases/0"), root.join(link)).unwrap();
        })
        .await;
        for round in 1..=ROUNDS {
            let text = round.to_string();
            write(&scene.at(&below(round)).join("a.rego"), &text);
            symlink(scene.at(&format!("releases/{round}")), scene.at("next")).unwrap();
            fs::rename(scene.at("next"), scene.at(link)).unwrap();
            scene.until(&[("a.rego", &text)]).await;
            write(&scene.at(&below(round)).join("a.rego"), "later");
            scene.until(&[("a.rego", "later")]).await;
        }
        scene.report("root link swapped, then a write in the target");
    }
}

#[tokio::test]
async fn sees_the_target_of_a_linked_file_change_outside_the_folder() {
    let mut scene = Scene::with("policies", HOUR, arm, |root| {
        write(&root.join("elsewhere/shared.txt"), "0");
        fs::create_dir(root.join("policies")).unwrap();
        symlink("../elsewhere/shared.txt", root.join("policies/a.rego")).unwrap();
    })
    .await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        write(&scene.at("elsewhere/shared.txt"), &text);
        scene.until(&[("a.rego", &text)]).await;
        write(&scene.at("elsewhere/new"), "renamed");
        fs::rename(scene.at("elsewhere/new"), scene.at("elsewhere/shared.txt")).unwrap();
        scene.until(&[("a.rego", "renamed")]).await;
    }
    scene.report("link target written, renamed over");
}

#[tokio::test]
async fn gives_nothing_when_only_times_change() {
    let mut scene = Scene::watched().await;
    write(&scene.at("policies/a.rego"), "0");
    scene.nothing_comes().await;
    write(&scene.at("policies/a.rego"), "1");
    scene.until(&[("a.rego", "1")]).await;
}

#[tokio::test]
async fn gives_a_burst_of_saves_in_few_steps_and_whole_at_the_end() {
    const FILES: usize = 300;
    let mut scene = Scene::watched().await;
    let folder = scene.at("policies");
    let writer = thread::spawn(move || {
        for file in 0..FILES {
            write(&folder.join(format!("{file:03}.rego")), "new");
            thread::sleep(Duration::from_millis(2)); // an editor that saves them one by one
        }
    });
    let start = Instant::now();
    let mut steps = 0;
    while timeout(WAIT, scene.source.files()).await.unwrap().unwrap().len() < FILES + 1 {
        steps += 1;
    }
    writer.join().unwrap();
    let most = 2 + start.elapsed().as_millis() / BUSY_AT_MOST.as_millis();
    assert!(steps <= most, "{steps} steps in {:?}", start.elapsed());
    assert!(read(&scene.at("policies")).iter().filter(|(_, text)| text == "new").count() == FILES);
}

#[tokio::test]
async fn gives_a_failure_once_and_then_the_content_that_came_back() {
    let mut scene = Scene::watched().await;
    fs::rename(scene.at("policies"), scene.at("away")).unwrap();
    let given = timeout(WAIT, scene.source.files()).await.unwrap();
    assert!(matches!(given, Err(Error::Missing { .. })), "{given:?}");
    scene.nothing_comes().await;
    fs::rename(scene.at("away"), scene.at("policies")).unwrap();
    scene.until(&[("a.rego", "0")]).await;
    scene.report("folder back");
}

#[tokio::test]
async fn waits_for_a_folder_that_is_not_there_at_the_start() {
    let temp = TempDir::new().unwrap();
    let mut source = Folder::new(temp.path().join("some/where"), Duration::from_millis(50), HOUR);
    assert!(source.name().starts_with("folder /") && source.name().ends_with("some/where"));
    let given = timeout(WAIT, source.files()).await.unwrap();
    assert!(given.unwrap_err().to_string().ends_with("where` does not exist; create it, or name another"));
    let mut scene = Scene { temp, source, took: Vec::new() };
    scene.nothing_comes().await;
    write(&scene.at("some/where/a.rego"), "1");
    scene.until(&[("a.rego", "1")]).await;
    scene.report("folder that appears");
}

#[tokio::test]
async fn loses_nothing_when_its_future_is_dropped() {
    let mut scene = Scene::watched().await;
    write(&scene.at("policies/a.rego"), "1");
    let start = Instant::now();
    let given = loop {
        if let Ok(given) = timeout(Duration::from_millis(1), scene.source.files()).await {
            break given;
        }
        assert!(start.elapsed() < WAIT);
    };
    assert_eq!(texts(&given.unwrap()), owned(&[("a.rego", "1")]));
    scene.nothing_comes().await;
}

#[tokio::test]
async fn polls_where_no_event_comes() {
    fn silent(_: &scan::Watches, _: Arc<Notify>) -> Armed {
        Armed::default()
    }
    let poll = Duration::from_millis(100);
    let mut scene = Scene::with("policies", poll, silent, |root| write(&root.join("policies/a.rego"), "0")).await;
    for round in 1..=ROUNDS {
        let (text, path) = (round.to_string(), scene.at("policies/a.rego"));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        write(&path, &text); // of the same size, and pretending to be as old
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        scene.until(&[("a.rego", &text)]).await;
    }
    scene.nothing_comes().await;
    fs::remove_dir_all(scene.at("policies")).unwrap();
    assert!(timeout(WAIT, scene.source.files()).await.unwrap().is_err());
    scene.report("poll of 100 ms");
}

#[tokio::test]
async fn polls_often_when_the_folder_cannot_be_watched() {
    fn failing(_: &scan::Watches, _: Arc<Notify>) -> Armed {
        Armed::failed("no space for watches".to_owned())
    }
    let mut scene = Scene::with("policies", HOUR, failing, |root| write(&root.join("policies/a.rego"), "0")).await;
    for round in 1..=ROUNDS {
        let text = round.to_string();
        write(&scene.at("policies/a.rego"), &text);
        scene.until(&[("a.rego", &text)]).await;
    }
    scene.report("poll of 250 ms");
}

#[tokio::test]
async fn does_not_look_for_its_own_reading_nor_for_files_of_others() {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    fn counting(watches: &scan::Watches, changed: Arc<Notify>) -> Armed {
        LOOKS.fetch_add(1, Ordering::Relaxed);
        arm(watches, changed)
    }
    let mut scene = Scene::with("policies", HOUR, counting, |root| {
        write(&root.join("policies/a.rego"), "0");
        write(&root.join("policies/log.txt"), "0");
    })
    .await;
    let looks = LOOKS.load(Ordering::Relaxed);
    read(&scene.at("policies"));
    write(&scene.at("policies/log.txt"), "1");
    write(&scene.at("policies/.a.rego.swp"), "1");
    write(&scene.at("neighbour.rego"), "1");
    scene.nothing_comes().await;
    assert_eq!(LOOKS.load(Ordering::Relaxed), looks);
}

#[test]
fn reads_policies_and_data_at_any_depth_and_nothing_hidden() {
    let temp = TempDir::new().unwrap();
    for path in [
        "z.rego",
        "a/b/c.rego",
        "a/data.yml",
        "data.json",
        "b/data.yaml",
        "a.rego/in.rego",
        "data.toml",
        "x.json",
        "readme.md",
        ".hidden.rego",
        ".git/a.rego",
        "..data/a.rego",
        "a/.b/c.rego",
    ] {
        write(&temp.path().join(path), "");
    }
    let files = read_folder(temp.path()).unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.rego/in.rego", "a/b/c.rego", "a/data.yml", "b/data.yaml", "data.json", "z.rego"]);
}

#[test]
fn follows_links_but_not_in_circles() {
    let temp = TempDir::new().unwrap();
    write(&temp.path().join("out/b.rego"), "b");
    write(&temp.path().join("root/deep/a.rego"), "a");
    symlink("../..", temp.path().join("root/deep/up")).unwrap();
    symlink("../out", temp.path().join("root/out")).unwrap();
    symlink(".", temp.path().join("root/self")).unwrap();
    let paths: Vec<_> = read(&temp.path().join("root")).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["deep/a.rego", "deep/up/out/b.rego", "out/b.rego"]);
}

#[test]
fn names_what_it_cannot_read() {
    let temp = TempDir::new().unwrap();
    let root = temp.path().join("root");
    let says = |expected: &str| {
        let said = read_folder(&root).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    };
    says("root` does not exist");
    write(&root, "");
    says("root` is not a folder");
    fs::remove_file(&root).unwrap();
    fs::create_dir(&root).unwrap();
    assert_eq!(read(&root), []);

    symlink("nowhere", root.join("lost")).unwrap();
    says("root/lost` is a link to something that does not exist");
    fs::remove_file(root.join("lost")).unwrap();
    symlink("a.rego", root.join("a.rego")).unwrap();
    says("a.rego` is a link to something that does not exist");
    fs::remove_file(root.join("a.rego")).unwrap();
    let socket = UnixListener::bind(root.join("s.rego")).unwrap();
    says("root/s.rego` is not a regular file");
    drop(socket);
    fs::remove_file(root.join("s.rego")).unwrap();
    write(&root.join(OsStr::from_bytes(b"no\xff.txt")), "");
    assert_eq!(read(&root), []);
    write(&root.join(OsStr::from_bytes(b"no\xff.rego")), "");
    says("the name `no\u{fffd}.rego` is not valid UTF-8");
}

#[test]
fn holds_its_limits_and_says_which() {
    let temp = TempDir::new().unwrap();
    write(&temp.path().join("1/2/a.rego"), "four");
    write(&temp.path().join("1/b.rego"), "four");
    let within = |entries, bytes, depth| {
        let (_, found) = read::whole(temp.path(), &Limits { entries, bytes, depth }, |_| ());
        found.map(|content| content.files.len()).map_err(|error| error.to_string())
    };
    assert_eq!(within(3, 8, 2), Ok(2));
    assert!(within(1, 8, 2).unwrap_err().contains("more than 1 files or folders"));
    assert!(within(2, 8, 2).unwrap_err().contains("more than 2 files or folders"));
    assert!(within(3, 7, 2).unwrap_err().contains("exceed 7 bytes"));
    assert!(within(3, 8, 1).unwrap_err().contains("1/2` is nested deeper than 1 folders"));
}
