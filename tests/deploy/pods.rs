//! What every set of objects must keep: pods without rights, and names, labels and ports that go together.

use serde_json::Value as Json;

use crate::{
    manifests::{Mounted, Pods, Set, containers, documents, list, plain, rendered},
    support::{run, verdict},
};

/// What a server takes at most to end once it is told to, beside `server.drain_timeout`, in seconds (`src/cli/serve.rs`).
const ENDING: u64 = 13;

#[test]
fn pods_have_no_rights_that_they_do_not_need() {
    for set in plain().into_iter().chain(rendered()) {
        for pods in set.pods() {
            restricted(&pods);
        }
    }
}

#[test]
fn what_is_named_is_there() {
    for set in plain().into_iter().chain(rendered()) {
        for pods in set.pods() {
            mounted(&pods);
            together(&pods);
            selected(&set, &pods);
        }
    }
}

#[test]
fn a_pod_ends_by_itself_before_it_is_killed() {
    for set in plain().into_iter().chain(rendered()) {
        for pods in set.pods() {
            let config = &documents(&pods.config())[0];
            let drain = config["server"]["drain_timeout"].as_str().unwrap_or("10s");
            let drain: u64 = drain.strip_suffix('s').expect("seconds").parse().unwrap();
            let before = pods.verdict["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or(0);
            let grace = pods.spec["terminationGracePeriodSeconds"].as_u64().unwrap();
            assert!(grace > before + drain + ENDING, "{}: {grace} s", set.name);
        }
    }
}

#[test]
fn the_policies_that_are_shipped_are_sound() {
    for set in plain().into_iter().chain(rendered()) {
        for pods in set.pods() {
            for (at, _, from) in pods.mounts() {
                let Mounted::ConfigMap(name) = from else { continue };
                let Some(files) = set.config_map(name).filter(|_| at.ends_with("/policies")) else { continue };
                let folder = tempfile::tempdir().unwrap();
                for (file, text) in &files {
                    std::fs::write(folder.path().join(file), text).unwrap();
                }
                for verb in ["lint", "test"] {
                    // Who ships no tests with them has none that fail.
                    if verb == "test" && !files.iter().any(|(file, _)| file.ends_with("_test.rego")) {
                        continue;
                    }
                    let ended = run(verdict().arg(verb).arg(folder.path()));
                    assert_eq!(ended.code, Some(0), "{}: {verb}\n{}{}", set.name, ended.stdout, ended.stderr);
                }
            }
        }
    }
}

/// The profile `restricted` of the Pod Security Standards, and what Verdict needs less than that.
fn restricted(pods: &Pods<'_>) {
    let (name, spec) = (&pods.set.name, pods.spec);
    for shared in ["hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"] {
        assert!(spec[shared].is_null(), "{name}: {shared}");
    }
    assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
    assert_eq!(spec["enableServiceLinks"], false, "{name}");
    let context = &spec["securityContext"];
    assert_eq!(context["runAsNonRoot"], true, "{name}");
    assert!(context["runAsUser"].as_u64().unwrap() > 0, "{name}");
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{name}");
    for volume in list(&spec["volumes"]) {
        let kinds: Vec<_> = volume.as_object().unwrap().keys().filter(|key| *key != "name").collect();
        assert!(matches!(kinds[0].as_str(), "configMap" | "secret" | "emptyDir"), "{name}: {volume}");
    }
    for container in containers(spec) {
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{name}: {}", container["name"]);
        assert_eq!(context["readOnlyRootFilesystem"], true, "{name}: {}", container["name"]);
        assert_eq!(context["capabilities"], serde_json::json!({"drop": ["ALL"]}), "{name}: {}", container["name"]);
        assert!(context["privileged"].is_null() && context["runAsUser"].is_null(), "{name}");
        for bound in ["requests", "limits"] {
            for what in ["cpu", "memory"] {
                assert!(
                    container["resources"][bound][what].is_string(),
                    "{name}: {} {bound} {what}",
                    container["name"]
                );
            }
        }
        let image = container["image"].as_str().unwrap();
        assert!(
            image.contains('@') || image.rsplit_once(':').is_some_and(|(_, tag)| tag != "latest"),
            "{name}: {image}"
        );
    }
}

/// What the configuration names is mounted, and what is mounted is there.
fn mounted(pods: &Pods<'_>) {
    let name = &pods.set.name;
    let mounts = pods.mounts();
    for (at, key, from) in &mounts {
        if let Mounted::ConfigMap(map) = from {
            // The chart takes a ConfigMap of others.
            let others = name == "helm/sidecar-values" && *map == "shop-policies";
            let content = pods.set.config_map(map);
            assert!(content.is_some() || others, "{name}: no ConfigMap {map} for {at}");
            if let (Some(key), Some(content)) = (key, content) {
                assert!(content.iter().any(|(file, _)| file == key), "{name}: no {key} in {map}");
            }
        }
    }
    let mut paths = Vec::new();
    let config = documents(&pods.config());
    strings(&config[0], &mut paths);
    for path in paths.iter().map(|path| path.strip_prefix("unix:").unwrap_or(path)).filter(|path| path.starts_with('/'))
    {
        let is_there = mounts
            .iter()
            .any(|(at, ..)| path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        assert!(is_there, "{name}: nothing is mounted for {path}");
    }
}

fn strings<'a>(value: &'a Json, into: &mut Vec<&'a str>) {
    match value {
        Json::String(text) => into.push(text),
        Json::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Json::Object(members) => members.values().for_each(|member| strings(member, into)),
        _ => {}
    }
}

/// Container, configuration and probes are about the same ports, over the same protocol.
fn together(pods: &Pods<'_>) {
    let name = &pods.set.name;
    let config = &documents(&pods.config())[0];
    let port = |door: &str| -> (String, u64) {
        let (host, port) = config[door]["address"].as_str().unwrap().rsplit_once(':').unwrap();
        (host.to_owned(), port.parse().unwrap())
    };
    let (host, http) = port("http");
    let is_open = host != "127.0.0.1";
    let ports: Vec<_> =
        list(&pods.verdict["ports"]).iter().map(|port| port["containerPort"].as_u64().unwrap()).collect();
    assert_eq!(ports, if is_open { vec![port("grpc").1, http] } else { vec![] }, "{name}");
    let scheme = if config["http"]["tls_cert_file"].is_string() { "HTTPS" } else { "HTTP" };
    for kind in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let probe = &pods.verdict[kind];
        // What asks from outside reaches no loopback; what asks inside needs no port.
        assert_eq!((probe["httpGet"].is_object(), probe["exec"].is_object()), (is_open, !is_open), "{name}: {kind}");
        if is_open {
            assert_eq!(probe["httpGet"]["scheme"], scheme, "{name}: {kind}");
            assert_eq!(pods.port(&probe["httpGet"]["port"]), http, "{name}: {kind}");
        }
        assert!(probe["timeoutSeconds"].as_u64().unwrap() >= 2, "{name}: {kind}");
    }
}

/// Services, budgets and network policies mean these pods, and ports that they have.
fn selected(set: &Set, pods: &Pods<'_>) {
    let labels = &pods.workload["spec"]["template"]["metadata"]["labels"];
    let means = |selector: &Json| selector.as_object().unwrap().iter().all(|(name, value)| &labels[name] == value);
    assert!(means(&pods.workload["spec"]["selector"]["matchLabels"]), "{}", set.name);
    for service in set.of_kind("Service") {
        assert!(means(&service["spec"]["selector"]), "{}: {service}", set.name);
        for port in list(&service["spec"]["ports"]) {
            assert_eq!(pods.port(&port["targetPort"]), port["port"].as_u64().unwrap(), "{}", set.name);
        }
    }
    for budget in set.of_kind("PodDisruptionBudget") {
        assert!(means(&budget["spec"]["selector"]["matchLabels"]), "{}", set.name);
    }
    for policy in set.of_kind("NetworkPolicy") {
        assert!(means(&policy["spec"]["podSelector"]["matchLabels"]), "{}", set.name);
        assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]), "{}", set.name);
        for rule in list(&policy["spec"]["ingress"]) {
            assert!(!list(&rule["from"]).is_empty() && !list(&rule["ports"]).is_empty(), "{}: {rule}", set.name);
            for port in list(&rule["ports"]) {
                pods.port(&port["port"]);
            }
        }
    }
    for monitor in set.of_kind("ServiceMonitor") {
        let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
        let has = |service: &&Json| wanted.iter().all(|(name, value)| &service["metadata"]["labels"][name] == value);
        let services: Vec<_> = set.of_kind("Service").filter(has).collect();
        assert_eq!(services.len(), 1, "{}: each pod is asked once", set.name);
        let endpoint = &monitor["spec"]["endpoints"][0];
        assert!(
            list(&services[0]["spec"]["ports"]).iter().any(|port| port["name"] == endpoint["port"]),
            "{}",
            set.name
        );
        assert_eq!(endpoint["path"], "/metrics");
        let scheme = pods.verdict["readinessProbe"]["httpGet"]["scheme"].as_str().unwrap().to_ascii_lowercase();
        assert_eq!(endpoint["scheme"], scheme.as_str(), "{}", set.name);
    }
}
