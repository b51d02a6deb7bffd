//! What a call is for, by its path: at which door, and to do what.

use axum::http::Method;

use crate::api::settle::DoorName;

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask a question; the policy is told of which entry point.
    Ask,
    /// Search for who may, or for what.
    Search,
    /// Ask about the issuance of a token.
    Issue,
    /// Put a query of its own, in Rego.
    Query,
    /// Read metrics, status, settings, policies, descriptors.
    Observe,
    /// Change data.
    Administer,
    /// What nothing is known of.
    Other,
}

/// Every door that a call may come to.
pub const DOORS: [DoorName; 7] =
    [DoorName::GRPC, DoorName::AUTHZEN, DoorName::OPA, DoorName::ENVOY, DoorName::MCP, DoorName::ISSUANCE, OPERATORS];

/// Health and metrics.
const OPERATORS: DoorName = DoorName("operators");

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) door: DoorName,
    pub(super) action: Action,
}

impl Action {
    /// Every one that can be granted.
    pub const ALL: [Self; 6] = [Self::Ask, Self::Search, Self::Issue, Self::Query, Self::Observe, Self::Administer];

    /// As policies see it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Search => "search",
            Self::Issue => "issue",
            Self::Query => "query",
            Self::Observe => "observe",
            Self::Administer => "administer",
            Self::Other => "other",
        }
    }

    /// Whether there are questions in it, about each of which the Decider's gate asks.
    pub(super) fn has_questions(self) -> bool {
        matches!(self, Self::Ask | Self::Search | Self::Issue)
    }
}

/// Whether a call of gRPC sends messages one after the other.
pub(super) fn is_streamed(path: &str) -> bool {
    path == "/verdict.v1.DecisionService/CheckStream" || path.starts_with("/grpc.reflection.")
}

/// Of a call of gRPC; `None` for health, which is everyone's.
pub(super) fn of_grpc(path: &str) -> Option<Route> {
    let service = path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or("", |(service, _)| service);
    Some(match service {
        "grpc.health.v1.Health" => return None,
        "verdict.v1.DecisionService" => Route { door: DoorName::GRPC, action: Action::Ask },
        "verdict.v1.SearchService" => Route { door: DoorName::GRPC, action: Action::Search },
        "verdict.v1.IssuanceService" => Route { door: DoorName::ISSUANCE, action: Action::Issue },
        "verdict.v1.McpService" => Route { door: DoorName::MCP, action: Action::Ask },
        "envoy.service.auth.v3.Authorization" => Route { door: DoorName::ENVOY, action: Action::Ask },
        "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
            Route { door: DoorName::GRPC, action: Action::Observe }
        }
        _ => Route { door: DoorName::GRPC, action: Action::Other },
    })
}

/// Of a request of HTTP; `None` for health, what the door says of itself, and security events, whose transmitters have
/// credentials of their own.
pub(super) fn of_http(method: &Method, path: &str) -> Option<Route> {
    let below = |parent: &str| path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let route = |door, action| Some(Route { door, action });
    let reads = method == Method::GET || method == Method::HEAD;
    if below("/health") || below("/ssf/events") || below("/.well-known") || path == "/" && reads {
        return None;
    }
    if below("/access/v1/search") {
        return route(DoorName::AUTHZEN, Action::Search);
    }
    if below("/access/v1") {
        return route(DoorName::AUTHZEN, Action::Ask);
    }
    if below("/mcp/v1") {
        return route(DoorName::MCP, Action::Ask);
    }
    if path == "/metrics" {
        return route(OPERATORS, Action::Observe);
    }
    if below("/v1/data") || below("/v0/data") || path == "/" {
        let asks = reads || method == Method::POST;
        return route(DoorName::OPA, if asks { Action::Ask } else { Action::Administer });
    }
    if below("/v1/query") {
        return route(DoorName::OPA, Action::Query);
    }
    if below("/v1/policies") || below("/v1/status") || below("/v1/config") {
        return route(DoorName::OPA, if reads { Action::Observe } else { Action::Administer });
    }
    route(OPERATORS, Action::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_everyone_s_is_only_health_and_what_has_its_own_credentials() {
        let free = |method: Method, path: &str| of_http(&method, path).is_none();
        for path in ["/health/live", "/health/ready", "/health", "/.well-known/authzen-configuration", "/"] {
            assert!(free(Method::GET, path), "{path}");
        }
        for path in ["/metrics", "/healthy", "/v1/data/health", "/v1/config", "//health", "/Health", "/health%2f..", ""]
        {
            assert!(!free(Method::GET, path), "{path}");
        }
        assert!(!free(Method::POST, "/"));
        for path in
            ["/grpc.health.v1.Health", "/grpc.health.v1.Healthy/Check", "//grpc.health.v1.Health/Check", "/", ""]
        {
            assert!(of_grpc(path).is_some(), "{path}");
        }
        assert!(of_grpc("/grpc.health.v1.Health/Watch").is_none());
    }

    #[test]
    fn what_changes_something_is_administration() {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            for path in ["/v1/data/a", "/v1/data", "/v1/policies/x"] {
                assert_eq!(of_http(&method, path).unwrap().action, Action::Administer, "{method} {path}");
            }
        }
        assert_eq!(of_http(&Method::POST, "/v1/data/a").unwrap().action, Action::Ask);
        assert_eq!(of_http(&Method::POST, "/v1/query").unwrap().action, Action::Query);
    }
}
