//! What a supervisor such as systemd has to do with it: news, sockets that it opened, and an end at any time.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process::{Command, Stdio},
};

use crate::support::{Folder, PATIENCE, Serve, eventually, run, verdict};

/// The server's news, until one of them is `last`.
fn news(socket: &UnixDatagram, last: &str) -> Vec<String> {
    let mut news = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = socket.recv(&mut piece).unwrap_or_else(|error| panic!("{last}: {error}, after {news:?}"));
        news.extend(String::from_utf8_lossy(&piece[..length]).lines().map(str::to_owned));
        if news.iter().any(|line| line == last) {
            return news;
        }
    }
}

#[tokio::test]
async fn the_supervisor_is_told_when_questions_are_welcome_and_of_the_end() {
    let folder = Folder::with(&[("p.rego", "package p\n\nallow if {\n")]);
    let socket = UnixDatagram::bind(folder.join("notify.sock")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let path = folder.join("notify.sock").display().to_string();
    let serve = Serve::folder(&folder).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
    let mut server = serve.listening().await;
    // It is alive, but not ready: its policies are broken.
    let before = news(&socket, "WATCHDOG=1");
    assert!(!before.contains(&"READY=1".to_owned()), "{before:?}");
    folder.write("p.rego", "package p\n\nallow := true\n");
    let after = news(&socket, "READY=1");
    assert!(after.contains(&"STATUS=questions are welcome".to_owned()), "{after:?}");
    news(&socket, "WATCHDOG=1");
    server.signal("TERM");
    let end = news(&socket, "STOPPING=1");
    assert!(end.contains(&"STATUS=the server is shutting down".to_owned()), "{end:?}");
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn a_hangup_has_it_look_again_and_ends_nothing() {
    let folder = Folder::always(&[]);
    let config = |level: &str| folder.write("verdict.yaml", &format!("log: {{level: {level}}}\n"));
    config("info");
    let socket = UnixDatagram::bind(folder.join("notify.sock")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let serve = Serve::folder(&folder).arg("--config").arg(folder.join("verdict.yaml").to_str().unwrap());
    let mut server = serve.env("NOTIFY_SOCKET", folder.join("notify.sock").to_str().unwrap()).ready().await;
    news(&socket, "READY=1");
    for _ in 0..3 {
        server.signal("HUP");
        let told = news(&socket, "READY=1");
        assert!(told.iter().any(|line| line == "RELOADING=1"), "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{told:?}");
        server.unharmed().await;
    }
    assert!(!server.lines().iter().any(|line| line["message"].to_string().contains("after a restart")));
    config("debug");
    server.signal("HUP");
    let changed = server.logged("in force only after a restart").await;
    assert_eq!(changed["settings"], "log.level");
    folder.write("verdict.yaml", "grpc: {adress: 1}");
    server.signal("HUP");
    let fault = server.logged("would not start again").await;
    assert!(fault["message"].as_str().unwrap().contains("grpc.adress"), "{fault}");
    server.unharmed().await;
    server.signal("TERM");
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn a_hangup_has_a_source_asked_that_would_be_asked_in_an_hour() {
    let source = wiremock::MockServer::start().await;
    let answer = wiremock::ResponseTemplate::new(503);
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&source).await;
    let folder = Folder::empty();
    let often = "polling: {min: 1h, max: 1h}, back_off: {min: 1h, max: 1h}";
    folder.write("verdict.yaml", &format!("bundles:\n  main: {{url: '{}/b.tar.gz', {often}}}\n", source.uri()));
    let socket = UnixDatagram::bind(folder.join("notify.sock")).unwrap();
    let serve = Serve::embedded().arg("--config").arg(folder.join("verdict.yaml").to_str().unwrap());
    let server = serve.env("NOTIFY_SOCKET", folder.join("notify.sock").to_str().unwrap()).listening().await;
    for times in 1..4 {
        eventually("it is asked", async || (source.received_requests().await?.len() >= times).then_some(())).await;
        server.signal("HUP");
    }
    // It never was ready, and so is not ready again.
    socket.set_nonblocking(true).unwrap();
    let mut piece = [0; 4096];
    while let Ok(length) = socket.recv(&mut piece) {
        let told = String::from_utf8_lossy(&piece[..length]).into_owned();
        assert!(!told.contains("READY=1") && !told.contains("RELOADING=1"), "{told}");
    }
}

/// The server, to be started with these sockets as those that systemd has opened for it.
fn activated(first: impl Into<OwnedFd>, second: impl Into<OwnedFd>, arguments: &[&str]) -> Command {
    let server = verdict();
    let mut command = Command::new("sh");
    // A shell hands on what its own standard streams are, and has the process that the variable names.
    let script = r#"exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_FDS=2 LISTEN_PID=$$ exec "$@""#;
    command.args(["-c", script, "sh"]).arg(server.get_program()).arg("serve").args(arguments);
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::from(first.into())).stdout(Stdio::from(second.into()));
    command
}

#[test]
fn sockets_that_were_opened_before_are_served() {
    let folder = Folder::always(&[]);
    let http = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = http.local_addr().unwrap().to_string();
    let path = folder.join("grpc.sock");
    let grpc = UnixListener::bind(&path).unwrap();
    // It waits where nobody serves yet, and is answered.
    let mut early = TcpStream::connect(&address).unwrap();
    early.write_all(b"GET /health/live HTTP/1.0\r\n\r\n").unwrap();
    let unix = format!("unix:{}", path.display());
    let policies = folder.path().display().to_string();
    let arguments = ["--grpc", &unix, "--http", &address, "--policies", &policies];
    let mut child = activated(grpc.try_clone().unwrap(), http.try_clone().unwrap(), &arguments)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    early.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    let started = std::time::Instant::now();
    while run(verdict().args(["healthcheck", "--server", &unix])).code != Some(0) {
        assert!(started.elapsed() < PATIENCE, "the unix socket is not served");
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    // They are the supervisor's, and stay.
    assert!(UnixStream::connect(&path).is_ok());
    drop((http, grpc));
}

#[test]
fn a_socket_at_which_no_door_is_to_listen_ends_the_start() {
    let folder = Folder::always(&[]);
    let open = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (http, other) = (open(), open());
    let address = http.local_addr().unwrap().to_string();
    let policies = folder.path().display().to_string();
    let arguments = ["--grpc", "127.0.0.1:0", "--http", &address, "--policies", &policies];
    let nobodys = other.local_addr().unwrap().to_string();
    let output = activated(http, other, &arguments).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains(&nobodys) && said.contains("no door"), "{said}");
}

#[tokio::test]
async fn a_signal_ends_it_while_it_waits_for_its_first_policies() {
    // A source that takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::empty();
    let url = format!("http://{}/b.tar.gz", silent.local_addr().unwrap());
    folder.write("verdict.yaml", &format!("bundles:\n  start_timeout: 10m\n  main: {{url: '{url}'}}\n"));
    let mut command = verdict();
    command.args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--strict", "--config"]);
    let mut child = command.arg(folder.join("verdict.yaml")).stderr(Stdio::null()).spawn().unwrap();
    // It asks the source, so it has come as far as waiting for it.
    let asked = tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    drop(asked);
}
