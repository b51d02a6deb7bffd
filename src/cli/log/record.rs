//! A record as it is read: of either encoding.

use serde_json::Value as Json;

/// One record.
pub(super) struct Record(pub(super) Json);

/// What a line is.
pub(super) enum Line {
    /// This record.
    Record(Record),
    /// What seals the records before it.
    Checkpoint,
    /// Neither.
    Other,
}

impl Line {
    pub(super) fn read(line: &[u8]) -> Self {
        match serde_json::from_slice::<Json>(line) {
            Ok(json) if json.get("decision_id").is_some() => Self::Record(Record(json)),
            Ok(json)
                if json.get("schema").and_then(Json::as_str).is_some_and(|schema| schema.contains("checkpoint")) =>
            {
                Self::Checkpoint
            }
            _ => Self::Other,
        }
    }
}

impl Record {
    /// The record of a line; `None` for checkpoints and what is none.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        match Line::read(line) {
            Line::Record(record) => Some(record),
            Line::Checkpoint | Line::Other => None,
        }
    }

    fn text(&self, pointers: &[&str]) -> &str {
        pointers.iter().find_map(|pointer| self.0.pointer(pointer)?.as_str()).unwrap_or_default()
    }

    pub(super) fn id(&self) -> &str {
        self.text(&["/decision_id"])
    }

    pub(super) fn time(&self) -> &str {
        self.text(&["/time", "/timestamp"])
    }

    pub(super) fn effect(&self) -> &str {
        self.text(&["/effect", "/custom/effect"])
    }

    pub(super) fn door(&self) -> &str {
        self.text(&["/door", "/custom/door"])
    }

    /// The entry point, as a reference or as a path.
    pub(super) fn entry_point(&self) -> String {
        match self.text(&["/entry_point"]) {
            "" => match self.text(&["/path"]) {
                "" => String::new(),
                path => format!("data.{}", path.replace('/', ".")),
            },
            entry => entry.to_owned(),
        }
    }

    pub(super) fn reasons(&self) -> Vec<&str> {
        let reasons = self.0.get("reasons").or_else(|| self.0.pointer("/custom/reasons"));
        reasons.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// `type:id` of the subject or the resource, the name of the action.
    pub(super) fn part(&self, part: &str) -> Option<String> {
        let part = self.0.get("input")?.get(part)?;
        let text = |name: &str| part.get(name).and_then(Json::as_str);
        match (text("type"), text("id"), text("name")) {
            (Some(kind), Some(id), _) => Some(format!("{kind}:{id}")),
            // What a search searches for.
            (Some(kind), None, _) if self.search().is_some() => Some(format!("{kind}:*")),
            (_, _, Some(name)) => Some(name.to_owned()),
            _ => None,
        }
    }

    /// The digest of what it was decided on.
    pub(super) fn digest(&self) -> &str {
        self.text(&["/revision/digest", "/custom/revision/digest"])
    }

    /// What a search came to, in words.
    pub(super) fn search(&self) -> Option<String> {
        let search = self.0.get("search").or_else(|| self.0.pointer("/custom/search"))?;
        let number = |name: &str| search.get(name).and_then(Json::as_u64).unwrap_or_default();
        let what = search.get("for").and_then(Json::as_str).unwrap_or_default();
        let (candidates, decided, allowed) = (number("candidates"), number("decided"), number("allowed"));
        let rest = match search.get("complete") {
            Some(Json::Bool(false)) => ", not to the end",
            _ => "",
        };
        Some(format!("{allowed} of {decided} allowed, of {candidates} candidates for {what}{rest}"))
    }

    pub(super) fn nanos(&self) -> Option<u64> {
        self.0.get("duration_ns").or_else(|| self.0.pointer("/metrics/timer_server_handler_ns"))?.as_u64()
    }
}
