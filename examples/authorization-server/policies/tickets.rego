# Whether a token still counts at its use: what it says was true when it was minted, this is true now. Verdict has
# verified it (`input.token`), and that nobody has revoked it.
package authz

decision := {"allow": true, "reasons": ["token_counts"]} if count(deny) == 0

decision := {"allow": false, "reasons": deny} if count(deny) > 0

deny contains "scope_missing" if not scope_there

deny contains "no_longer_delegated" if not still_delegated

scope_there if sprintf("tickets:%s", [input.action.name]) in input.token.scope

still_delegated if input.token.actors[0].sub in data.users[input.subject.id].agents
