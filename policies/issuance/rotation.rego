# Keys are rotated by a job: only within the maintenance window, by the clock of the policy decision point, and not for
# longer than the window is open.
package issuance.rotation

deny contains {
	"code": "grant_not_allowed",
	"message": "this client gets tokens by client credentials only",
	"user_message": "This service is not set up for that.",
} if {
	not split(input.action.name, ":")[2] == "client_credentials"
}

deny contains {
	"code": "subject_not_allowed",
	"message": "this client gets tokens for itself only",
	"user_message": "This service is not set up for that.",
} if {
	not data.issuance.client_credentials.own_token
}

deny contains {
	"code": "outside_maintenance_window",
	"message": "keys are rotated within the maintenance window only",
	"user_message": "Ask again in the maintenance window.",
} if {
	not window_open
}

deny contains {
	"code": "authentication_too_weak",
	"message": "the client did not prove possession of a key",
	"user_message": "This service is not set up for that.",
} if {
	not input.context.client.authentication_method in {"private_key_jwt", "tls_client_auth"}
}

window_open if {
	time.weekday(now) in data.issuance.maintenance_window.days
	[hour, _, _] := time.clock(now)
	hour >= data.issuance.maintenance_window.from_hour
	hour < data.issuance.maintenance_window.to_hour
}

now := time.now_ns()
