//! Sets of Kubernetes' objects, as they are applied together, and what of one is in another.

use std::{fs, path::PathBuf};

use serde::Deserialize as _;
use serde_json::Value as Json;

use crate::{
    text,
    tools::{content, tool},
};

/// What is applied together.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) objects: Vec<Json>,
}

/// A workload with Verdict in its pods.
pub(crate) struct Pods<'a> {
    pub(crate) set: &'a Set,
    pub(crate) workload: &'a Json,
    pub(crate) spec: &'a Json,
    /// Verdict's container.
    pub(crate) verdict: &'a Json,
}

/// What a container finds at a path.
pub(crate) enum Mounted<'a> {
    ConfigMap(&'a str),
    Secret(&'a str),
    Empty,
}

/// The manifests, a set each way to run Verdict.
pub(crate) fn plain() -> Vec<Set> {
    let set = |name: &str, files: &[&str]| Set {
        name: format!("kubernetes/{name}"),
        objects: files.iter().flat_map(|file| documents(&text(&format!("deploy/kubernetes/{file}.yaml")))).collect(),
    };
    vec![
        set("deployment", &["base", "deployment"]),
        set("daemonset", &["base", "daemonset"]),
        set("sidecar", &["sidecar"]),
    ]
}

/// What the chart makes of each file of values in its `ci` folder; nothing without Helm.
pub(crate) fn rendered() -> Vec<Set> {
    values().into_iter().map_while(|(name, file)| Some(Set { name, objects: documents(&render(&file)?) })).collect()
}

/// The files of values that the chart is tried with, by their names.
pub(crate) fn values() -> Vec<(String, PathBuf)> {
    let folder = crate::repository().join("deploy/helm/verdict/ci");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    files.into_iter().map(|file| (format!("helm/{}", file.file_stem().unwrap().to_str().unwrap()), file)).collect()
}

/// The chart, with these values.
fn render(values: &std::path::Path) -> Option<String> {
    let mut helm = tool("helm")?;
    helm.args(["template", "release", "deploy/helm/verdict", "--kube-version", "1.30", "--values"]).arg(values);
    Some(content(&mut helm).stdout)
}

pub(crate) fn documents(text: &str) -> Vec<Json> {
    let documents = yaml_serde::Deserializer::from_str(text).map(|document| Json::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

impl Set {
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Json> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// Every workload with Verdict in it.
    pub(crate) fn pods(&self) -> Vec<Pods<'_>> {
        let workloads = self.of_kind("Deployment").chain(self.of_kind("DaemonSet"));
        let pods: Vec<_> = workloads
            .map(|workload| {
                let spec = &workload["spec"]["template"]["spec"];
                let verdict = containers(spec).find(|container| container["name"] == "verdict");
                Pods { set: self, workload, spec, verdict: verdict.expect("a container `verdict`") }
            })
            .collect();
        assert!(!pods.is_empty(), "{}: no workload", self.name);
        pods
    }

    /// The content of a `ConfigMap`, if it is in the set.
    pub(crate) fn config_map(&self, name: &str) -> Option<Vec<(String, String)>> {
        let map = self.of_kind("ConfigMap").find(|map| map["metadata"]["name"] == name)?;
        let data = map["data"].as_object().unwrap();
        Some(data.iter().map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned())).collect())
    }
}

/// All containers of a pod.
pub(crate) fn containers(spec: &Json) -> impl Iterator<Item = &Json> {
    list(&spec["initContainers"]).iter().chain(list(&spec["containers"]))
}

/// A list that may be left out.
pub(crate) fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl<'a> Pods<'a> {
    /// The variables of Verdict's container.
    pub(crate) fn variable(&self, name: &str) -> Option<&'a str> {
        list(&self.verdict["env"]).iter().find(|variable| variable["name"] == name)?["value"].as_str()
    }

    /// Where Verdict's container finds what.
    pub(crate) fn mounts(&self) -> Vec<(&'a str, Option<&'a str>, Mounted<'a>)> {
        let of = |mount: &'a Json| {
            let volume = list(&self.spec["volumes"]).iter().find(|volume| volume["name"] == mount["name"]);
            let volume = volume.unwrap_or_else(|| panic!("{}: no volume for {mount}", self.set.name));
            let mounted = match (&volume["configMap"]["name"], &volume["secret"]["secretName"]) {
                (Json::String(name), _) => Mounted::ConfigMap(name),
                (_, Json::String(name)) => Mounted::Secret(name),
                _ if volume["emptyDir"].is_object() => Mounted::Empty,
                _ => panic!("{}: what is in {volume}?", self.set.name),
            };
            (mount["mountPath"].as_str().unwrap(), mount["subPath"].as_str(), mounted)
        };
        list(&self.verdict["volumeMounts"]).iter().map(of).collect()
    }

    /// The text of the configuration that Verdict is started with.
    pub(crate) fn config(&self) -> String {
        let path = self.variable("VERDICT_CONFIG").expect("VERDICT_CONFIG");
        let found = self.mounts().into_iter().find_map(|mount| match mount {
            (at, Some(key), Mounted::ConfigMap(map)) if at == path => {
                self.set.config_map(map)?.into_iter().find_map(|(name, text)| (name == key).then_some(text))
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{}: nothing at {path}", self.set.name))
    }

    /// The port of that name.
    pub(crate) fn port(&self, name: &Json) -> u64 {
        let port = list(&self.verdict["ports"]).iter().find(|port| &port["name"] == name);
        port.unwrap_or_else(|| panic!("{}: no port {name}", self.set.name))["containerPort"].as_u64().unwrap()
    }
}
