package terraform.aws

tags = {"owner": "o", "cost-centre": "c", "environment": "prod"}

plan_of(type, after) = {"resource_changes": [{"address": "r", "type": type, "change": {"actions": ["create"], "after": object.union({"tags": tags}, after)}}]}

test_public {
	deny == {"r: public ACL public-read"} with input as plan_of("aws_s3_bucket", {"acl": "public-read", "server_side_encryption_configuration": [{"rule": [{}]}]})
}

test_encryption {
	deny == {"r: not encrypted"} with input as plan_of("aws_s3_bucket", {"bucket": "b"})
	given := plan_of("aws_s3_bucket", {"bucket": "b"})
	apart := {"address": "e", "type": "aws_s3_bucket_server_side_encryption_configuration", "change": {"actions": ["create"], "after": {"bucket": "b"}}}
	count(deny) == 0 with input as {"resource_changes": array.concat(given.resource_changes, [apart])}
}

test_ports {
	deny == {"r: ingress 1 opens port 22 to the world"} with input as plan_of("aws_security_group", {"ingress": [
		{"cidr_blocks": ["10.0.0.0/8"], "from_port": 0, "to_port": 65535},
		{"cidr_blocks": ["10.0.0.0/8", "0.0.0.0/0"], "from_port": 20, "to_port": 23},
	]})
}

test_tags {
	deny == {"r: tags are missing: cost-centre, owner"} with input as {"resource_changes": [{"address": "r", "type": "aws_instance", "change": {"actions": ["create"], "after": {"tags": {"environment": "x"}}}}]}
}

test_regions {
	deny["the region is not allowed"] with input as {"variables": {"region": {"value": "us-east-1"}}}
	count(deny) == 0 with input as {"variables": {"region": {"value": "eu-west-1"}}}
}

test_review {
	needs_review with input as {"resource_changes": [{"address": "a", "type": "aws_db_instance", "change": {"actions": ["delete"], "after": null}}]}
	not needs_review with input as plan_of("aws_instance", {})
	needs_review with data.terraform.plan.replaced as {"x"}
}
