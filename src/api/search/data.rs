//! Candidates that the data names, where the operator says so: `search.candidates` of the configuration.

use crate::{
    api::{deadline::Deadline, status::CallError},
    decision::{Asks, EntryPoint, Held, Input, Query, Searched, Value, Verdict, code},
};

/// Which data names the candidates of which searches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataPaths(Vec<DataPath>);

/// A path into the data, and the searches that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPath {
    /// The rule or package that is asked, or what it is in.
    pub entry_point: EntryPoint,
    /// What is searched for.
    pub searched: Searched,
    /// The type that is searched for; `None` for every type, and for actions.
    pub kind: Option<String>,
    /// Where the candidates are.
    pub path: EntryPoint,
}

impl DataPaths {
    /// The paths, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &DataPath> {
        self.0.iter()
    }

    /// Where the candidates are of a search for `kind` at `entry`: what is said of the nearest entry point, and there of
    /// the type rather than of all.
    pub(super) fn of(&self, entry: &EntryPoint, searched: Searched, kind: &str) -> Option<&EntryPoint> {
        let applies = |data: &&DataPath| {
            data.searched == searched
                && data.kind.as_deref().is_none_or(|only| only == kind)
                && entry.parts().starts_with(data.entry_point.parts())
        };
        let nearness = |data: &&DataPath| (data.entry_point.parts().len(), data.kind.is_some());
        self.0.iter().filter(applies).max_by_key(nearness).map(|data| &data.path)
    }
}

impl FromIterator<DataPath> for DataPaths {
    fn from_iter<I: IntoIterator<Item = DataPath>>(paths: I) -> Self {
        Self(paths.into_iter().collect())
    }
}

/// What is at `path`: the items of an array, or the names of an object. Rules there are asked without `input`.
///
/// What is missing, or of another type, is an error, though a rule without a value names nothing: whoever configures a path
/// wants something to be there.
pub(super) async fn named(held: &Held, path: &EntryPoint, deadline: Deadline) -> Result<Vec<Value>, CallError> {
    let query = Query { policy: Some(path.clone()), asks: Asks::Document, input: Input::Undefined, ..Query::default() };
    let Verdict { value, reasons, .. } = held.decide_own(&query, deadline.left()?).await;
    let fault = |fault: &str| Err(CallError::SearchFailed(format!("`{path}` (`search.candidates`) {fault}")));
    match value.map(|value| *value) {
        Some(Value::Array(items)) => Ok(items),
        Some(Value::Object(members)) => Ok(members.into_iter().map(|(name, _)| Value::String(name)).collect()),
        Some(_) => fault("is neither an array nor an object"),
        None => {
            // A caller that is out of time is told so.
            deadline.left()?;
            match reasons.into_iter().next() {
                Some(reason) if reason.code != code::NO_DECISION => fault(&format!("has no value: {}", reason.message)),
                _ => fault("is not there"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(entry: &str, kind: Option<&str>, path: &str) -> DataPath {
        DataPath {
            entry_point: entry.parse().unwrap(),
            searched: Searched::Subject,
            kind: kind.map(str::to_owned),
            path: path.parse().unwrap(),
        }
    }

    #[test]
    fn the_nearest_entry_point_counts_and_there_the_type() {
        let paths: DataPaths = [
            path("data.a", Some("user"), "data.users"),
            path("data.a", None, "data.everyone"),
            path("data.a.b", None, "data.some"),
            path("data.a.b.c", Some("group"), "data.groups"),
        ]
        .into_iter()
        .collect();
        for (entry, kind, wanted) in [
            ("data.a", "user", Some("data.users")),
            ("data.a.allow", "user", Some("data.users")),
            ("data.a", "group", Some("data.everyone")),
            ("data.a.b", "user", Some("data.some")),
            ("data.a.b.c", "user", Some("data.some")),
            ("data.a.b.c.decision", "group", Some("data.groups")),
            ("data.ab", "user", None),
        ] {
            let found = paths.of(&entry.parse().unwrap(), Searched::Subject, kind);
            assert_eq!(found.map(EntryPoint::as_str), wanted, "{entry} {kind}");
        }
        assert_eq!(paths.of(&"data.a".parse().unwrap(), Searched::Resource, "user"), None);
    }
}
