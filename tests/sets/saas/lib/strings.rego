package lib.strings

# METADATA
# title: The parts of a path, without empty ones
segments(path) := [part | some part in split(path, "/"); part != ""]

# METADATA
# title: A name that is safe in a log
mask(text) := "***" if {
	count(text) <= 4
} else := concat("", [substring(text, 0, 2), "…", substring(text, count(text) - 2, -1)])

slug(text) := trim(regex.replace(lower(text), `[^\p{L}\d]+`, "-"), "-")

plural(1, one, _) := sprintf("%d %s", [1, one])

plural(number, _, many) := sprintf("%d %s", [number, many]) if number != 1

initials(name) := concat("", [upper(substring(word, 0, 1)) | some word in split(name, " "); word != ""])
