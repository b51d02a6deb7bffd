# Who may do what with the orders of a small shop. The action is the route's name.
package authz

decision := {"allow": true, "reasons": ["may"], "obligations": [obligation | some obligation in obligations]} if allow

decision := {"allow": false, "reasons": deny} if not allow

default allow := false

allow if owns

allow if helps

owns if {
	input.action.name in {"read_order", "cancel_order"}
	is_string(input.subject.id)
	input.resource.properties.owner == input.subject.id
}

# Those who help may look, at orders that there are.
helps if {
	input.action.name == "list_orders"
	role
}

helps if {
	input.action.name == "read_order"
	role
	is_string(input.resource.properties.owner)
}

deny contains {"code": "not_your_order", "user_message": "This order is not yours."} if {
	input.resource.id != "*"
	not owns
	not helps
}

deny contains {"code": "not_for_customers", "user_message": "Only our staff may do this."} if {
	input.resource.id == "*"
	not helps
}

# What the service must do before it shows an order to somebody who helps.
obligations contains {"id": "hide-card", "type": "hide", "properties": {"members": ["card"]}} if not owns

# The service does not know how: so nobody who has this role gets anything, until it does.
obligations contains {"id": "ask-owner", "type": "consent"} if role == "partner"

role := data.authz.roles[input.subject.id]
