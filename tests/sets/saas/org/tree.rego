# METADATA
# title: Organisation trees
# description: Who is above whom. A unit's people see what belongs to the units below it.
package org.tree

units := data.directory.units

# METADATA
# title: Unit to the units directly below it
children[unit] := {child | some child, details in units; details.parent == unit} if some unit, _ in units

parents[unit] := [details.parent] if {
	some unit, details in units
	details.parent != null
}

parents[unit] := [] if units[unit].parent == null

below(unit) := graph.reachable(children, {unit})

above(unit) := graph.reachable(parents, [unit])

path(unit) := longest if {
	paths := graph.reachable_paths(parents, {unit})
	lengths := {count(one) | some one in paths}
	some longest in paths
	count(longest) == max(lengths)
}

depth(unit) := count(path(unit)) - 1

manages(person, unit) if {
	data.directory.people[person].title == "manager"
	unit in below(data.directory.people[person].unit)
}

roots contains unit if {
	some unit, details in units
	is_null(details.parent)
}
