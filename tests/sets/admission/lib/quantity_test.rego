package lib.quantity

test_memory {
	memory("1Gi") == 1073741824
	memory("1.5k") == 1500
	memory("12") == 12
	memory(7) == 7
}

test_memory_of_nonsense {
	not memory("1Zi")
}

test_cpu {
	cpu_millis("250m") == 250
	cpu_millis("1.5") == 1500
	cpu_millis(2) == 2000
}
