//! A target a decoder: what it does with any bytes, and inputs to begin with. `tests/fuzz` includes all of it, and runs it on
//! stable without libFuzzer.
//!
//! The doors are asked in this process, over real sockets (`server`). Their policies allow nothing but what has the word
//! [`server::WORD`] in it, so that whatever a target is sent without it must not be allowed.

pub mod archive;
pub mod authzen;
pub mod config;
pub mod ext_authz;
mod forge;
pub mod grpc;
mod json;
pub mod mcp;
pub mod opa;
pub mod policies;
pub mod security_event;
mod server;
pub mod signature;
pub mod token;

/// A target.
pub struct Target {
    /// Its name, and that of the folder of its seeds.
    pub name: &'static str,
    /// What it does with bytes. It panics where something does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with, by name; `fuzz/seeds` has them as files.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All targets of decoders.
pub const TARGETS: &[Target] = &[
    Target { name: "archive", run: archive::run, seeds: archive::seeds },
    Target { name: "authzen", run: authzen::run, seeds: authzen::seeds },
    Target { name: "config", run: config::run, seeds: config::seeds },
    Target { name: "data_json", run: policies::data_json, seeds: policies::seeds_of_json },
    Target { name: "data_yaml", run: policies::data_yaml, seeds: policies::seeds_of_yaml },
    Target { name: "ext_authz", run: ext_authz::run, seeds: ext_authz::seeds },
    Target { name: "grpc", run: grpc::run, seeds: grpc::seeds },
    Target { name: "mcp", run: mcp::run, seeds: mcp::seeds },
    Target { name: "opa", run: opa::run, seeds: opa::seeds },
    Target { name: "rego_query", run: policies::rego_query, seeds: policies::seeds_of_queries },
    Target { name: "rego_text", run: policies::rego_text, seeds: policies::seeds_of_rego },
    Target { name: "security_event", run: security_event::run, seeds: security_event::seeds },
    Target { name: "signature", run: signature::run, seeds: signature::seeds },
    Target { name: "token", run: token::run, seeds: token::seeds },
];

/// How often a door has allowed what this thread asked.
pub fn allowed() -> u64 {
    server::ALLOWED.get()
}

/// Bytes of a seed: a first one that chooses, and a text.
fn chosen(choice: u8, text: impl AsRef<[u8]>) -> Vec<u8> {
    [&[choice], text.as_ref()].concat()
}

/// Whether `part` is in `whole`.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}
