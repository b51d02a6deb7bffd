# METADATA
# title: Who may ask Verdict what
# description: |
#   By the grants of `callers.grants_file`. What no grant allows is denied.
package system.authz

default allow := false

allow if {
	some grant in data.grants
	names_caller(grant)
	input.action in grant.actions
	opens_door(grant)
	covers(grant)
}

names_caller(grant) if input.caller.id in grant.callers

# `spiffe://example.org/ns/*` is everything below, by whole segments.
names_caller(grant) if {
	some pattern in grant.callers
	endswith(pattern, "/*")
	startswith(input.caller.id, trim_suffix(pattern, "*"))
}

opens_door(grant) if input.door in grant.doors

opens_door(grant) if "*" in grant.doors

# What has no question in it has no entry point.
covers(grant) if not input.action in {"ask", "search", "issue"}

covers(grant) if {
	input.action in {"ask", "search", "issue"}
	has_entry_point(grant)
	may_explain(grant)
	may_look_back(grant)
}

has_entry_point(grant) if "*" in grant.entry_points

has_entry_point(grant) if input.entry_point in grant.entry_points

# `data.a` is all below it, and nothing beside it.
has_entry_point(grant) if {
	some entry_point in grant.entry_points
	startswith(input.entry_point, concat("", [entry_point, "."]))
}

has_entry_point(grant) if {
	some entry_point in grant.entry_points
	startswith(input.entry_point, concat("", [entry_point, "["]))
}

may_explain(grant) if input.explain == false

may_explain(grant) if grant.explain == true

may_look_back(grant) if input.at_revision == false

may_look_back(grant) if grant.at_revision == true
