//! The chart for Helm, and the schemas of Kubernetes.

use std::fs;

use crate::{
    manifests::{plain, rendered, values},
    support::run,
    tools::{content, tool},
};

#[test]
fn helm_finds_nothing_wrong_with_the_chart() {
    for (_, file) in values() {
        let Some(mut helm) = tool("helm") else { return };
        content(helm.args(["lint", "--strict", "deploy/helm/verdict", "--kube-version", "1.30", "--values"]).arg(file));
    }
}

#[test]
fn what_is_not_said_is_not_guessed() {
    let trial = ["insecure=true", "policies.embeddedExamples=true"];
    let cases: [(&[&str], &str); 8] = [
        (&[], "say what decides"),
        (&["insecure=true"], "say what decides"),
        (&["policies.embeddedExamples=true"], "name the Secret of its certificate"),
        (&["policies.embeddedExamples=true", "insecure=true", "tls.secretName=a"], "exclude each other"),
        (&["policies.embeddedExamples=true", "policies.configMap=a", "insecure=true"], "say what decides"),
        (&["policies.embeddedExamples=true", "mode=sidecar"], "needs the service's own container"),
        (&["policies.embeddedExamples=true", "insecur=true"], "insecur"),
        (&["policies.embeddedExamples=true", "insecure=true", "callers.grants[0].actions[0]=ask"], "callers"),
    ];
    for (said, word) in cases {
        let Some(mut helm) = tool("helm") else { return };
        helm.args(["template", "release", "deploy/helm/verdict", "--kube-version", "1.30"]);
        let ended = run(helm.args(said.iter().flat_map(|value| ["--set", value])));
        assert_eq!(ended.code, Some(1), "{said:?}");
        assert!(ended.stderr.contains(word), "{said:?}: {}", ended.stderr);
    }
    let Some(mut helm) = tool("helm") else { return };
    helm.args(["template", "release", "deploy/helm/verdict", "--kube-version", "1.30"]);
    content(helm.args(trial.iter().flat_map(|value| ["--set", value])));
}

#[test]
fn every_object_is_one_that_kubernetes_takes() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for set in plain().into_iter().chain(rendered()) {
        let file = folder.path().join(format!("{}.yaml", set.name.replace('/', "-")));
        // Of the operator of Prometheus, nobody here has the schema. JSON is YAML; and a number that begins with a zero, octal
        // to Kubernetes, is a text to the reader of these tests.
        let known = set.objects.iter().filter(|object| object["kind"] != "ServiceMonitor");
        let text = known.map(serde_json::Value::to_string).collect::<Vec<_>>().join("\n---\n");
        fs::write(&file, text.replace(r#""defaultMode":"0440""#, r#""defaultMode":288"#)).unwrap();
        files.push(file);
    }
    // As they were written, too: one reader of YAML is not the other.
    for name in ["base", "deployment", "daemonset", "sidecar"] {
        files.push(crate::repository().join(format!("deploy/kubernetes/{name}.yaml")));
    }
    for version in ["1.30", "1.37"] {
        let Some(mut validate) = tool("kubernetes-validate") else { return };
        content(validate.args(["--strict", "--no-warn", "--quiet", "-k", version]).args(&files));
    }
}
