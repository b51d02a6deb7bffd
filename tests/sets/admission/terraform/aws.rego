package terraform.aws

import data.config.baseline
import data.terraform.plan

buckets = plan.of_type("aws_s3_bucket")

deny[msg] {
	bucket := buckets[address]
	bucket.acl == {"public-read", "public-read-write"}[_]
	msg := sprintf("%v: public ACL %v", [address, bucket.acl])
}

deny[msg] {
	buckets[address]
	not encrypted(address)
	msg := sprintf("%v: not encrypted", [address])
}

encrypted(address) {
	buckets[address].server_side_encryption_configuration[_].rule[_]
}

encrypted(address) {
	settings := plan.of_type("aws_s3_bucket_server_side_encryption_configuration")
	settings[_].bucket == buckets[address].bucket
}

deny[msg] {
	group := plan.of_type("aws_security_group")[address]
	rule := group.ingress[i]
	rule.cidr_blocks[_] == baseline.cidrs.world
	port := [22, 3389][_]
	rule.from_port <= port; rule.to_port >= port
	msg := sprintf("%v: ingress %d opens port %d to the world", [address, i, port])
}

deny[msg] {
	change := plan.changes[address]
	taggable(change.type)
	missing := {tag | tag := baseline.tags[_]; not change.after.tags[tag]}
	count(missing) > 0
	msg := sprintf("%v: tags are missing: %v", [address, concat(", ", missing)])
}

taggable(type) {
	startswith(type, "aws_")
	not endswith(type, "_configuration")
}

deny["the region is not allowed"] {
	region := input.variables.region.value
	not region_allowed(region)
}

region_allowed(region) {
	baseline.regions[_] == region
}

blast_radius = score {
	weights := {"aws_db_instance": 10, "aws_s3_bucket": 5}
	score := sum([weight | change := plan.changes[_]; change.actions[_] == "delete"; weight := object.get(weights, change.type, 1)])
}

needs_review {
	blast_radius > 9
}

needs_review {
	count(plan.replaced) > 0
}
