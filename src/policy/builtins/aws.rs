//! `providers.aws.sign_req`: a request for `http.send`, signed for AWS (Signature Version 4).
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use std::collections::BTreeMap;

use aws_lc_rs::{digest, hmac};
use regorus::{Value as Rego, value::Object};

use super::{
    Failure, Function,
    crypto::{
        encoding::to_hex,
        json,
        operand::{bad, document, member, mismatch, object},
        url::Url,
    },
    network,
};

/// The family.
pub(super) const ALL: &[Function] = &[Function { name: "providers.aws.sign_req", arity: 3, call: sign_request }];

/// Headers that change on their way, and are not signed.
const UNSIGNED_HEADERS: [&str; 3] = ["authorization", "user-agent", "x-amzn-trace-id"];
const SERVICE: &str = "aws_service";
const ACCESS_KEY: &str = "aws_access_key";
const SECRET_KEY: &str = "aws_secret_access_key";
const REGION: &str = "aws_region";

fn sign_request(arguments: &[Rego]) -> Result<Rego, Failure> {
    let (request, config) = (object(arguments, 0)?, object(arguments, 1)?);
    let required = |name: &str| match member(config, name) {
        Some(Rego::String(value)) => Ok(&**value),
        Some(_) => Err(refused(format!("operand 2 invalid values for required AWS config parameters(s): {name}"))),
        None => Err(refused(format!("operand 2 missing required AWS config parameters(s): {name}"))),
    };
    let (service, access_key) = (required(SERVICE)?, required(ACCESS_KEY)?);
    let (secret_key, region) = (required(SECRET_KEY)?, required(REGION)?);
    let time = match arguments.get(2) {
        Some(time @ Rego::Number(_)) => {
            time.as_i64().map_err(|_| refused("operand 3 could not convert time_ns value into a unix timestamp"))?
        }
        other => return Err(mismatch(2, "number", other)),
    };
    let known = |key: &Rego| matches!(key, Rego::String(key) if network::REQUEST_KEYS.contains(&&**key));
    if !request.keys().all(known) {
        return Err(refused("operand 1 invalid request parameters(s)"));
    }
    let required = |name: &str| match member(request, name) {
        Some(value @ Rego::String(_)) => document(std::slice::from_ref(value), 0),
        Some(_) => Err(refused(format!("operand 1 invalid values for required request parameters(s): {name}"))),
        None => Err(refused(format!("operand 1 missing required request parameters(s): {name}"))),
    };
    let (method, url) = (required("method")?, required("url")?);
    let headers = match member(request, "headers") {
        None => Object::default(),
        Some(Rego::Object(headers)) => Object::clone(headers),
        other => return Err(mismatch(0, "object", other)),
    };
    let url = Url::parse(url).ok_or_else(|| bad("the URL can't be parsed"))?;
    let body = match (member(request, "raw_body"), member(request, "body")) {
        (Some(raw), _) => string(raw).to_owned(),
        (None, Some(body)) => json::marshal(body)?,
        (None, None) => String::new(),
    };
    let unsigned_body = match member(config, "disable_payload_signing") {
        None => false,
        Some(Rego::Bool(disabled)) => *disabled,
        Some(_) => return Err(refused("operand 2 invalid value for 'disable_payload_signing' in AWS config")),
    };
    let body = if unsigned_body { "UNSIGNED-PAYLOAD".to_owned() } else { sha256(&body) };

    let (date, moment) = timestamp(time);
    let mut aws_headers = BTreeMap::from([("host", url.host.clone()), ("x-amz-date", moment.clone())]);
    if matches!(service, "s3" | "glacier") {
        aws_headers.insert("x-amz-content-sha256", body.clone());
    }
    if let Some(token) = member(config, "aws_session_token").map(string).filter(|token| !token.is_empty()) {
        aws_headers.insert("x-amz-security-token", token.to_owned());
    }
    let mut to_sign: BTreeMap<String, &str> =
        aws_headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str())).collect();
    for (name, value) in headers.iter_sorted() {
        let name = string(name).to_lowercase();
        if !UNSIGNED_HEADERS.contains(&name.as_str()) {
            to_sign.insert(name, string(value));
        }
    }
    let names = to_sign.keys().map(String::as_str).collect::<Vec<_>>().join(";");
    let lines: String = to_sign.iter().flat_map(|(name, value)| [name.as_str(), ":", *value, "\n"]).collect();
    let canonical = format!("{method}\n{}\n{}\n{lines}\n{names}\n{body}", url.escaped_path(), url.raw_query);
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let message = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", sha256(&canonical));
    let key = [region, service, "aws4_request"]
        .iter()
        .fold(authenticate(format!("AWS4{secret_key}").as_bytes(), &date), |key, part| {
            authenticate(key.as_ref(), part)
        });
    let signature = to_hex(authenticate(key.as_ref(), &message).as_ref());
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope},SignedHeaders={names},Signature={signature}");

    let mut signed = Object::default();
    for (name, value) in headers.iter() {
        signed.insert(string(name).into(), string(value).into());
    }
    signed.insert("Authorization".into(), authorization.into());
    for (name, value) in aws_headers {
        signed.insert(name.into(), value.into());
    }
    let mut request = request.clone();
    request.insert("headers".into(), signed.into_value());
    Ok(request.into_value())
}

/// OPA calls an operand that does not hold what it must one of the wrong type.
fn refused(text: impl Into<String>) -> Failure {
    Failure::Type(text.into())
}

/// The text of a string; OPA takes everything else as empty.
fn string(value: &Rego) -> &str {
    match value {
        Rego::String(text) => text,
        _ => "",
    }
}

fn sha256(text: &str) -> String {
    to_hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn authenticate(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

/// Nanoseconds since 1970 as `20060102` and `20060102T150405Z`.
fn timestamp(time_ns: i64) -> (String, String) {
    let seconds = time_ns.div_euclid(1_000_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since the first of March of the year 0, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + i64::from(month <= 2);
    let date = format!("{year:04}{month:02}{day:02}");
    let moment = format!("{date}T{:02}{:02}{:02}Z", second / 3_600, second / 60 % 60, second % 60);
    (date, moment)
}

#[cfg(test)]
mod tests;
