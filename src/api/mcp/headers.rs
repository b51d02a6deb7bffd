//! The headers that mirror the body (Streamable HTTP, "Request Metadata"): where they disagree, the message is refused.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{mapping::name_of, message::Message};
use crate::decision::Value;

/// The first revision that has them; revisions are dates.
const FIRST: &str = "2026-07-28";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The headers that mirror the body, in small letters.
pub(in crate::api) const MIRRORS: [&str; 3] = ["mcp-method", "mcp-name", "mcp-protocol-version"];

/// The headers of a request, by their names in small letters.
#[derive(Default)]
pub(in crate::api) struct Headers {
    method: Vec<String>,
    name: Vec<String>,
    version: Vec<String>,
}

impl Headers {
    /// Adds one; those that mirror nothing are not kept.
    pub(in crate::api) fn add(&mut self, name: &str, value: String) {
        match name.to_ascii_lowercase().as_str() {
            "mcp-method" => self.method.push(value),
            "mcp-name" => self.name.push(value),
            "mcp-protocol-version" => self.version.push(value),
            _ => {}
        }
    }

    /// Whether they say what the body says, and whether those are there that must be.
    pub(super) fn agree(&self, message: &Message) -> Result<(), String> {
        let version = single("MCP-Protocol-Version", &self.version)?;
        let of_body = match message.params.get("_meta") {
            Some(Value::Object(meta)) => match meta.get(VERSION) {
                None => None,
                Some(Value::String(version)) => Some(version.as_str()),
                Some(_) => return Err("the body's protocol version is not a string".to_owned()),
            },
            _ => None,
        };
        // What an older client sends of them must agree, too, but it need not send them.
        let mirrors = message.id.is_some() && [version, of_body].into_iter().flatten().any(|version| version >= FIRST);
        if (mirrors || of_body.is_some()) && version != of_body {
            return Err("`MCP-Protocol-Version` is not the body's protocol version".to_owned());
        }
        match single("Mcp-Method", &self.method)? {
            Some(method) if method == message.method => {}
            Some(_) => return Err("`Mcp-Method` is not the body's method".to_owned()),
            None if mirrors => return Err("`Mcp-Method` is missing".to_owned()),
            None => {}
        }
        let named = name_of(message);
        match single("Mcp-Name", &self.name)?.map(decoded).transpose()? {
            Some(name) if named == Some(name.as_str()) => Ok(()),
            Some(_) => Err("`Mcp-Name` is not what the body names".to_owned()),
            None if mirrors && matches!(message.method.as_str(), "tools/call" | "resources/read" | "prompts/get") => {
                Err("`Mcp-Name` is missing".to_owned())
            }
            None => Ok(()),
        }
    }
}

/// The one value; spaces around it are no part of it (RFC 9110 §5.5).
fn single<'a>(name: &str, values: &'a [String]) -> Result<Option<&'a str>, String> {
    match values {
        [] => Ok(None),
        [value] => {
            let value = value.trim_matches([' ', '\t']);
            let clean = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
            if clean { Ok(Some(value)) } else { Err(format!("`{name}` has characters that a header can't have")) }
        }
        _ => Err(format!("`{name}` stands twice")),
    }
}

/// The text that a value stands for ("Value Encoding").
fn decoded(value: &str) -> Result<String, String> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(value.to_owned());
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| "`Mcp-Name` is not canonical Base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_| "`Mcp-Name` is not UTF-8".to_owned())
}
