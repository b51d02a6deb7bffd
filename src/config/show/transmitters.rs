//! The transmitters of security events, of which only what may be seen.

use super::{quoted, show_time};
use crate::{
    config::Config,
    identity::Algorithm,
    ssf::{KeysAt, Poll, Transmitter},
};

pub(super) fn yaml(config: &Config, yaml: &mut String) {
    yaml.push_str("  transmitters:\n");
    for (name, transmitter) in &config.ssf.transmitters {
        let Transmitter { issuer, audience, algorithms, keys, issuers, keep, push_token_file, poll } = transmitter;
        yaml.extend(["    ", name, ":\n"]);
        let mut line = |key: &str, value: &str| yaml.extend(["      ", key, ": ", value, "\n"]);
        let list =
            |texts: &[String]| format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "));
        line("issuer", &quoted(issuer));
        line("audience", &list(audience));
        line(
            "algorithms",
            &format!("[{}]", algorithms.iter().map(|one| Algorithm::name(*one)).collect::<Vec<_>>().join(", ")),
        );
        match keys {
            KeysAt::File(path) => line("jwks_file", &quoted(&path.to_string_lossy())),
            KeysAt::Url { url, ca_file } => {
                line("jwks_url", &quoted(url.as_str()));
                if let Some(path) = ca_file {
                    line("jwks_ca_file", &quoted(&path.to_string_lossy()));
                }
            }
        }
        line("issuers", &list(issuers));
        line("keep", &show_time(*keep));
        if let Some(path) = push_token_file {
            line("push_token_file", &quoted(&path.to_string_lossy()));
        }
        if let Some(Poll { url, token_file, ca_file, interval, max_events }) = poll {
            let path = |name: &str, path: &Option<std::path::PathBuf>| {
                path.as_ref().map_or_else(String::new, |path| format!(", {name}: {}", quoted(&path.to_string_lossy())))
            };
            let files = path("token_file", token_file) + &path("ca_file", ca_file);
            let interval = show_time(*interval);
            line("poll", &format!("{{url: {}{files}, interval: {interval}, max_events: {max_events}}}", quoted(url)));
        }
    }
}
