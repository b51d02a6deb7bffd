package tokens.claims_test

import data.tokens.claims

good := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUvYWNtZSIsInN1YiI6ImFjbWUtMDAwIiwiYXVkIjoic2Fhcy1hcGkiLCJleHAiOjE4MDAwMDAwMDAsInNjb3BlIjoiZG9jdW1lbnRzLnJlYWQgZG9jdW1lbnRzLndyaXRlIn0.nJBKWWYoA1Vxo-kZ0zAwSmwwWaWm82CJIbmopgD8HZY"

many := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUvYWNtZSIsInN1YiI6ImFjbWUtMDAwIiwiYXVkIjpbIm90aGVyIiwic2Fhcy1hcGkiXSwiZXhwIjoxODAwMDAwMDAwLCJuYmYiOjE3MDAwMDAwMDAsInNjb3BlIjoicHJvamVjdHMifQ.GS6M1_92k29xnA2fbK8CJrImE7qHA1aGVZ39OHGN0SI"

forged := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUvYWNtZSIsInN1YiI6ImFjbWUtMDAwIiwiYXVkIjoic2Fhcy1hcGkiLCJleHAiOjE4MDAwMDAwMDB9.L3wNMVVwCAKIC_Iq8cGlCiUstp9rEri8Dvun_C6_Kqg"

unsigned := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUvYWNtZSIsInN1YiI6ImFjbWUtMDAwIiwiYXVkIjoic2Fhcy1hcGkiLCJleHAiOjE4MDAwMDAwMDB9."

elsewhere := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUvYWNtZSIsInN1YiI6ImFjbWUtMDAwIiwiYXVkIjoic2hvcCIsImV4cCI6MTgwMDAwMDAwMH0.fuZJKmU7mEqDBU8lZzGDg5K3_SrVglVJAmnl4EWkGlg"

with_token(token) := {"context": {"authorization": concat(" ", ["Bearer", token]), "time": "2026-03-03T10:00:00Z"}}

test_good if {
	claims.valid with input as with_token(good)
	claims.scopes == {"documents.read", "documents.write"} with input as with_token(good)
	not claims.problem with input as with_token(good)
}

test_audiences if claims.valid with input as with_token(many)

test_not_yet if not claims.valid with input as object.union(with_token(many), {"context": {"time": "2020-01-01T00:00:00Z"}})

test_problems[problem] if {
	some problem, token in {
		"the token is no JWT": "nonsense",
		"the signature is wrong": forged,
		"the token is for somebody else": elsewhere,
	}
	claims.problem == problem with input as with_token(token)
	not claims.valid with input as with_token(token)
}

test_unsigned_is_not_verified if {
	claims.problem == "the signature is wrong" with input as with_token(unsigned)
	not claims.claims with input as with_token(unsigned)
}

test_no_token if claims.problem == "no token" with input as {}

test_expired if {
	late := object.union(with_token(good), {"context": {"time": "2030-01-01T00:00:00Z"}})
	claims.problem == "the token has expired" with input as late
}

test_a_mocked_verification if {
	claims.verified with input as with_token(forged) with io.jwt.verify_hs256 as true
}

accepts(_, "acme-secret-acme-secret-acme-secret")

test_a_function_in_its_place if {
	claims.verified with input as with_token(forged) with io.jwt.verify_hs256 as accepts
}

test_missing if {
	claims.missing(["documents.read", "documents.delete"]) == {"documents.delete"} with input as with_token(good)
	claims.covers(["documents.read"]) with input as with_token(good)
	not claims.covers(["projects"]) with input as with_token(good)
}
