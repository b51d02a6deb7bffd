//! By a real Envoy.
