"""Asks Verdict over AuthZEN, and fails closed: whatever is no clear yes is an HTTPException."""

import asyncio

import httpx
from fastapi import HTTPException

# How long an answer may take. httpx's own limits are for each step, not for the whole.
DEADLINE = 0.25


class Verdict:
    def __init__(self, url):
        self.http = httpx.AsyncClient(base_url=url, trust_env=False)

    async def ask(self, subject, action, resource, understood=()):
        """The obligations of the allow; `understood` are the types of those that the caller meets."""
        question = {"subject": subject, "action": action, "resource": resource}
        try:
            async with asyncio.timeout(DEADLINE):
                answer = await self.http.post("/access/v1/evaluation", json=question)
            told = answer.json() if answer.status_code == 200 else None
            decision, context = told["decision"], told.get("context", {})
            reasons = [str(reason) for reason in context.get("reason_user", {}).values()]
            obligations = context.get("obligations", [])
            unmet = [obligation for obligation in obligations if obligation["type"] not in understood]
            if not isinstance(decision, bool):
                raise TypeError("the decision is no boolean")
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError, KeyError, AttributeError):
            # No answer, or none that can be read. Who asks again may have more luck; nobody gets in.
            raise HTTPException(503, "this can't be decided now; try again later") from None
        if not decision:
            raise HTTPException(403, " ".join(reasons) or "this is not allowed")
        if unmet:
            raise HTTPException(403, "this is allowed only on a condition that can't be met here")
        return obligations
