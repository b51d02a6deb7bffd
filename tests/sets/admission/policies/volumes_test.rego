package policies.volumes

pod(volumes, mounts) = {"kind": "Pod", "spec": {"volumes": volumes, "containers": [{"name": "c", "volumeMounts": mounts}]}}

test_good {
	count(violation) == 0 with input as pod([{"name": "v", "emptyDir": {}}], [{"name": "v", "mountPath": "/data"}])
}

test_types {
	violation == {{"msg": "volume v has the type hostPath"}} with input as pod([{"name": "v", "hostPath": {"path": "/"}}], [])
}

test_mounts {
	violation == {{"msg": "c mounts /etc/ssl"}} with input as pod([], [{"name": "v", "mountPath": "/etc/ssl"}])
	count(violation) == 0 with input as pod([], [{"name": "v", "mountPath": "/etcetera"}])
}

test_unmounted {
	unmounted == {"w"} with input as pod([{"name": "v"}, {"name": "w"}], [{"name": "v", "mountPath": "/v"}])
}
