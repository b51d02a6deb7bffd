//! A response as `http.send` gives it.

use std::collections::BTreeMap;

use regorus::Value as Rego;

use super::{
    super::{super::value::of_value, Failure, operand::exact_text, reserved_name, unsafe_number},
    client::Response,
    request::Decode,
};
use crate::decision::yaml;

/// The object of a response.
pub(super) fn object(response: &Response, decode: Decode) -> Result<Rego, Failure> {
    let text = exact_text(response.body.to_vec())?;
    let kind = response.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A body that cannot be read is null, as in OPA.
    let body = if decode.json || is_json(kind) {
        refuse(unsafe_number(&text, true).is_some())?;
        Rego::from_json_str(&text).unwrap_or(Rego::Null)
    } else if decode.yaml || kind.contains("application/yaml") || kind.contains("application/x-yaml") {
        // Aliases can grow exponentially.
        refuse(reserved_name(&text).is_some() || (text.contains('&') && text.contains('*')))?;
        match yaml::parse(&text) {
            Ok(value) => of_value(&value),
            Err(unreadable) => {
                refuse(unreadable.may_have_value)?;
                Rego::Null
            }
        }
    } else {
        Rego::Null
    };
    let mut headers: BTreeMap<Rego, Rego> = BTreeMap::new();
    for name in response.headers.keys() {
        let values = response.headers.get_all(name).iter();
        let values = values.map(|value| exact_text(value.as_bytes().to_vec()).map(Rego::from));
        headers.insert(Rego::from(name.as_str()), Rego::from(values.collect::<Result<Vec<Rego>, _>>()?));
    }
    let status = format!("{} {}", response.status.as_u16(), response.reason);
    Ok(Rego::from(BTreeMap::from([
        (Rego::from("status"), Rego::from(status)),
        (Rego::from("status_code"), Rego::from(u64::from(response.status.as_u16()))),
        (Rego::from("body"), body),
        (Rego::from("raw_body"), Rego::from(text)),
        (Rego::from("headers"), Rego::from(headers)),
    ])))
}

/// The object that tells of a failure, where `raise_error` is false.
pub(super) fn of_failure(network: bool, message: &str) -> Rego {
    let code = if network { "eval_http_send_network_error" } else { "eval_http_send_internal_error" };
    let error = BTreeMap::from([(Rego::from("code"), Rego::from(code)), (Rego::from("message"), Rego::from(message))]);
    Rego::from(BTreeMap::from([
        (Rego::from("status_code"), Rego::from(0_u64)),
        (Rego::from("error"), Rego::from(error)),
    ]))
}

fn refuse(hostile: bool) -> Result<(), Failure> {
    if hostile {
        return Err(Failure::Halt("the body of the response would take too much to read".to_owned()));
    }
    Ok(())
}

fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}
