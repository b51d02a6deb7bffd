package policies.volumes

import data.lib.kubernetes as k8s

allowed_types = {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "downwardAPI"}

violation[{"msg": msg}] {
	volume := k8s.volumes[_]
	type := volume_type(volume)
	not allowed_types[type]
	msg := sprintf("volume %v has the type %v", [volume.name, type])
}

volume_type(volume) = type {
	volume[type]
	type != "name"
}

violation[{"msg": msg}] {
	c := k8s.containers[_]
	mount := c.volumeMounts[_]
	path_is(mount.mountPath, ["/etc", "/proc", "/var/run/docker.sock"][_])
	msg := sprintf("%v mounts %v", [c.name, mount.mountPath])
}

path_is(path, prefix) {
	path == prefix
}

path_is(path, prefix) {
	startswith(path, concat("", [prefix, "/"]))
}

unmounted[name] {
	name := k8s.volumes[_].name
	not mounted(name)
}

mounted(name) {
	k8s.containers[_].volumeMounts[_].name == name
}
