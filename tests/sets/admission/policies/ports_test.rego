package policies.ports

service(numbers) = {"kind": "Service", "spec": {"ports": [{"port": n, "name": sprintf("p%d", [n])} | n := numbers[_]]}}

test_good {
	count(violation) == 0 with input as service([80, 443, 8080])
}

test_forbidden {
	violation == {{"msg": "port 6443 is forbidden"}} with input as service([6443])
}

test_range {
	violation == {{"msg": "port 22 is not between 1024 and 32767"}, {"msg": "port 40000 is not between 1024 and 32767"}} with input as service([22, 40000])
}

test_containers {
	ports == {1, 2} with input as {"kind": "Pod", "spec": {"containers": [{"ports": [{"containerPort": 1}, {"containerPort": 2}]}]}}
}

test_names {
	all_named with input as service([1])
	not all_named with input as {"kind": "Service", "spec": {"ports": [{"port": 1}]}}
	by_name == {"p1": 1, "p2": 2} with input as service([1, 2])
}
