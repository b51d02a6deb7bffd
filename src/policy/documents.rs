//! Data documents to the one base document.

use std::collections::BTreeMap;

use regorus::Value as Rego;

use super::{builtins, fault::Fault, index::Index, text::Texts};
use crate::bundle::{Document, Format};

/// All documents merged at their mounts.
pub(super) fn merged(documents: &[Document], faults: &mut Vec<Fault>) -> Result<Rego, ()> {
    let mut engine = regorus::Engine::new();
    let before = faults.len();
    for document in documents {
        match parse_document(document) {
            Ok(value) if document.mount.is_empty() && value.as_object().is_err() => {
                let fault = Fault::new("data_error", format!("{}: not an object at the root of `data`", document.path));
                faults.push(fault.help("put its content under a name, or the file into a folder of that name"));
            }
            Ok(value) => {
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
    if faults.len() == before { Ok(engine.get_data()) } else { Err(()) }
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
    if builtins::has_huge_exponent(&document.text, document.format == Format::Json) {
        return Err(fault("a number's exponent has more than 3 digits".to_owned(), None));
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
        Format::Yaml => yaml_serde::from_str(&document.text).map_err(|error| {
            let place = error.location().map(|place| (place.line(), place.column()));
            fault(error.to_string(), place)
        }),
    }
}

/// Rules whose place in `data` is taken by base data: which of the two a reference means would be anyone's guess.
pub(super) fn conflicts(index: &Index, data: &Rego, texts: &Texts) -> Vec<Fault> {
    let mut faults = Vec::new();
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
