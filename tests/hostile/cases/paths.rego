# expect: work
package hostile.paths

edges := {sprintf("%d", [i]): [sprintf("%d", [j]) | some j in numbers.range(1, 30)] | some i in numbers.range(1, 30)}

decision if count(graph.reachable_paths(edges, ["1"])) > 0
