//! `examples/envoy`.
