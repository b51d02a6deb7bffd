package terraform.plan

plan = {"resource_changes": [
	{"address": "a", "type": "aws_s3_bucket", "change": {"actions": ["create"], "after": {"bucket": "x"}}},
	{"address": "b", "type": "aws_s3_bucket", "change": {"actions": ["delete", "create"], "after": {"bucket": "y"}}},
	{"address": "c", "type": "aws_instance", "change": {"actions": ["delete"], "after": null}},
	{"address": "d", "type": "aws_instance", "change": {"actions": ["no-op"], "after": {}}},
]}

test_sets {
	created == {"a", "b"} with input as plan
	deleted == {"b", "c"} with input as plan
	replaced == {"b"} with input as plan
}

test_of_type {
	of_type("aws_s3_bucket") == {"a": {"bucket": "x"}, "b": {"bucket": "y"}} with input as plan
	of_type("aws_instance") == {} with input as plan
}

test_counts {
	counts == {"aws_s3_bucket": 2, "aws_instance": 1} with input as plan
}

test_modules {
	modules == {"./a", "git::b"} with input as {"configuration": {"root": {"calls": {"x": {"source": "./a", "deep": [{"source": "git::b"}]}}}}}
}
