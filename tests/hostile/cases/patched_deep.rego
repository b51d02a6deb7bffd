# expect: stack work wall_clock
package hostile.patched_deep

d0 := {"a": {}}

p0 := "/a"

p1 := concat("", [p0, p0])

d1 := json.patch(d0, [{"op": "add", "path": p0, "value": d0}])

p2 := concat("", [p1, p1])

d2 := json.patch(d1, [{"op": "add", "path": p1, "value": d1}])

p3 := concat("", [p2, p2])

d3 := json.patch(d2, [{"op": "add", "path": p2, "value": d2}])

p4 := concat("", [p3, p3])

d4 := json.patch(d3, [{"op": "add", "path": p3, "value": d3}])

p5 := concat("", [p4, p4])

d5 := json.patch(d4, [{"op": "add", "path": p4, "value": d4}])

p6 := concat("", [p5, p5])

d6 := json.patch(d5, [{"op": "add", "path": p5, "value": d5}])

p7 := concat("", [p6, p6])

d7 := json.patch(d6, [{"op": "add", "path": p6, "value": d6}])

p8 := concat("", [p7, p7])

d8 := json.patch(d7, [{"op": "add", "path": p7, "value": d7}])

p9 := concat("", [p8, p8])

d9 := json.patch(d8, [{"op": "add", "path": p8, "value": d8}])

p10 := concat("", [p9, p9])

d10 := json.patch(d9, [{"op": "add", "path": p9, "value": d9}])

p11 := concat("", [p10, p10])

d11 := json.patch(d10, [{"op": "add", "path": p10, "value": d10}])

p12 := concat("", [p11, p11])

d12 := json.patch(d11, [{"op": "add", "path": p11, "value": d11}])

p13 := concat("", [p12, p12])

d13 := json.patch(d12, [{"op": "add", "path": p12, "value": d12}])

p14 := concat("", [p13, p13])

d14 := json.patch(d13, [{"op": "add", "path": p13, "value": d13}])

p15 := concat("", [p14, p14])

d15 := json.patch(d14, [{"op": "add", "path": p14, "value": d14}])

p16 := concat("", [p15, p15])

d16 := json.patch(d15, [{"op": "add", "path": p15, "value": d15}])

p17 := concat("", [p16, p16])

d17 := json.patch(d16, [{"op": "add", "path": p16, "value": d16}])

p18 := concat("", [p17, p17])

d18 := json.patch(d17, [{"op": "add", "path": p17, "value": d17}])

p19 := concat("", [p18, p18])

d19 := json.patch(d18, [{"op": "add", "path": p18, "value": d18}])

p20 := concat("", [p19, p19])

d20 := json.patch(d19, [{"op": "add", "path": p19, "value": d19}])

p21 := concat("", [p20, p20])

d21 := json.patch(d20, [{"op": "add", "path": p20, "value": d20}])

p22 := concat("", [p21, p21])

d22 := json.patch(d21, [{"op": "add", "path": p21, "value": d21}])

p23 := concat("", [p22, p22])

d23 := json.patch(d22, [{"op": "add", "path": p22, "value": d22}])

p24 := concat("", [p23, p23])

d24 := json.patch(d23, [{"op": "add", "path": p23, "value": d23}])

decision if d24 == {}
