# expect: work wall_clock
package hostile.patched_copies

patches := [p | some i in numbers.range(1, 60); p := {"op": "copy", "from": "", "path": sprintf("/c%d", [i])}]

decision if json.patch({"a": 1}, patches) == {}
