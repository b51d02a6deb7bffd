package numbers

decision := {"allow": input.context.n == input.context.m, "reasons": [reason]} if {
	reason := {true: "equal", false: "differs"}[input.context.n == input.context.m]
}
