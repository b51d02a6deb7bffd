//! Who is asked, and who never is.

use super::*;

#[test]
fn only_listed_hosts_are_asked() {
    let (port, requests) = server(|_, _, _| ok("", ""));
    let one = network(&format!("one.test:{port}, *.below.test, 127.0.0.1"));
    for host in
        ["one.test", "a.below.test", "a.b.below.test", "ONE.test", "one.test.", "127.0.0.1", "2130706433", "0177.0.0.1"]
    {
        assert!(send(one, get(&format!("http://{host}:{port}/"))).is_ok(), "{host}");
    }
    let asked = requests.lock().unwrap().len();
    for url in [
        format!("http://two.test:{port}/"),
        format!("http://below.test:{port}/"),
        format!("http://xbelow.test:{port}/"),
        format!("http://one.test.evil.example:{port}/"),
        format!("http://one.test@two.test:{port}/"),
        "http://one.test:1/".to_owned(),
        "http://127.0.0.2:1/".to_owned(),
        "http://[::1]:1/".to_owned(),
        "https://one.test/".to_owned(),
    ] {
        halts(send(one, get(&url)), &["`network.allow`"]);
        halts(send(one, json!({"method": "get", "url": url, "raise_error": false})), &["`network.allow`"]);
    }
    for url in ["ftp://one.test/", "file:///etc/passwd", "unix://localhost/x?socket=%2Ftmp%2Fx"] {
        halts(send(one, json!({"method": "get", "url": url, "raise_error": false})), &["only http and https"]);
    }
    let other = json!({"method": "get", "url": format!("http://one.test:{port}/"), "headers": {"host": "two.test"}});
    halts(send(one, other), &["`two.test`", "`network.allow`"]);
    assert_eq!(requests.lock().unwrap().len(), asked);
}

#[test]
fn a_name_that_leads_to_a_guarded_address_is_not_asked() {
    for address in [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:1:2:3:4:80ff:fffe",
    ] {
        let at: IpAddr = address.parse().unwrap();
        let access = Network::with_resolver(settings("api.test, localhost:1"), Arc::new(move |_: &str| Ok(vec![at])));
        halts(send(access, json!({"method": "get", "url": "http://api.test/", "raise_error": false})), &["`api.test`"]);
    }
    for address in ["10.0.0.1", "192.168.1.1", "8.8.8.8", "2606:4700::1111", "fd00::1"] {
        assert!(!address::is_guarded(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn what_is_connected_to_is_what_was_checked() {
    let (port, requests) = server(|_, _, _| ok("", ""));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // A name that is somewhere else each time it is asked for.
    let rebinding = move |_: &str| {
        let first = count.fetch_add(1, Ordering::Relaxed) == 0;
        Ok(vec![if first { "192.0.2.1" } else { "127.0.0.1" }.parse().unwrap()])
    };
    let settings = NetworkSettings { timeout: Duration::from_millis(200), ..settings("api.test") };
    let access = Network::with_resolver(settings, Arc::new(rebinding));
    let url = format!("http://api.test:{port}/");
    assert!(matches!(send(access, get(&url)), Err(Failure::Operand(_))));
    halts(send(access, get(&url)), &["127.0.0.1", "`network.allow`"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(requests.lock().unwrap().len(), 0);
}

#[test]
fn names_are_looked_up_if_they_are_listed() {
    let access = network("api.test:443, 10.0.0.0");
    let addresses = |name: &str| access.lookup(&[Rego::from(name)]);
    let set = |address: &str| Ok(Rego::from(BTreeSet::from([Rego::from(address)])));
    assert_eq!(addresses("api.test"), set("127.0.0.1"));
    assert_eq!(addresses("10.0.0.0"), set("10.0.0.0"));
    for name in ["other.test", "10.0.0.1", "localhost", ""] {
        assert!(matches!(addresses(name), Err(Failure::Halt(_))), "{name}");
    }
    assert!(matches!(access.lookup(&[Rego::from(1_i64)]), Err(Failure::Type(_))));
}

#[test]
fn lists_are_read_and_shown() {
    for (text, shown) in [
        ("", ""),
        (" API.example.com , b.example:8443,", "api.example.com, b.example:8443"),
        ("*.example.com:1", "*.example.com:1"),
        ("10.0.0.1, 10.0.0.1:80, ::1, [::1]:80, [::1]", "10.0.0.1, 10.0.0.1:80, ::1, [::1]:80, ::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("bücher.example", "xn--bcher-kva.example"),
    ] {
        let hosts: Hosts = text.parse().unwrap();
        assert_eq!(hosts.to_string(), shown);
        assert_eq!(hosts.to_string().parse(), Ok(hosts));
    }
    for text in ["*", "*.", "a:b", "a:0", "a:99999", "http://a", "a/b", "*.10.0.0.1", "a*b", "a b", "*.*.a", "a:+1"] {
        assert!(text.parse::<Hosts>().is_err(), "{text}");
    }
}
