//! Compiles the public contract with protox, so that no protoc has to be installed.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

const PROTOS: [&str; 8] = [
    "verdict/v1/decision_service.proto",
    "verdict/v1/issuance_service.proto",
    "verdict/v1/mcp_service.proto",
    "verdict/v1/policy.proto",
    "verdict/v1/query.proto",
    "verdict/v1/revocation_service.proto",
    "verdict/v1/search_service.proto",
    "verdict/v1/verdict.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=policies");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("verdict.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // A Struct is decoded straight into the domain's own object type, with our own depth limit.
        .extern_path(".google.protobuf.Struct", "crate::api::grpc::wire::Object")
        // What has a token in it shows nothing of it.
        .skip_debug(["verdict.v1.Credential"])
        .btree_map(".")
        .codec_path("crate::api::grpc::codec::Codec")
        .compile_fds(descriptors)?;
    // The contract of the service in examples/tonic, which the example includes.
    println!("cargo::rerun-if-changed=examples/tonic/notes.proto");
    tonic_prost_build::configure().compile_fds(protox::compile(["notes.proto"], ["examples/tonic"])?)?;
    Ok(())
}
