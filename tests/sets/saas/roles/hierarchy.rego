# METADATA
# title: Roles
# description: |
#   Roles inherit from each other (`data.catalog.roles.inherits`); a grant is a pair of resource type and action, either
#   of which may be `*`.
package roles.hierarchy

import data.catalog.roles as catalog
import data.lib.subject

default direct := set()

direct := {role | some role in subject.person.roles}

effective := graph.reachable(catalog.inherits, direct)

grants[type] contains action if {
	some role in effective
	some type, actions in catalog.grants[role]
	some action in actions
}

# METADATA
# title: The roles through which something is granted
via(type, action) := {role |
	some role in effective
	some granted in object.get(catalog.grants, [role, type], [])
	granted in {"*", action}
}

granted(type, action) if grants[type][action]

granted(type, _) if grants[type]["*"]

granted(_, action) if grants["*"][action]

granted(_, _) if grants["*"]["*"]

# METADATA
# title: Pairs of roles that nobody may hold together
# custom:
#   severity: high
conflicts contains pair if {
	some pair in catalog.separation
	every role in pair {
		role in effective
	}
}
