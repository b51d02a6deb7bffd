use super::{
    super::{
        BASE_MERGED, COLLECTION,
        tests::{body, lowered_whole},
    },
    BASE_ELEMENT, COPIED, MADE,
};

#[test]
fn a_constant_number_is_asked_by_a_call_where_base_data_has_no_such_text() {
    for (text, expected) in [
        ("data.both[0]", "MADE(data.both, 0)"),
        ("data.both[x][y][(0)] == 1", "MADE(data.both[x][y], (0)) == 1"),
        ("not data.both.x[0]", "not MADE(data.both.x, 0)"),
        // What comes after may be base data as well.
        ("data.both.x[0].y[1]", "BASE(MADE(data.both.x, 0).y, 1, [\"both\", \"x\", null, \"y\"])"),
        // A variable that gets its value there asks nothing.
        ("data.both.x[y] == 1", "data.both.x[y] == 1"),
    ] {
        let expected = expected.replace("BASE", BASE_ELEMENT).replace("MADE", MADE);
        assert_eq!(body(text), expected, "{text}");
    }
}

#[test]
fn what_may_be_base_data_and_part_of_a_rule_is_refused() {
    for text in [
        "data.both.numbers[0]",
        "data.both.x[0].numbers[1]",
        "data.both.x[0][input.x]",
        "data.both[\"1\"]",
        "data.both[1 + 1]",
        "x := 1; data.both[x]",
        "not data.both[input.x]",
    ] {
        assert_eq!(refused(text), 1, "{text}");
    }
    for text in ["data.both.x", "data.both[_]", "data.both[-1]", "data.other[input.x]", "data.put[input.x]"] {
        assert_eq!(refused(text), 0, "{text}");
    }
}

#[test]
fn what_reads_above_a_with_is_merged_with_base_data() {
    for (text, expected) in [
        ("x := data", "x := MERGED(data, [], 0, [[[], data.__verdict_withs__.at(0)]])"),
        ("data.over", "MERGED(data.over, [\"over\"], 0, [])"),
        ("not data.over", "not MERGED(data.over, [\"over\"], 0, [])"),
        ("data.over[input.x] == 1", "MERGED(data.over, [\"over\"], 1, IN_FORCE)[input.x] == 1"),
        ("some x in data.over; x", "x := MERGED(data.over, [\"over\"], 1, IN_FORCE)[_]; x"),
        ("some x in (data.over); x", "some x in COLLECTION((MERGED(data.over, [\"over\"], 1, IN_FORCE))); x"),
        ("data.over.x == 1", "data.over.x == 1"),
        ("true with data.over.x as 1", "true with data.__verdict_withs__.at_6f766572_78 as true with data.over.x as 1"),
    ] {
        let in_force = "[[[\"over\", \"x\"], data.__verdict_withs__.at_6f766572_78(0)]]";
        let expected = expected.replace("IN_FORCE", in_force).replace("MERGED", BASE_MERGED);
        assert_eq!(body(text), expected.replace("COLLECTION", COLLECTION), "{text}");
    }
    // A rule of the package by its name, where base data is beside it.
    assert_eq!(refused("own.beside == 1"), 1);
    assert_eq!(refused("own.x == 1"), 0);
    assert_eq!(refused("data.over[input.x][input.y]"), 1);
}

#[test]
fn what_a_with_puts_is_no_base_data() {
    for (text, expected) in [
        (
            "true with data.put as data.x",
            "__verdict_1 := data.x; __verdict_2 := COPIED(__verdict_1); true with data.put as __verdict_2",
        ),
        ("true with data.put as {\"1\": [2]}", "true with data.put as {\"1\": [2]}"),
        // Asked before it, so that an undefined value ends the condition, also a negated one; base data stays what it is.
        ("true with input as data.x", "__verdict_1 := data.x; true with input as __verdict_1"),
        ("not own with input as data.x", "__verdict_1 := data.x; not own with input as __verdict_1"),
        ("data.put[1] == 1", "BASE(data.put, 1, [\"put\"]) == 1"),
        ("data.put.x == 1", "data.put.x == 1"),
    ] {
        let expected = expected.replace("BASE", BASE_ELEMENT).replace("COPIED", COPIED);
        assert_eq!(body(text), expected, "{text}");
    }
    for text in
        ["true with data.numbers.x as 1", "true with data.put[\"1\"] as 1", "true with data.put.x.numbers.y as 1"]
    {
        assert_eq!(refused(text), 1, "{text}");
    }
    assert_eq!(refused("true with data.numbers as 1"), 0);
}

fn refused(text: &str) -> usize {
    lowered_whole(&format!("package p\nr if {{ {text} }}")).refused.len()
}
