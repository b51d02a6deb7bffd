# METADATA
# title: Routes
# description: The route of an HTTP request, out of a catalogue of globs.
package routes.matching

import data.catalog.routes as catalog
import data.lib.strings

method := upper(object.get(input, ["context", "http", "method"], "GET"))

path := input.context.http.path

matches contains route.id if {
	some route in catalog.routes
	method in route.methods
	glob.match(route.path, ["/"], path)
}

specificity(pattern) := count(strings.segments(pattern)) - (count(indexof_n(pattern, "*")) / 10)

route := best if {
	candidates := [one | some one in catalog.routes; one.id in matches]
	highest := max([specificity(one.path) | some one in candidates])
	bests := [one | some one in candidates; specificity(one.path) == highest]
	best := bests[0]
}

tenant := strings.segments(path)[2] if startswith(path, "/v1/tenants/")

object_id := strings.segments(path)[4] if count(strings.segments(path)) > 4

public if route.public

query[name] contains value if {
	some name, values in urlquery.decode_object(input.context.http.query)
	some value in values
}

page_size := size if {
	some text in query.limit
	regex.match(`^\d{1,4}$`, text)
	size := min({to_number(text), 500})
} else := 50

deprecated contains prefix if {
	some prefix, _ in catalog.deprecated
	startswith(path, prefix)
}
