//! `verdict healthcheck`, as a container's runtime runs it.

use crate::support::{Folder, Serve, eventually, run, verdict};

#[tokio::test]
async fn it_tells_a_server_that_is_well_from_one_that_is_not() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let http = server.http.to_string();
    for arguments in [vec!["--http", &http], vec!["--live", "--http", &http], vec!["--server", &server.grpc]] {
        let ended = run(verdict().arg("healthcheck").args(&arguments));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
    // As the image has it: what `serve` is told by variables is read here, too.
    let all = format!("0.0.0.0:{}", server.http.port());
    let ended =
        run(verdict().arg("healthcheck").env("VERDICT_HTTP_ADDRESS", &all).env("VERDICT_SERVER_INSECURE", "true"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let broken = Folder::with(&[("p.rego", "package p\n\nallow if {\n")]);
    let server = Serve::folder(&broken).listening().await;
    let http = server.http.to_string();
    eventually("the first load has failed", async || {
        let ended = run(verdict().args(["healthcheck", "--http", &http]));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        ended.stderr.contains("the first load failed").then_some(())
    })
    .await;
    assert_eq!(run(verdict().args(["healthcheck", "--live", "--http", &http])).code, Some(0));
    let ended = run(verdict().args(["healthcheck", "--server", &server.grpc]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("NOT_SERVING"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_asked_is_not_well() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf = silent.local_addr().unwrap().to_string();
    for (arguments, word) in [
        (vec!["--http", nobody.as_str()], "nothing answers"),
        (vec!["--http", "unix:/nowhere/at/all"], "nothing answers"),
        (vec!["--http", deaf.as_str(), "--timeout", "0.2"], "no answer"),
        (vec!["--server", nobody.as_str()], "can't reach"),
        (vec!["--server", deaf.as_str(), "--timeout", "0.2"], "no answer"),
        (vec!["--config", "/nowhere.yaml"], "the configuration has faults"),
        (vec!["--http", "x", "--timeout", "0"], "--timeout"),
    ] {
        let ended = run(verdict().arg("healthcheck").args(&arguments));
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(word), "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(run(verdict().args(["healthcheck", "--nonsense"])).code, Some(64));
    let secured = [("VERDICT_HTTP_TLS_CERT_FILE", "/c.pem"), ("VERDICT_HTTP_TLS_KEY_FILE", "/k.pem")];
    let at = ("VERDICT_HTTP_ADDRESS", deaf.as_str());
    let ended = run(verdict().args(["healthcheck", "--timeout", "0.2"]).envs(secured).envs([at]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("no answer"), "{}", ended.stderr);
    let wanting = ("VERDICT_HTTP_TLS_CLIENT_CA_FILE", "/ca.pem");
    let ended = run(verdict().arg("healthcheck").envs(secured).envs([at, wanting]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("http.tls_client_optional"), "{}", ended.stderr);
    let of_agent = [("VERDICT_HTTP_TLS_SPIFFE", "true"), ("VERDICT_SPIFFE_ENDPOINT", "unix:///nowhere.sock")];
    let ended = run(verdict().arg("healthcheck").envs(of_agent).envs([at]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("http.tls_client_optional"), "{}", ended.stderr);
    let shown = ["healthcheck", "--cert", "/nowhere.crt", "--key", "/nowhere.key"];
    let ended = run(verdict().args(shown).envs(secured).envs([at, wanting]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("/nowhere.crt"), "{}", ended.stderr);
}
