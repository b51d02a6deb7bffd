#!/usr/bin/env python3
"""Writes directory/data.json: the tenants, organisation trees, people and relations that the policies look at.

Deterministic: run it again only to change the shape, and check in what it writes.
"""

import json
import pathlib
import random

random.seed(20)
TENANTS = ["acme", "globex", "initech", "umbrella"]
TITLES = ["engineer", "analyst", "manager", "auditor", "contractor"]

tenants, units, people, documents, relations = {}, {}, {}, {}, []
for number, tenant in enumerate(TENANTS):
    tenants[tenant] = {
        "name": tenant.title(),
        "tier": ["enterprise", "business", "business", "free"][number],
        "region": ["eu", "us", "us", "ap"][number],
        "status": "suspended" if tenant == "umbrella" else "active",
        "networks": [f"10.{number}.0.0/16", "2001:db8:%d::/48" % number],
        "features": {"export": number < 2, "webhooks": number != 3, "beta": number == 0},
        "seats": [500, 60, 40, 5][number],
    }
    names = [f"{tenant}/root"] + [f"{tenant}/unit-{index:02}" for index in range(1, 25)]
    for index, name in enumerate(names):
        parent = names[(index - 1) // 3] if index else None
        units[name] = {"tenant": tenant, "parent": parent, "cost_centre": f"cc-{number}{index:02}"}
    for index in range(60):
        person = f"{tenant}-{index:03}"
        people[person] = {
            "tenant": tenant,
            "unit": names[index % len(names)],
            "title": TITLES[index % len(TITLES)],
            "clearance": index % 5,
            "roles": sorted({["viewer", "editor", "owner", "billing", "support"][i] for i in (index % 5, index // 12)}),
            "active": index % 17 != 16,
            "groups": [f"{tenant}/team-{index % 7}"] + ([f"{tenant}/on-call"] if index % 9 == 0 else []),
        }
    for index in range(120):
        document = f"{tenant}-doc-{index:03}"
        documents[document] = {
            "tenant": tenant,
            "unit": names[(index * 7) % len(names)],
            "owner": f"{tenant}-{(index * 11) % 60:03}",
            "sensitivity": index % 5,
            "labels": sorted({"pii", "finance", "public", "draft", "legal"} & {["pii", "finance", "public", "draft", "legal"][i % 5] for i in (index, index // 5)}),
            "folder": f"{tenant}/folder-{index % 12}",
            "created": f"2025-{1 + index % 12:02}-{1 + index % 28:02}T08:00:00Z",
            "locked": index % 13 == 0,
        }
    for index in range(12):
        relations.append({"object": f"folder:{tenant}/folder-{index}", "relation": "viewer", "subject": f"group:{tenant}/team-{index % 7}"})
        if index % 4 == 0:
            relations.append({"object": f"folder:{tenant}/folder-{index}", "relation": "editor", "subject": f"group:{tenant}/on-call"})
        if index:
            relations.append({"object": f"folder:{tenant}/folder-{index}", "relation": "parent", "subject": f"folder:{tenant}/folder-{(index - 1) // 2}"})

where = pathlib.Path(__file__).parent / "directory" / "data.json"
directory = {"tenants": tenants, "units": units, "people": people, "documents": documents, "relations": relations}
where.write_text(json.dumps(directory, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
