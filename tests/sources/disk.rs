//! An archive on disk, watched.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use verdict::source::{Content, Kind, Source, Span, Spec};

use crate::support::{failure, next, report, silent, source};

const QUIET: Duration = Duration::from_millis(200);

/// No poll helps here: the system tells of the changes.
fn watched(path: &Path) -> Box<dyn Source> {
    let mut spec = Spec::new(format!("file:{}", path.display()));
    spec.polling.max = Span(Duration::from_secs(3600));
    spec.open().unwrap()
}

#[tokio::test]
async fn gives_an_archive_when_its_bytes_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.tar.gz");
    fs::write(&path, "one").unwrap();
    let mut source = watched(&path);
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    fs::write(&path, "one").unwrap();
    silent(&mut source, QUIET).await;
    fs::write(&path, "two").unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    fs::write(folder.path().join("new"), "three").unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"three");
    assert_eq!(report(&*source).attempts, 3);
}

#[tokio::test]
async fn sees_links_that_are_exchanged_and_files_that_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("v1", "one"), ("v2", "two")] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("b.tar.gz"), text).unwrap();
    }
    symlink("v1", folder.path().join("now")).unwrap();
    let path = folder.path().join("now/b.tar.gz");
    let mut source = watched(&path);
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    symlink("v2", folder.path().join("next")).unwrap();
    fs::rename(folder.path().join("next"), folder.path().join("now")).unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    fs::remove_file(folder.path().join("now")).unwrap();
    let words = failure(&mut source).await;
    assert!(words.contains("does not exist") && words.contains("b.tar.gz"), "{words}");
    assert_eq!(report(&*source).failures, 1);
    symlink("v2", folder.path().join("now")).unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"two");
}

#[tokio::test]
async fn refuses_what_is_no_file_or_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let words = failure(&mut source(&format!("file://{}", folder.path().display()), "")).await;
    assert!(words.contains("not a regular file"), "{words}");
    let path = folder.path().join("b.tar.gz");
    fs::write(&path, "12345678").unwrap();
    let mut source = source(&format!("file://{}", path.display()), "limits = { size = 7 }");
    let words = failure(&mut source).await;
    assert!(words.contains("more than 7 bytes"), "{words}");
    fs::write(&path, "1234567").unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"1234567");
}

#[tokio::test]
async fn tells_of_a_folder_as_of_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.rego"), "package a").unwrap();
    let mut source = source(&format!("folder://{}", folder.path().display()), "");
    let Content::Files(files) = source.next().await.unwrap() else { panic!("files") };
    assert_eq!(files[0].path, "a.rego");
    let told = report(&*source);
    assert_eq!((told.kind, told.attempts, told.failures), (Kind::Folder, 1, 0));
    assert!(told.last_change.is_some() && told.name.contains(folder.path().to_str().unwrap()));
    drop(folder);
    let words = source.next().await.unwrap_err().to_string();
    assert_eq!((report(&*source).failures, report(&*source).last_error), (1, Some(words)));
}
