# METADATA
# title: Relations
# description: Who is what to which object, through groups and the folders that objects are in.
package rebac.relations

import data.lib.subject

# METADATA
# title: Object to relation to subjects, as written down
tuples[tuple.object][tuple.relation] contains tuple.subject if some tuple in data.directory.relations

subjects contains concat(":", ["user", subject.id])

subjects contains concat(":", ["group", group]) if some group in subject.groups

# Every folder is a key, as `graph.reachable` stops at what is none.
folder_parents[folder] := object.get(tuples, [folder, "parent"], set()) if {
	some folder, _ in tuples
}

folder_parents[folder] := object.get(tuples, [folder, "parent"], set()) if {
	some document in data.directory.documents
	folder := $"folder:{document.folder}"
}

folders_of(document) := graph.reachable(folder_parents, {$"folder:{data.directory.documents[document].folder}"})

# What a relation implies.
implied := {
	"owner": {"owner"},
	"editor": {"owner", "editor"},
	"viewer": {"owner", "editor", "viewer"},
}

holds(document, "owner") if data.directory.documents[document].owner == subject.id

holds(document, relation) if {
	some folder in folders_of(document)
	some stronger in implied[relation]
	some who in tuples[folder][stronger]
	who in subjects
}

holds(document, relation) if {
	relation in {"viewer", "editor"}
	data.directory.documents[document].owner == subject.id
}

needed.document := {"read": "viewer", "list": "viewer", "comment": "viewer", "update": "editor", "delete": "owner", "share": "owner"}

needed.project := {"read": "viewer"}
