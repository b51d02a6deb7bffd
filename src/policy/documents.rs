//! Data documents to the one base document.

use std::{collections::BTreeMap, sync::Arc};

use regorus::Value as Rego;
use sha2::{Digest as _, Sha256};

use super::{builtins, fault::Fault, index::Index, rego::lower::RESERVED, text::Texts, value::of_value};
use crate::{
    bundle::{Document, Format},
    decision::{Digest, yaml},
};

/// Data documents by what their texts hash to. Those that several policy sets have are in memory once.
#[derive(Clone, Debug, Default)]
pub struct Documents(Arc<BTreeMap<Digest, Rego>>);

/// All documents merged at their mounts, and each of them. Those that are among `before` are not read again.
pub(super) fn merged(
    documents: &[Document],
    before: &[Documents],
    faults: &mut Vec<Fault>,
) -> (Result<Rego, ()>, Documents) {
    let mut engine = regorus::Engine::new();
    let mut read = BTreeMap::new();
    let count = faults.len();
    for document in documents {
        let digest = digest(document);
        let known = before.iter().find_map(|Documents(known)| known.get(&digest)).cloned();
        match known.map_or_else(|| parse_document(document), Ok) {
            Ok(value) if document.mount.is_empty() && value.as_object().is_err() => {
                let fault = Fault::new("data_error", format!("{}: not an object at the root of `data`", document.path));
                faults.push(fault.help("put its content under a name, or the file into a folder of that name"));
            }
            Ok(value) => {
                read.insert(digest, value.clone());
                let mounted = document
                    .mount
                    .iter()
                    .rev()
                    .fold(value, |inner, name| Rego::from(BTreeMap::from([(Rego::from(name.as_str()), inner)])));
                if let Err(error) = engine.add_data(mounted) {
                    let cause = format!("{}: conflicts with other data: {error}", document.path);
                    faults.push(Fault::new("data_conflict", cause).help("give each value one home"));
                }
            }
            Err(fault) => faults.push(*fault),
        }
    }
    let merged = if faults.len() == count { Ok(engine.get_data()) } else { Err(()) };
    (merged, Documents(Arc::new(read)))
}

fn digest(document: &Document) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([u8::from(document.format == Format::Json)]);
    hasher.update(&document.text);
    Digest(hasher.finalize().into())
}

fn parse_document(document: &Document) -> Result<Rego, Box<Fault>> {
    let fault = |cause: String, place: Option<(usize, usize)>| {
        let fault = Fault::new("data_parse_error", cause).help("mend the document; policies see it as `data`");
        Box::new(match place {
            Some((line, column)) => {
                let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
                fault.at(&document.path, &document.text, number(line), number(column), 1)
            }
            None => fault,
        })
    };
    if let Some(cause) = builtins::unsafe_number(&document.text, document.format == Format::Json) {
        return Err(fault(cause.to_owned(), None));
    }
    if document.format == Format::Yaml && builtins::opens_too_much(&document.text) {
        return Err(fault("brackets nest too deep".to_owned(), None));
    }
    match document.format {
        Format::Json => serde_json::from_str(&document.text).map_err(|error| {
            let cause = error.to_string();
            let cause = cause.split(" at line ").next().unwrap_or_default().to_owned();
            fault(cause, Some((error.line(), error.column())))
        }),
        Format::Yaml => match yaml::parse_only(&document.text) {
            Ok(read) => Ok(of_value(&read)),
            Err(unreadable) => Err(fault(unreadable.cause, unreadable.place)),
        },
    }
}

/// Rules whose place in `data` is taken by base data: which of the two a reference means would be anyone's guess. And base
/// data where lowering has something of its own.
pub(super) fn conflicts(index: &Index, data: &Rego, texts: &Texts) -> Vec<Fault> {
    let mut faults = Vec::new();
    let reserved =
        data.as_object().into_iter().flat_map(regorus::value::Object::keys).filter_map(|key| key.as_string().ok());
    for name in reserved.filter(|name| name.starts_with(RESERVED)) {
        let cause =
            format!("base data has `{name}`, which begins with `{RESERVED}`, as only names of Verdict's own do");
        faults.push(Fault::new("rego_reserved_name_error", cause).help("give it another name"));
    }
    for rule in index.rules() {
        let mut at = data;
        let mut taken = true;
        for part in &rule.parts {
            let Ok(object) = at.as_object() else { break };
            let Some(next) = object.get(&Rego::from(part.as_str())) else {
                taken = false;
                break;
            };
            at = next;
        }
        if taken {
            let cause = format!("rule `{}` and base data have the same path", rule.name);
            let fault = Fault::new("rego_type_error", cause).help("rename the rule, or move the data");
            let place = &rule.position;
            let text = texts.get(&place.file).map(|text| &*text.written).unwrap_or_default();
            faults.push(fault.at(&place.file, text, place.line, place.column, 1));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(mount: &str, text: &str) -> Document {
        let path = format!("{mount}/data.json");
        Document { path, mount: vec![mount.to_owned()], format: Format::Json, text: text.to_owned() }
    }

    fn address(value: &Rego) -> usize {
        let Rego::Object(members) = value else { panic!("an object") };
        std::sync::Arc::as_ptr(members).addr()
    }

    #[test]
    fn a_document_that_did_not_change_is_the_same_in_memory() {
        let mut faults = Vec::new();
        let (one, first) = merged(&[document("a", r#"{"x": 1}"#), document("b", "{}")], &[], &mut faults);
        let (two, _) = merged(&[document("a", r#"{"x": 1}"#), document("b", r#"{"y": 2}"#)], &[first], &mut faults);
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(address(&one["a"]), address(&two["a"]));
        assert_ne!(address(&one["b"]), address(&two["b"]));
        assert!(faults.is_empty());
    }
}
