//! The path that a client asked for: its segments and its query. It is never read as a URI, in which `//admin/x` would be
//! `/x` at the host `admin`.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::config::Config;
use crate::{
    api::status::FieldViolation,
    decision::{Object, Value},
};

/// What `:path` says.
#[derive(Debug)]
pub(super) struct Target {
    /// Without the query, as it was sent.
    pub(super) path: String,
    /// What stands between the slashes, decoded; leading slashes count for nothing.
    pub(super) segments: Vec<String>,
    /// Parameters and their values.
    pub(super) query: Object,
}

/// Takes `:path` apart, or says why it is not to be trusted.
pub(super) fn parsed(target: &str, config: &Config) -> Result<Target, FieldViolation> {
    let fault = |description: &str| FieldViolation::new("path", description);
    if target.contains('#') {
        return Err(fault("has a fragment, which a request never has"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !is_well_formed(path) {
        return Err(fault("has a `%` without two hexadecimal digits"));
    }
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| fault("is not UTF-8 once it is decoded"))?;
        Ok(text.into_owned())
    };
    let segments: Vec<String> = if config.decode_slashes {
        decoded(path)?.trim_start_matches('/').split('/').map(str::to_owned).collect()
    } else {
        path.trim_start_matches('/').split('/').map(decoded).collect::<Result<_, _>>()?
    };
    if segments.iter().any(|segment| segment.contains('\0')) {
        return Err(fault("has a zero byte in it"));
    }
    if !config.dot_segments && segments.iter().any(|segment| climbs(segment)) {
        return Err(fault("has `.` or `..` for a segment: let Envoy normalize paths, or set `envoy.dot_segments`"));
    }
    Ok(Target { path: path.to_owned(), segments, query: parameters(query) })
}

/// Parameters and their values, in order. What is no percent-encoding stays as it is written, as servers read it.
pub(super) fn parameters(text: &str) -> Object {
    let mut parameters: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        parameters.entry(name.into_owned()).or_default().push(Value::String(value.into_owned()));
    }
    parameters.into_iter().map(|(name, values)| (name, Value::Array(values))).collect()
}

/// Whether each `%` begins an encoded byte.
pub(super) fn is_well_formed(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        digits.len() == 2 && digits.all(|digit| digit.is_ascii_hexdigit())
    })
}

/// Whether some server would take the segment, or a part of it, for a step within or up the tree: they may decode once
/// more, take `\` for a slash, and cut parameters off (`..;x`).
fn climbs(segment: &str) -> bool {
    segment.split(['/', '\\']).any(|part| matches!(part.split(';').next(), Some("." | "..")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn segments(target: &str) -> Result<Vec<String>, String> {
        parsed(target, &Config::default()).map(|target| target.segments).map_err(|fault| fault.description)
    }

    #[test]
    fn takes_paths_apart_by_their_slashes_alone() {
        for (target, wanted) in [
            ("/my/test/path", &["my", "test", "path"][..]),
            ("/my/test/path?a=/x", &["my", "test", "path"]),
            ("//admin/x", &["admin", "x"]),
            ("///admin//x/", &["admin", "", "x", ""]),
            ("admin/x", &["admin", "x"]),
            ("/", &[""]),
            ("", &[""]),
            ("*", &["*"]),
            ("http://user@admin/x", &["http:", "", "user@admin", "x"]),
            ("/a%2Fb/c%2fd", &["a/b", "c/d"]),
            ("%2Fmy%2Ftest", &["/my/test"]),
            ("/%61%64%6Din", &["admin"]),
            ("/%25%32%46", &["%2F"]),
            ("/a:b@c;d=e", &["a:b@c;d=e"]),
            ("/grüße", &["grüße"]),
            ("/gr%C3%BC%C3%9Fe", &["grüße"]),
            ("/...", &["..."]),
        ] {
            assert_eq!(segments(target).unwrap(), wanted, "{target}");
        }
    }

    proptest! {
        #[test]
        fn a_path_keeps_all_that_is_in_it(target in "[/a-c.%;\\\\?2eEfF#\u{0}-\u{ff}]{0,24}", slashes in any::<bool>()) {
            let config = Config { decode_slashes: slashes, dot_segments: true, ..Config::default() };
            let path = target.split('?').next().unwrap();
            if let Ok(found) = parsed(&target, &config) {
                let decoded = percent_decode_str(path).decode_utf8().unwrap();
                let joined = found.segments.join("/");
                prop_assert_eq!(joined.trim_start_matches('/'), decoded.trim_start_matches('/'));
                prop_assert!(slashes || found.segments.len() == path.trim_start_matches('/').split('/').count());
                // Without steps, nothing is left that a server would take for one.
                if parsed(&target, &Config { decode_slashes: slashes, ..Config::default() }).is_ok() {
                    let steps = decoded.split(['/', '\\']).filter(|part| matches!(*part, "." | ".."));
                    prop_assert_eq!(steps.count(), 0);
                }
            }
        }
    }

    #[test]
    fn refuses_paths_that_servers_read_differently() {
        for target in [
            "/a/../b",
            "/a/./b",
            "/..",
            "/%2e%2E/b",
            "/a/..;x=1/b",
            "/a/..%2fb",
            "/a/..%5cb",
            "/a\\..\\b",
            "/a#b",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/a%00b",
        ] {
            assert!(segments(target).is_err(), "{target}");
        }
        let kept = Config { dot_segments: true, ..Config::default() };
        assert_eq!(parsed("/a/../b", &kept).unwrap().segments, ["a", "..", "b"]);
    }

    #[test]
    fn an_encoded_slash_separates_only_where_configured() {
        let config = Config { decode_slashes: true, ..Config::default() };
        assert_eq!(parsed("%2Fmy%2Ftest%2Fpath?a=1", &config).unwrap().segments, ["my", "test", "path"]);
        assert!(parsed("/a%2F..%2Fb", &config).is_err());
    }

    #[test]
    fn reads_parameters_as_servers_do() {
        let shown = |query: &str| crate::api::json::written_object(&parameters(query));
        assert_eq!(
            serde_json::json!(shown("a=1&b=2&a=new%0aline+x")),
            serde_json::json!({"a": ["1", "new\nline x"], "b": ["2"]})
        );
        assert_eq!(
            serde_json::json!(shown("a=50%&b=1;c=2&d")),
            serde_json::json!({"a": ["50%"], "b": ["1;c=2"], "d": [""]})
        );
    }
}
