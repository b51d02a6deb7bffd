# The entry point that a question gets which names none: `data.authz` (`default_policy` in the configuration).
#
# Shows how to hand a question to the package that knows its type of resource. The answer is that package's, unchanged.
# To add a type, add a rule here and a package beside the others.
package authz

# Also the answer where a package has none.
default decision := {"allow": false, "reasons": [{
	"code": "unknown_resource_type",
	"message": "no policy decides on this type of resource; policies/authz.rego lists those that do",
	"user_message": "This request cannot be decided.",
}]}

decision := data.rbac.decision if input.resource.type == "document"

decision := data.abac.decision if input.resource.type == "record"

decision := data.mcp.decision if input.resource.type == "mcp_tool"

decision := data.issuance.decision if input.resource.type == "token"
