//! Messages to questions: COAZ-MCP's default mappings (openid/authzen, draft 1) on the revision 2026-07-28.

use std::time::Duration;

use super::message::{Message, is_clean};
use crate::{
    api::{credentials::Credential, json, status::CallError},
    decision::{Action, Object, Query, Resource, Subject, Value},
};

/// Methods of MCP that are about the server as a whole.
const OF_SERVER: [&str; 14] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
    "logging/setLevel",
    "tasks/list",
    "subscriptions/listen",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
];

/// Methods of MCP that are about a part of the server, which their parameters name.
const OF_PARTS: [&str; 10] = [
    "tools/call",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/get",
    "tasks/result",
    "tasks/cancel",
    "tasks/update",
    "completion/complete",
];

/// The type and id of a subject without a token.
const ANONYMOUS: &str = "anonymous";

/// Names below `context` that only the door gives.
const OWN: [&str; 7] = ["agent", "arguments", "listing", "method", "notification", "params", "mcp_server"];

/// What an enforcement point says of who sent a message.
pub(in crate::api) enum Shown {
    /// Nothing: there is no token.
    Nothing,
    /// The claims of a token that it verified.
    Claims(Object),
    /// The token, which is verified here.
    Credential(Credential),
}

/// Who calls which server, as the enforcement point states it.
pub(in crate::api) struct Caller {
    server: String,
    metadata: Option<String>,
    subject: Subject,
    agent: Option<String>,
    /// What the token says that was verified here.
    token: Option<Object>,
    /// How long that is so.
    good_for: Option<Duration>,
    /// What is still to be verified; then nothing is known of the subject.
    credential: Option<Credential>,
    /// Whether a credential proved nothing, or was not verified yet.
    unproven: bool,
    context: Object,
}

impl Caller {
    /// One whom nothing is known of yet, where a credential is shown.
    pub(in crate::api) fn new(
        server: String,
        metadata: Option<String>,
        shown: Shown,
        context: Object,
    ) -> Result<Self, CallError> {
        for (field, uri) in [("server", Some(&server)), ("resource_metadata", metadata.as_ref())] {
            let quotable = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
            if uri.is_some_and(|uri| uri.is_empty() || !uri.bytes().all(quotable)) {
                return Err(super::violation(field, "is not a URI"));
            }
        }
        if let Some(name) = OWN.iter().find(|name| context.get(name).is_some()) {
            return Err(super::violation(&format!("context.{name}"), "is given by Verdict; use another name"));
        }
        if json::too_deep(&context) {
            return Err(super::violation("context", "is nested too deep"));
        }
        let anonymous = || Subject { kind: ANONYMOUS.to_owned(), id: ANONYMOUS.to_owned(), ..Subject::default() };
        let (subject, agent, credential) = match shown {
            Shown::Nothing => (anonymous(), None, None),
            Shown::Claims(claims) => {
                let (subject, agent) = identified(claims)?;
                (subject, agent, None)
            }
            Shown::Credential(credential) => (anonymous(), None, Some(credential)),
        };
        let unproven = credential.is_some();
        Ok(Self { server, metadata, subject, agent, token: None, good_for: None, credential, unproven, context })
    }

    /// What is still to be verified. What it proves is told to [`Caller::proven`]; until then nobody is asked about.
    pub(super) fn credential(&mut self) -> Option<Credential> {
        self.credential.take()
    }

    /// Takes whom a verified token is of, and what it says: the outermost actor, or else the client, is the agent.
    pub(super) fn proven(&mut self, subject: Subject, token: Object, good_for: Option<Duration>) {
        let actor = match token.get("actors") {
            Some(Value::Array(actors)) => match actors.first() {
                Some(Value::Object(actor)) => actor.get("sub"),
                _ => None,
            },
            _ => None,
        };
        self.agent = match actor.or_else(|| token.get("client_id")) {
            Some(Value::String(agent)) => Some(agent.clone()),
            _ => None,
        };
        (self.subject, self.token, self.good_for, self.unproven) = (subject, Some(token), good_for, false);
    }

    /// Whether a token was shown that proves nobody.
    pub(super) fn is_unproven(&self) -> bool {
        self.unproven
    }

    /// Whether there is no token.
    pub(super) fn is_anonymous(&self) -> bool {
        self.subject.kind == ANONYMOUS && self.token.is_none()
    }

    /// Where the server's metadata is (RFC 9728 §3.1), as stated or as the server's URI has it.
    pub(super) fn metadata(&self) -> Option<String> {
        const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
        self.metadata.clone().or_else(|| {
            let (scheme, rest) =
                self.server.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
            let rest = rest.split('#').next().unwrap_or_default();
            let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            Some(format!("{scheme}://{host}{WELL_KNOWN}{}", if path == "/" { "" } else { path }))
        })
    }
}

/// The subject, and the agent that acts for it: `act.sub` (RFC 8693 §4.1), or else `client_id`.
fn identified(claims: Object) -> Result<(Subject, Option<String>), CallError> {
    if json::too_deep(&claims) {
        return Err(super::violation("claims", "is nested too deep"));
    }
    let text = |of: &Object, name: &str| match of.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(super::violation(&format!("claims.{name}"), "is empty or not a string")),
    };
    let client = text(&claims, "client_id")?;
    let actor = match claims.get("act") {
        None => None,
        Some(Value::Object(actor)) => text(actor, "sub")?,
        Some(_) => return Err(super::violation("claims.act", "is not an object")),
    };
    let (kind, id) = match (text(&claims, "sub")?, &client) {
        (Some(subject), _) => ("identity", subject),
        (None, Some(client)) => ("client", client.clone()),
        (None, None) => return Err(super::violation("claims", "has neither `sub` nor `client_id`")),
    };
    let properties = Object::from_iter([("claims".to_owned(), Value::Object(claims))]);
    Ok((Subject { kind: kind.to_owned(), id, properties }, actor.or(client)))
}

/// What the message names, which `Mcp-Name` mirrors.
pub(super) fn name_of(message: &Message) -> Option<&str> {
    match message.method.as_str() {
        "tools/call" | "prompts/get" => message.text("name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => message.text("uri"),
        "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update" => message.text("taskId"),
        _ => None,
    }
}

/// The question that a message is, or what its parameters lack. It must be of a method that is known here.
pub(super) fn query(message: Message, caller: &Caller, annotations: Option<Object>) -> Result<Query, String> {
    sound(&message)?;
    let (kind, id) = target(&message)?.unwrap_or_else(|| ("mcp_server", caller.server.clone()));
    let Message { id: request, method, mut params } = message;
    let mut context = Object::new();
    if matches!(method.as_str(), "tools/call" | "prompts/get") {
        match params.remove("arguments") {
            None => context.insert("arguments".to_owned(), Value::Object(Object::new())),
            Some(arguments) => context.insert("arguments".to_owned(), arguments),
        }
    }
    context.insert("params".to_owned(), Value::Object(params));
    context.insert("notification".to_owned(), request.is_none().into());
    if json::too_deep(&context) {
        return Err("the message's `params` are nested too deep".to_owned());
    }
    Ok(asked(caller, method, kind, id, context, annotations))
}

/// Whether the caller may use a tool that a list has.
pub(super) fn listed(caller: &Caller, tool: &str, annotations: Option<Object>) -> Query {
    let context = Object::from_iter([("listing".to_owned(), true.into())]);
    asked(caller, "tools/call".to_owned(), "mcp_tool", tool.to_owned(), context, annotations)
}

fn asked(caller: &Caller, method: String, kind: &str, id: String, own: Object, hints: Option<Object>) -> Query {
    let mut context: Object = caller.context.clone().into_iter().chain(own).collect();
    if let Some(agent) = &caller.agent {
        context.insert("agent".to_owned(), Value::from(agent.as_str()));
    }
    let mut properties = Object::from_iter([("server".to_owned(), Value::from(caller.server.as_str()))]);
    if let Some(hints) = hints {
        properties.insert("untrusted_annotations".to_owned(), Value::Object(hints));
    }
    Query {
        subject: caller.subject.clone(),
        action: Action { name: method, properties: Object::new() },
        resource: Resource { kind: kind.to_owned(), id, properties },
        context,
        token: caller.token.clone(),
        good_for: caller.good_for,
        ..Query::default()
    }
}

/// Whether the mapping knows a method: what it does not know is denied, whatever the policies say.
pub(super) fn knows(method: &str) -> bool {
    OF_SERVER.contains(&method) || OF_PARTS.contains(&method)
}

/// Whether a message's parameters are those that its method has.
pub(super) fn sound(message: &Message) -> Result<(), String> {
    let has_arguments = matches!(message.method.as_str(), "tools/call" | "prompts/get");
    if has_arguments && !matches!(message.params.get("arguments"), None | Some(Value::Object(_))) {
        return Err("the message's `params.arguments` is not an object".to_owned());
    }
    target(message).map(|_| ())
}

/// The type and id of the part of a server that a message is about; none if it is about the server.
fn target(message: &Message) -> Result<Option<(&'static str, String)>, String> {
    let named = |kind, name: &str, text: Option<&str>| match text {
        Some(text) if is_clean(text) => Ok(Some((kind, text.to_owned()))),
        Some(_) => Err(format!("the message's `params.{name}` is empty or has control characters")),
        None => Err(format!("the message has no `params.{name}` that is a string")),
    };
    match message.method.as_str() {
        "tools/call" => named("mcp_tool", "name", message.text("name")),
        "prompts/get" => named("mcp_prompt", "name", message.text("name")),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            named("mcp_resource", "uri", message.text("uri"))
        }
        "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update" => {
            named("mcp_task", "taskId", message.text("taskId"))
        }
        "completion/complete" => {
            let Some(Value::Object(reference)) = message.params.get("ref") else {
                return Err("the message has no `params.ref` that is an object".to_owned());
            };
            let text = |name: &str| match reference.get(name) {
                Some(Value::String(text)) => Some(text.as_str()),
                _ => None,
            };
            match text("type") {
                Some("ref/prompt") => named("mcp_prompt", "ref.name", text("name")),
                Some("ref/resource") => named("mcp_resource", "ref.uri", text("uri")),
                _ => Err("the message's `params.ref.type` is neither `ref/prompt` nor `ref/resource`".to_owned()),
            }
        }
        _ => Ok(None),
    }
}
