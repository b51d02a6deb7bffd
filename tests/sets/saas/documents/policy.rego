# METADATA
# title: Documents
# description: Rules of documents beyond roles and relations.
package documents.policy

import data.lib.clock
import data.lib.subject
import data.org.tree
import data.rebac.relations

document := data.directory.documents[input.resource.id]

# METADATA
# title: Locked documents are only read
deny contains {"code": "locked", "message": $"document {input.resource.id} is locked"} if {
	document.locked
	not input.action.name in {"read", "list", "comment"}
}

deny contains {"code": "draft", "message": "drafts are not shared"} if {
	"draft" in document.labels
	input.action.name == "share"
}

deny contains {"code": "young", "message": message} if {
	input.action.name == "delete"
	age := clock.age_days(document.created)
	age < 90
	message := sprintf("the document is only %d days old", [age])
}

related if {
	needed := relations.needed.document[input.action.name]
	relations.holds(input.resource.id, needed)
}

related if tree.manages(subject.id, document.unit)

related if {
	input.action.name in {"read", "list"}
	"public" in document.labels
}
