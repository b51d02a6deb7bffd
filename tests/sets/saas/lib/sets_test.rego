package lib.sets_test

import data.lib.sets

test_overlap_of_mixed_collections if sets.overlap(["a", "b"], {"b": 1})

test_no_overlap if not sets.overlap({"a"}, ["b"])

test_subset_is_false_not_undefined if sets.subset({"x"}, {"y"}) == false

test_subset if sets.subset(["x"], {"x", "y"})

test_subset_of_nonsense_has_the_default if sets.subset("x", {"y"}) == false

test_symmetric_difference if sets.symmetric_difference({1, 2}, {2, 3}) == {1, 3}

test_group_by if {
	grouped := sets.group_by([{"t": "a", "n": 1}, {"t": "b", "n": 2}, {"t": "a", "n": 3}], "t")
	[item.n | some item in grouped.a] == [1, 3]
	object.keys(grouped) == {"a", "b"}
}
