#!/usr/bin/env python3
"""Asks the real OPA all questions of the policy sets and writes its answers to NAME.jsonl.

`answers.py PATH_TO_OPA`; deterministic. Run it when a set changes, and read the difference before checking it in.
"""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import http.client
import socket

HERE = pathlib.Path(__file__).parent


def saas():
    people = ["acme-000", "acme-002", "acme-003", "acme-014", "acme-036", "globex-001", "globex-007", "initech-004", "umbrella-000", "nobody"]
    documents = ["acme-doc-000", "acme-doc-002", "acme-doc-011", "acme-doc-054", "globex-doc-007", "initech-doc-003"]
    contexts = [
        {"ip": "10.0.1.2", "time": "2026-03-03T12:00:00Z"},
        {"ip": "198.51.100.7", "time": "2026-03-07T23:00:00Z", "usage": {"requests_last_minute": 90000}},
        {"forwarded_for": "192.0.2.4, 10.0.0.1", "time": "2025-02-01T00:00:00Z", "http": {"method": "GET", "path": "/v1/tenants/acme/documents/d"}},
        {},
    ]
    tokens = json.loads((HERE / "saas" / "tokens.json").read_text())
    for number, (person, document, action) in enumerate(itertools.product(people, documents, ["read", "update", "delete", "share"])):
        context = contexts[number % len(contexts)]
        subject = {"type": "user", "id": person}
        resource = {"type": "document", "id": document}
        yield "data.authz.main.answer", {"subject": subject, "action": {"name": action}, "resource": resource, "context": context}
    for (name, token), person in itertools.product(sorted(tokens.items()), ["acme-000", "globex-001"]):
        context = {"authorization": "Bearer " + token, "time": "2026-03-03T12:00:00Z", "http": {"method": "PUT", "path": "/v1/tenants/acme/documents/acme-doc-002"}}
        question = {"subject": {"type": "user", "id": person}, "action": {"name": "update"}, "resource": {"type": "document", "id": "acme-doc-002"}, "context": context}
        for query in ["data.authz.main.answer", "data.tokens.claims", "data.routes.matching", "data.audit.record.entry"]:
            yield query, question
    for state, action, members in itertools.product(["open", "archived"], ["read", "update", "leave"], [[], [{"id": "acme-001", "role": "lead"}], [{"id": "acme-001", "role": "guest"}, {"id": 7}]]):
        resource = {"type": "project", "id": "x", "properties": {"tenant": "acme", "state": state, "members": members}}
        yield "data.authz.main", {"subject": {"type": "user", "id": "acme-001"}, "action": {"name": action}, "resource": resource, "context": contexts[0]}
    for person in people:
        for query in ["data.lib.subject", "data.roles.hierarchy", "data.rebac.relations.subjects", "data.limits.rates", "data.abac.network"]:
            yield query, {"subject": {"type": "user", "id": person}, "context": contexts[1]}
    for wrong in [{}, [], "x", {"subject": None}, {"subject": {"id": 7}}, {"subject": {"id": ["acme-000"]}, "context": []}, {"resource": {"type": 1}, "action": "read", "subject": "acme-000"}]:
        for query in ["data.authz.main.answer", "data.authz.main.allow", "data.routes", "data.abac", "data.documents", "data.masking"]:
            yield query, wrong


def admission():
    fixtures = json.loads((HERE / "admission" / "fixtures" / "data.json").read_text())
    good, bad = fixtures["good"], fixtures["bad"]

    def changed(base, path, value):
        copy = json.loads(json.dumps(base))
        *parents, last = path
        at = copy
        for part in parents:
            at = at[part]
        at[last] = value
        return copy

    container = ["spec", "containers", 0]
    values = [None, False, 0, "", [], {}, "x", {"cpu": "1"}, ["ALL"]]
    paths = [["metadata", "namespace"], ["metadata", "labels"], ["metadata"], ["spec", "containers"], ["spec", "volumes"], ["kind"], container + ["image"], container + ["resources"], container + ["securityContext"], container + ["ports"], container + ["resources", "limits", "memory"], container]
    for path, value in itertools.product(paths, values):
        yield "data.policies.main.deny", changed(good, path, value)
    for namespace in ["prod", "payments", "kube-system", "istio-system", "web"]:
        for base in [good, bad]:
            yield "data.policies.main.response", {"review": {"uid": "u-1", "object": changed(base, ["metadata", "namespace"], namespace)}, "parameters": {"exemptImages": ["docker.io/*"]}}
            yield "data.policies.main.by_policy", changed(base, ["metadata", "namespace"], namespace)
    for memory in ["4Gi", "4097Mi", "5e9", "1.5G", "12345678901", 4294967297, 1.5, "Gi"]:
        yield "data.policies.resources", changed(good, container + ["resources", "limits", "memory"], memory)
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}, {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"verbs": "*"}, {}]
    for rule in rules:
        yield "data.policies.rbac", {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [rule, rules[0]]}
    resources = [
        {"address": "b", "type": "aws_s3_bucket", "change": {"actions": ["create"], "after": {"bucket": "b", "acl": "public-read", "tags": {"owner": "o"}}}},
        {"address": "g", "type": "aws_security_group", "change": {"actions": ["update"], "after": {"ingress": [{"cidr_blocks": ["0.0.0.0/0"], "from_port": 0, "to_port": 99}]}}},
        {"address": "d", "type": "aws_db_instance", "change": {"actions": ["delete"], "after": None}},
        {"address": "i", "type": "aws_instance", "change": {"actions": ["delete", "create"], "after": {"instance_type": "m5.large", "tags": {"owner": "o", "cost-centre": "c", "environment": "e"}}}},
        {"address": "n", "type": "aws_instance", "change": {"actions": ["no-op"], "after": {}}},
    ]
    for size in range(len(resources) + 1):
        for chosen in itertools.combinations(resources, size):
            yield "data.terraform", {"resource_changes": list(chosen), "variables": {"region": {"value": "us-east-1" if size % 2 else "eu-west-1"}, "budget": {"value": 50}}}
    for wrong in [{}, [], "x", {"kind": 1}, {"review": {"object": None}}, {"resource_changes": {"a": {"address": "a", "change": 1}}}]:
        for query in ["data.policies.main", "data.terraform", "data.lib.kubernetes"]:
            yield query, wrong


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def ask(opa, name, questions, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        address = folder + "/s"
        command = [opa, "run", "--server", "--log-level", "error", "--addr", "unix://" + address, *arguments, "--bundle", str(HERE / name)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while not pathlib.Path(address).exists():
                time.sleep(0.05)
            connection = Connection("localhost")
            connection.host = address
            lines = []
            for query, given in questions:
                body = json.dumps({"input": given})
                connection.request("POST", "/v1/" + query.replace(".", "/"), body, {"Host": "opa"})
                answer = json.loads(connection.getresponse().read())
                line = {"query": query, "input": given}
                line.update({"error": answer["errors"][0]["code"]} if "code" in answer else {"value": answer["result"]} if "result" in answer else {})
                lines.append(json.dumps(line, ensure_ascii=False))
            (HERE / (name + ".jsonl")).write_text("\n".join(lines) + "\n")
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    ask(sys.argv[1], "saas", saas())
    ask(sys.argv[1], "admission", admission(), "--v0-compatible")
