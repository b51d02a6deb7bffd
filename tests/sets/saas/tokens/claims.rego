# METADATA
# title: Token claims
# description: |
#   The gateway passes the caller's token on. Its signature is checked with the key of its issuer, then its claims; only
#   decoded, unverified claims never decide anything but the wording of a refusal.
package tokens.claims

import data.lib.clock
import data.lib.sets

bearer := trim_prefix(input.context.authorization, "Bearer ") if {
	startswith(input.context.authorization, "Bearer ")
}

decoded := io.jwt.decode(bearer)

header := decoded[0]

unverified := decoded[1]

# METADATA
# title: Keys by issuer
keys := {
	"https://login.example/acme": "acme-secret-acme-secret-acme-secret",
	"https://login.example/globex": "globex-secret-globex-secret-globex",
}

default verified := false

verified if {
	header.alg == "HS256"
	io.jwt.verify_hs256(bearer, keys[unverified.iss])
}

claims := unverified if verified

default valid := false

valid if {
	claims.exp * 1000000000 > clock.now
	object.get(claims, "nbf", 0) * 1000000000 <= clock.now
	audience["saas-api"]
}

audience contains claims.aud if is_string(claims.aud)

audience contains one if {
	is_array(claims.aud)
	some one in claims.aud
}

scopes := {scope | some scope in split(claims.scope, " ")} if {
	claims.scope
} else := set()

missing(needed) := {scope | some scope in needed} - scopes

problem := "no token" if {
	not bearer
} else := "the token is no JWT" if {
	not header
} else := "the signature is wrong" if {
	not verified
} else := "the token is for somebody else" if {
	not audience["saas-api"]
} else := "the token has expired" if {
	not valid
}

covers(needed) if sets.subset(needed, scopes)
