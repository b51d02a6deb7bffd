//! Settings of the Envoy door: `envoy.*`.

use std::{fmt, path::PathBuf, str::FromStr};

use tonic::codegen::http::HeaderName;

use crate::decision::EntryPoint;

/// Settings of the Envoy door.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own, as it stands in a file")]
pub struct Config {
    /// Whether the request's bearer token is verified, and what policies see is what it proves.
    pub bearer: bool,
    /// What a policy is given, and asked.
    pub form: Form,
    /// Whom to ask; `None` for `data.envoy.authz.allow`, or as a question the server's default policy.
    pub policy: Option<EntryPoint>,
    /// Whether every request is let through, and the verdict only logged.
    pub dry_run: bool,
    /// Whether bodies are parsed.
    pub parse_body: bool,
    /// Whether bodies that are JSON-RPC are taken for messages of MCP.
    pub mcp: bool,
    /// A file with a set of file descriptors, by which gRPC bodies are read.
    pub descriptors: Option<PathBuf>,
    /// Whether `%2F` in a path separates segments.
    pub decode_slashes: bool,
    /// Whether paths with `.` and `..` for segments reach the policy.
    pub dot_segments: bool,
    /// The header that carries the decision's id.
    pub decision_id_header: IdHeader,
    /// Whether a deny without a body of the policy's own tells the user the reasons that are meant for users.
    pub reasons_in_body: bool,
    /// Where the subject's id is found.
    pub subject: SubjectFrom,
    /// The subject's type.
    pub subject_type: String,
    /// The resource's type.
    pub resource_type: String,
}

/// What a policy is given, and asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The request's attributes as its whole `input`, as opa-envoy-plugin gives them; the document at the entry point.
    #[default]
    Attributes,
    /// Subject, action, resource and context; a verdict.
    Question,
}

/// Where the subject's id is found in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SubjectFrom {
    /// The principal of the source: what the client's certificate says.
    #[default]
    Principal,
    /// A header, by its name in small letters.
    Header(String),
    /// Dynamic metadata: of which filter, and under which names.
    Metadata {
        /// The filter's name.
        filter: String,
        /// The names, from the outside in.
        path: Vec<String>,
    },
}

/// The name of the header that carries decision ids, in small letters; `None` for no such header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdHeader(pub Option<String>);

/// Why a text says no place of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no place of a subject")]
pub struct InvalidSubject;

/// Why a text names no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no name of a header")]
pub struct InvalidIdHeader;

impl Default for Config {
    fn default() -> Self {
        Self {
            form: Form::default(),
            policy: None,
            dry_run: false,
            parse_body: true,
            mcp: true,
            descriptors: None,
            decode_slashes: false,
            dot_segments: false,
            bearer: false,
            decision_id_header: IdHeader(Some("verdict-decision-id".to_owned())),
            reasons_in_body: false,
            subject: SubjectFrom::default(),
            subject_type: "user".to_owned(),
            resource_type: "path".to_owned(),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Attributes => "attributes",
            Self::Question => "question",
        })
    }
}

impl FromStr for SubjectFrom {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "principal" {
            return Ok(Self::Principal);
        }
        if let Some(name) = text.strip_prefix("header:") {
            return header_name(name).map(Self::Header).ok_or(InvalidSubject);
        }
        let mut parts = text.strip_prefix("metadata:").ok_or(InvalidSubject)?.split('/').map(str::to_owned);
        let filter = parts.next().ok_or(InvalidSubject)?;
        let path: Vec<String> = parts.collect();
        let is_whole = !filter.is_empty() && !path.is_empty() && path.iter().all(|name| !name.is_empty());
        if is_whole { Ok(Self::Metadata { filter, path }) } else { Err(InvalidSubject) }
    }
}

impl fmt::Display for SubjectFrom {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal => out.write_str("principal"),
            Self::Header(name) => write!(out, "header:{name}"),
            Self::Metadata { filter, path } => write!(out, "metadata:{filter}/{}", path.join("/")),
        }
    }
}

impl FromStr for IdHeader {
    type Err = InvalidIdHeader;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        header_name(text).map(|name| Self(Some(name))).ok_or(InvalidIdHeader)
    }
}

impl fmt::Display for IdHeader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_deref().unwrap_or("off"))
    }
}

fn header_name(text: &str) -> Option<String> {
    HeaderName::from_bytes(text.as_bytes()).ok().map(|name| name.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_subjects_are_read_as_they_are_written() {
        let jwt = "metadata:envoy.filters.http.jwt_authn/verified_jwt/sub";
        for text in ["principal", "header:x-user", jwt] {
            assert_eq!(text.parse::<SubjectFrom>().unwrap().to_string(), text);
        }
        assert_eq!("header:X-User".parse(), Ok(SubjectFrom::Header("x-user".to_owned())));
        for text in ["", "Principal", "header:", "header:a b", "metadata:", "metadata:f", "metadata:f/", "metadata:/a"]
        {
            assert_eq!(text.parse::<SubjectFrom>(), Err(InvalidSubject), "{text}");
        }
    }

    #[test]
    fn a_header_of_ids_is_a_name_or_off() {
        assert_eq!("off".parse(), Ok(IdHeader(None)));
        assert_eq!("X-Decision".parse(), Ok(IdHeader(Some("x-decision".to_owned()))));
        for text in ["", ":path", "a b"] {
            assert_eq!(text.parse::<IdHeader>(), Err(InvalidIdHeader), "{text}");
        }
    }
}
