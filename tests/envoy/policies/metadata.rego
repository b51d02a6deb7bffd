# By what another filter of Envoy's has verified.
package envoy.authz

default allow := false

allow if {
	claims := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].verified_jwt
	claims.email == "alice@example.com"
}
