# Amounts of memory and processor as Kubernetes writes them, in the style from before units.parse_bytes.
package lib.quantity

suffixes = {
	"E": 1000000000000000000, "P": 1000000000000000, "T": 1000000000000, "G": 1000000000, "M": 1000000, "k": 1000, "": 1,
	"Ki": 1024, "Mi": 1048576, "Gi": 1073741824, "Ti": 1099511627776,
}

memory(given) = given {
	is_number(given)
} else = amount {
	parts := regex.find_all_string_submatch_n(`^([0-9]*\.?[0-9]+)([A-Za-z]*)$`, given, 1)[0]
	amount := to_number(parts[1]) * suffixes[parts[2]]
}

cpu_millis(given) = given * 1000 {
	is_number(given)
}

cpu_millis(given) = amount {
	endswith(given, "m")
	amount := to_number(replace(given, "m", ""))
}

cpu_millis(given) = amount {
	re_match(`^[0-9]+(\.[0-9]+)?$`, given)
	amount := to_number(given) * 1000
}
