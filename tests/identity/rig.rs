//! A server with issuers.

use serde_json::{Value as Json, json};
use verdict::api::grpc::proto::{CheckRequest, Credential, Proof, Verdict};

use crate::{
    forge::KEYS,
    support::{Folder, Serve, Server, asking},
};

/// What it is asked: what it sees.
const PROBE: &str = "package authz

decision := {\"allow\": true, \"context\": {\"subject\": input.subject, \"token\": object.get(input, \"token\", null), \"context\": input.context}}
";

/// The issuer of [`crate::forge::token`].
pub(crate) const MAIN: &str = "main:
  issuer: https://issuer.example
  jwks_file: DIR/keys.json
  algorithms: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA]
  audience: [api]
  subject: {id: [sub, client_id], properties: {roles: /realm/roles}}
";

/// A folder with policies, keys and a configuration.
pub(crate) struct Rig(pub(crate) Folder);

impl Rig {
    /// With these issuers, in whose text `DIR` is the folder; and more of the configuration.
    pub(crate) fn new(issuers: &str, more: &str) -> Self {
        let folder = Folder::empty();
        folder.write("policies/authz.rego", PROBE);
        folder.write("keys.json", &KEYS.set("", "sig").to_string());
        let dir = folder.path().to_str().unwrap();
        let indented: String = issuers.lines().fold(String::new(), |all, line| all + "    " + line + "\n");
        let issuers = if issuers.is_empty() { String::new() } else { format!("identity:\n  issuers:\n{indented}") };
        folder.write("verdict.yaml", &(issuers + more).replace("DIR", dir));
        Self(folder)
    }

    pub(crate) fn serve(&self) -> Serve {
        let serve = Serve::embedded().arg("--policies").arg(self.0.join("policies").to_str().unwrap());
        serve.arg("--config").arg(self.0.join("verdict.yaml").to_str().unwrap())
    }

    pub(crate) async fn ready(&self) -> Server {
        self.serve().ready().await
    }

    /// Waits until the issuer's keys are there.
    pub(crate) async fn with_keys(&self) -> Server {
        let server = self.ready().await;
        server.logged("the issuer's keys were fetched").await;
        server
    }
}

/// A question of whoever has the token.
pub(crate) fn bearer(token: &str) -> CheckRequest {
    CheckRequest { subject: None, ..beside("user:alice", token) }
}

/// A question about that subject, with a token.
pub(crate) fn beside(subject: &str, token: &str) -> CheckRequest {
    let credential = Credential { token: token.to_owned(), proof: None };
    CheckRequest { credential: Some(credential), ..asking(subject, "read", "document:handbook") }
}

/// The same with a proof.
pub(crate) fn proven(token: &str, jkt: &str, x5t_s256: &str) -> CheckRequest {
    let proof = Proof { jkt: jkt.to_owned(), x5t_s256: x5t_s256.to_owned() };
    let credential = Credential { token: token.to_owned(), proof: Some(proof) };
    CheckRequest { credential: Some(credential), ..bearer(token) }
}

/// What the policy saw.
pub(crate) fn seen(verdict: &Verdict) -> Json {
    fn json_of(value: &verdict::decision::Value) -> Json {
        use verdict::decision::Value;
        match value {
            Value::Null => Json::Null,
            Value::Bool(truth) => json!(truth),
            Value::Number(number) => json!(number.to_f64()),
            Value::String(text) => json!(text),
            Value::Array(items) => items.iter().map(json_of).collect(),
            Value::Object(members) => members.iter().map(|(name, value)| (name.to_owned(), json_of(value))).collect(),
        }
    }
    assert_eq!(verdict.effect(), verdict::api::grpc::proto::Effect::Allow, "{verdict:?}");
    let context = verdict.context.clone().expect("a context");
    json_of(&verdict::decision::Value::Object(context.members))
}
