#!/usr/bin/env python3
"""Starts the MCP server, Verdict and Envoy on free ports, and lets the official SDK's client have sessions through Envoy.

The programs are `verdict` and `envoy` of the PATH, or what the variables VERDICT and ENVOY name; the Python that runs this
needs the package `mcp`.
"""

import asyncio
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

try:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.exceptions import MCPError
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 20


def start(command, log):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def wait(what, look):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    sys.exit(f"not within {PATIENCE} s: {what}")


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def main():
    running = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        verdict_log, admin = folder / "verdict.log", folder / "admin"
        command = [os.environ.get("VERDICT", "verdict"), "serve", "--policies", str(HERE / "policies"), "--default-policy", "data.mcp"]
        command += ["--log-format", "json", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        try:
            running.append(start(command, verdict_log.open("w")))

            def listening():
                lines = [json.loads(line) for line in verdict_log.read_text().splitlines() if line.startswith("{")]
                found = [line for line in lines if line["message"] == "listening"]
                return found and found[0]

            doors = wait("Verdict listens", listening)
            wait("Verdict is ready", lambda: fetch(f"http://{doors['http']}/health/ready")[0] == 200)
            port = free_port()
            command = [sys.executable, "-B", str(HERE / "server.py"), str(port), f"http://{doors['http']}"]
            running.append(start(command, (folder / "server.log").open("w")))
            wait("the server listens", lambda: accepts(port))
            ports = {8000: port, 9191: int(doors["grpc"].rsplit(":", 1)[1]), 10000: 0}
            config = re.sub(r"port_value: (\d+)", lambda port: f"port_value: {ports[int(port[1])]}", (HERE / "envoy.yaml").read_text())
            config += "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n"
            (folder / "envoy.yaml").write_text(config)
            command = [os.environ.get("ENVOY", "envoy"), "--config-path", str(folder / "envoy.yaml"), "--admin-address-path", str(admin)]
            command += ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
            running.append(start(command, (folder / "envoy.log").open("w")))

            def listener():
                status, body = fetch(f"http://{admin.read_text().strip()}/listeners")
                return status == 200 and (found := re.search(r"^mcp::(\S+)", body)) and found[1]

            url = f"http://{wait('Envoy listens', listener)}/mcp"
            wait("Envoy is ready", lambda: fetch(f"http://{admin.read_text().strip()}/ready")[0] == 200)
            wrong = True
            try:
                wrong = asyncio.run(sessions(url)) > 0
            finally:
                for log in ["server.log", "envoy.log", "verdict.log"] if wrong else []:
                    print(f"-- {log}", (folder / log).read_text()[-3000:], file=sys.stderr)
            return wrong
        finally:
            for program in running:
                program.kill()
                program.wait()


class Session:
    """A session of the SDK's client, and what came back in HTTP."""

    def __init__(self, url, key, mode):
        self.last = None
        headers = {"x-user": "mallory"} | ({"authorization": f"Bearer {key}"} if key else {})
        self.http = httpx2.AsyncClient(headers=headers, timeout=PATIENCE, event_hooks={"response": [self.seen]})
        self.client = Client(streamable_http_client(url, http_client=self.http), mode=mode, cache=None)

    async def seen(self, response):
        self.last = (response.status_code, response.headers.get("www-authenticate"))

    async def call(self, tool, arguments):
        try:
            result = await self.client.call_tool(tool, arguments)
            return result.content[0].text
        except MCPError as error:
            return f"{error.error.code} {error.error.message}"


async def sessions(url):
    wrong = 0

    def check(what, got, wanted):
        nonlocal wrong
        wrong += got != wanted
        print(f"{'ok  ' if got == wanted else 'BAD '} {what}: {got}" + ("" if got == wanted else f"\n     wanted: {wanted}"))

    metadata = 'resource_metadata="https://files.example.com/.well-known/oauth-protected-resource/mcp"'
    step_up = f'Bearer error="insufficient_scope", scope="files:write files:delete", {metadata}'
    for mode in ["2026-07-28", "legacy"]:
        print(f"-- {'the initialize handshake' if mode == 'legacy' else mode}")
        bob = Session(url, "key-of-bob", mode)
        async with bob.http, bob.client:
            names = [tool.name for tool in (await bob.client.list_tools()).tools]
            check("bob's tools", names, ["read_file", "delete_file"])
            check("bob reads", await bob.call("read_file", {"path": "/a"}), "the text of /a")
            check("bob reads the payroll", await bob.call("read_payroll", {"month": "May"}), "-32001 this tool is not for you")
            check("  status, challenge", bob.last, (403, None))
            check("bob deletes", await bob.call("delete_file", {"path": "/a"}), "-32001 this needs more rights than you have asked for")
            check("  status, challenge", bob.last, (403, step_up))
        bob = Session(url, "key-of-bob-stepped-up", mode)
        async with bob.http, bob.client:
            check("bob, stepped up, deletes", await bob.call("delete_file", {"path": "/a"}), "deleted /a")
        alice = Session(url, "key-of-alice", mode)
        async with alice.http, alice.client:
            names = [tool.name for tool in (await alice.client.list_tools()).tools]
            check("alice's tools", names, ["read_file", "read_payroll"])
    nobody = Session(url, None, "2026-07-28")
    async with nobody.http, nobody.client:
        check("nobody reads", await nobody.call("read_file", {"path": "/a"}), "-32001 who are you?")
        check("  status, challenge", nobody.last, (401, f"Bearer {metadata}"))
    # A header that says other than the body, which the client would not write.
    async with httpx2.AsyncClient(headers={"authorization": "Bearer key-of-bob"}) as http:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file", "arguments": {"path": "/a"}}}
        headers = {"mcp-method": "tools/call", "mcp-name": "delete_file", "accept": "application/json, text/event-stream"}
        check("a header that says otherwise", (await http.post(url, json=call, headers=headers)).status_code, 400)
        check("a batch", (await http.post(url, json=[call])).status_code, 400)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
