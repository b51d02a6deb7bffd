# METADATA
# title: Sets
# description: What the policies need of sets beyond the operators.
# scope: package
package lib.sets

# METADATA
# title: Whether two sets share an element
overlap(left, right) if {
	count(to_set(left) & to_set(right)) > 0
}

to_set(x) := x if is_set(x)

to_set(x) := {item | some item in x} if is_array(x)

to_set(x) := object.keys(x) if is_object(x)

default subset(_, _) := false

subset(part, whole) if {
	count(to_set(part) - to_set(whole)) == 0
}

symmetric_difference(left, right) := (left | right) - (left & right)

group_by(items, key) := {value: members |
	some item in items
	value := item[key]
	members := [member | some member in items; member[key] == value]
}
