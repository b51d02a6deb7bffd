#!/usr/bin/env python3
"""A tiny MCP server, which trusts the proxy in front of it for who calls. Usage: server.py PORT VERDICT_URL

Envoy asks Verdict about every message, but can't change an answer's body: so the server asks which tools a list may show.
"""

import logging
import sys

import httpx2
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

# The server's resource URI, by which policies and tokens know it.
SERVER = "https://files.example.com/mcp"


def filtered_by(verdict):
    """Middleware: of `tools/list`, what the caller may use, as `POST /mcp/v1/filter-tools` says; without an answer, nothing."""

    async def middleware(context, call_next):
        result = await call_next(context)
        if context.method != "tools/list":
            return result
        headers = getattr(context.request, "headers", {})
        claims = {"sub": headers.get("x-user", ""), "scope": headers.get("x-scopes", "")}
        listed = result if isinstance(result, dict) else result.model_dump(mode="json", by_alias=True, exclude_none=True)
        question = {"server": SERVER, "claims": claims, "result": listed}
        try:
            async with httpx2.AsyncClient(timeout=2) as client:
                answer = await client.post(f"{verdict}/mcp/v1/filter-tools", json=question)
            if answer.status_code != 200:
                raise ValueError(answer.status_code)
            return answer.json()["result"]
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            logging.warning("no list without Verdict: %s", error)
            raise MCPError(code=-32603, message="which tools may be shown is not known") from None

    return middleware


def app(verdict):
    server = MCPServer("files", middleware=[filtered_by(verdict)])

    @server.tool()
    def read_file(path: str) -> str:
        """Reads a file."""
        return f"the text of {path}"

    @server.tool()
    def delete_file(path: str) -> str:
        """Deletes a file."""
        return f"deleted {path}"

    @server.tool()
    def read_payroll(month: str) -> str:
        """Reads what everybody earns."""
        return f"the payroll of {month}"

    return server.streamable_http_app(stateless_http=True, json_response=True)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
