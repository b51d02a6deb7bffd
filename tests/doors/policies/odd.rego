package odd

decision := true if input.context.kind in {"true", "conflict"}

decision := false if input.context.kind in {"false", "conflict"}

decision := 7 if input.context.kind == "number"

decision := "yes" if input.context.kind == "string"

decision := ["allow"] if input.context.kind == "array"

decision := {"reasons": ["x"]} if input.context.kind == "no_allow"

decision := {"allow": "true"} if input.context.kind == "text_allow"

decision := {"allow": true, "decision": false} if input.context.kind == "contradiction"

decision := {"allow": true, "deny": ["x"]} if input.context.kind == "deny_member"

decision := {"allow": true, "reasons": 7} if input.context.kind == "wrong_reasons"

decision := count([1 | some i in numbers.range(1, 4000); some j in numbers.range(1, 4000); i < j]) > 0 if {
	input.context.kind == "endless"
}

decision := count(numbers.range(1, 1000000000)) > 0 if input.context.kind == "huge"
