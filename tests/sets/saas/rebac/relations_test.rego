package rebac.relations_test

import data.rebac.relations

directory := {
	"people": {"u": {"tenant": "t", "groups": ["t/writers"]}, "o": {"tenant": "t", "groups": []}},
	"documents": {"d": {"folder": "t/inner", "owner": "o"}, "e": {"folder": "t/other", "owner": "x"}},
	"relations": [
		{"object": "folder:t/inner", "relation": "parent", "subject": "folder:t/outer"},
		{"object": "folder:t/outer", "relation": "editor", "subject": "group:t/writers"},
		{"object": "folder:t/other", "relation": "viewer", "subject": "user:u"},
		{"object": "folder:t/other", "relation": "viewer", "subject": "group:t/everyone"},
	],
}

person(id) := {"subject": {"type": "user", "id": id}}

test_folders if {
	relations.folders_of("d") == {"folder:t/inner", "folder:t/outer"} with data.directory as directory
}

test_holds[note] if {
	some note, case in {
		"editor through a group and an outer folder": ["u", "d", "editor"],
		"an editor is a viewer": ["u", "d", "viewer"],
		"viewer by name": ["u", "e", "viewer"],
		"everyone": ["o", "e", "viewer"],
		"the owner": ["o", "d", "owner"],
		"the owner is an editor": ["o", "d", "editor"],
	}
	[who, document, relation] := case
	relations.holds(document, relation) with input as person(who) with data.directory as directory
}

test_does_not_hold[note] if {
	some note, case in {
		"not the owner": ["u", "d", "owner"],
		"only a viewer": ["o", "e", "editor"],
		"nobody": ["z", "d", "viewer"],
	}
	[who, document, relation] := case
	not relations.holds(document, relation) with input as person(who) with data.directory as directory
}

test_needed if relations.needed.document["update"] == "editor"
