# A build runs, and wants to publish or to deploy: the runner's identity (SPIFFE, OIDC of the CI) is the subject.
#
# What it may do depends on the repository, the environment and the branch that the CI's identity token said, not on a
# secret that every build of the repository could read.
package issuance.ci

deny contains {
	"code": "subject_not_allowed",
	"message": "the subject is no workload",
	"user_message": "Only a build may ask for this.",
} if {
	not input.subject.type == "workload"
}

deny contains {
	"code": "job_not_allowed",
	"message": "this repository has no such environment, or not for this branch",
	"user_message": "This branch may not do that.",
} if {
	not branch_allowed
}

branch_allowed if input.subject.properties.ref in {sprintf("refs/heads/%s", [branch]) | some branch in job.branches}

job := data.issuance.ci_jobs[input.subject.properties.repository][input.subject.properties.environment]

default scopes := set()

scopes := {scope | some scope in job.scopes}
