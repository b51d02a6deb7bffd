# expect: deny work wall_clock evaluation_error
package hostile.schema

a0 := {"type": "object", "properties": {"a": {"type": "string"}}}

a1 := {"allOf": [a0, a0]}

a2 := {"allOf": [a1, a1]}

a3 := {"allOf": [a2, a2]}

a4 := {"allOf": [a3, a3]}

a5 := {"allOf": [a4, a4]}

a6 := {"allOf": [a5, a5]}

a7 := {"allOf": [a6, a6]}

a8 := {"allOf": [a7, a7]}

a9 := {"allOf": [a8, a8]}

a10 := {"allOf": [a9, a9]}

a11 := {"allOf": [a10, a10]}

a12 := {"allOf": [a11, a11]}

a13 := {"allOf": [a12, a12]}

a14 := {"allOf": [a13, a13]}

a15 := {"allOf": [a14, a14]}

a16 := {"allOf": [a15, a15]}

a17 := {"allOf": [a16, a16]}

a18 := {"allOf": [a17, a17]}

a19 := {"allOf": [a18, a18]}

a20 := {"allOf": [a19, a19]}

a21 := {"allOf": [a20, a20]}

a22 := {"allOf": [a21, a21]}

a23 := {"allOf": [a22, a22]}

a24 := {"allOf": [a23, a23]}

a25 := {"allOf": [a24, a24]}

a26 := {"allOf": [a25, a25]}

a27 := {"allOf": [a26, a26]}

a28 := {"allOf": [a27, a27]}

a29 := {"allOf": [a28, a28]}

a30 := {"allOf": [a29, a29]}

a31 := {"allOf": [a30, a30]}

a32 := {"allOf": [a31, a31]}

a33 := {"allOf": [a32, a32]}

a34 := {"allOf": [a33, a33]}

a35 := {"allOf": [a34, a34]}

a36 := {"allOf": [a35, a35]}

a37 := {"allOf": [a36, a36]}

a38 := {"allOf": [a37, a37]}

a39 := {"allOf": [a38, a38]}

a40 := {"allOf": [a39, a39]}

decision if json.match_schema({"a": 1}, a40)[0]
