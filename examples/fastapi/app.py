"""A tiny shop. Verdict is asked before each route, by one dependency of the whole application.

    VERDICT_URL=http://127.0.0.1:8181 uvicorn app:app --port 8000
"""

import hashlib
import os

from fastapi import Depends, FastAPI, HTTPException, Request

from verdict import Verdict

verdict = Verdict(os.environ.get("VERDICT_URL", "http://127.0.0.1:8181"))

ORDERS = {"7": {"owner": "alice", "item": "teapot", "card": "4111 1111 1111 1111"}}

# Hashes of keys. In a real service, whoever authenticates says who it is.
USERS = {hashlib.sha256(f"key-of-{name}".encode()).hexdigest(): name for name in ("alice", "bob", "carol")}

# The obligations that `shown` meets.
UNDERSTOOD = ("hide",)


def user_of(request):
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    user = USERS.get(hashlib.sha256(key.encode()).hexdigest()) if scheme.lower() == "bearer" else None
    if user is None:
        raise HTTPException(401, "who are you?", {"www-authenticate": "Bearer"})
    return user


async def authorize(request: Request):
    """May this user call this route for this order? The policy gets the order's owner from here, not from the caller."""
    id = request.path_params.get("id", "*")
    resource = {"type": "order", "id": id, "properties": {"owner": ORDERS.get(id, {}).get("owner")}}
    action = {"name": request.scope["route"].name}
    request.state.obligations = await verdict.ask({"type": "user", "id": user_of(request)}, action, resource, UNDERSTOOD)


# Without pages of documentation, which would be no routes of this application, and so open to all.
app = FastAPI(dependencies=[Depends(authorize)], openapi_url=None)


def shown(request, order):
    hidden = {name for obligation in request.state.obligations for name in obligation["properties"]["members"]}
    return {name: "hidden" if name in hidden else value for name, value in order.items()}


@app.get("/orders")
def list_orders(request: Request):
    return {id: shown(request, order) for id, order in ORDERS.items()}


@app.get("/orders/{id}")
def read_order(request: Request, id: str):
    return shown(request, ORDERS[id])


@app.delete("/orders/{id}")
def cancel_order(id: str):
    return {"cancelled": id}
