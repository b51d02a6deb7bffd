"""A client library from PyPI, `opa-python-client`, told nothing but an address: `client.py HOST PORT`."""

import json
import sys

try:
    from opa_client.opa import OpaClient
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)


def told(name, ask):
    try:
        print(json.dumps([name, ask()]))
    except Exception as error:  # What a library raises is what is looked at.
        print(json.dumps([name, "error", type(error).__name__]))


opa = OpaClient(host=sys.argv[1], port=int(sys.argv[2]))
told("connection", opa.check_connection)
told("health", opa.check_health)
told("policies", opa.get_policies_list)
told("policy", lambda: opa.get_policy("shop.rego")["result"]["id"])
told("data", lambda: opa.get_data("base/n"))
told("allow", lambda: opa.query_rule(input_data={"user": "alice"}, package_path="shop.orders", rule_name="allow"))
told("undefined", lambda: "result" in opa.query_rule(input_data={"user": "bob"}, package_path="shop.orders", rule_name="allow"))
told("conflict", lambda: opa.query_rule(input_data={"user": "bob"}, package_path="shop.orders", rule_name="either"))
told("query", lambda: opa.ad_hoc_query(query="data.shop.orders.limits.small = x", input_data={}))
told("write", lambda: opa.update_or_create_data({"a": 1}, "free"))
