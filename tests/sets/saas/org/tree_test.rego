package org.tree_test

import data.org.tree

small := {
	"a": {"parent": null},
	"b": {"parent": "a"},
	"c": {"parent": "b"},
	"d": {"parent": "a"},
	"lost": {"parent": "gone"},
}

test_below if tree.below("b") == {"b", "c"} with data.directory.units as small

test_above if tree.above("c") == {"c", "b", "a"} with data.directory.units as small

test_unknown_parents_end_the_way if tree.above("lost") == {"lost"} with data.directory.units as small

test_path if tree.path("c") == ["c", "b", "a"] with data.directory.units as small

test_depth[unit] if {
	some unit, wanted in {"a": 0, "b": 1, "c": 2, "d": 1}
	tree.depth(unit) == wanted with data.directory.units as small
}

test_roots if tree.roots == {"a"} with data.directory.units as small

test_every_tenant_has_one_root if {
	every tenant, _ in data.directory.tenants {
		count({root | some root in tree.roots; data.directory.units[root].tenant == tenant}) == 1
	}
}

test_managers if {
	people := {"m": {"title": "manager", "unit": "b"}, "e": {"title": "engineer", "unit": "a"}}
	tree.manages("m", "c") with data.directory.units as small with data.directory.people as people
	not tree.manages("m", "d") with data.directory.units as small with data.directory.people as people
	not tree.manages("e", "c") with data.directory.units as small with data.directory.people as people
}
