#!/usr/bin/env python3
"""Starts the service, Verdict and Envoy on free ports, asks, and checks the answers.

The programs are `verdict` and `envoy` of the PATH, or what the variables VERDICT and ENVOY name.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from service import serve

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 20


def start(command, log):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)


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


def fetch(method, url, key=None, body=None):
    headers = {"x-user": "mallory"} | ({"authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    if data:
        headers["content-type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def main():
    service = serve(0)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        verdict_log, envoy_log, admin = folder / "verdict.log", folder / "envoy.log", folder / "admin"
        command = [os.environ.get("VERDICT", "verdict"), "serve", "--policies", str(HERE / "policies"), "--log-format", "json"]
        command += ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        verdict = start(command, verdict_log.open("w"))
        try:
            def listening():
                lines = [json.loads(line) for line in verdict_log.read_text().splitlines() if line.startswith("{")]
                found = [line for line in lines if line["message"] == "listening"]
                return found and found[0]

            doors = wait("Verdict listens", listening)
            wait("Verdict is ready", lambda: fetch("GET", f"http://{doors['http']}/health/ready")[0] == 200)
            ports = {8000: service.server_port, 9191: int(doors["grpc"].rsplit(":", 1)[1]), 10000: 0}
            config = re.sub(r"port_value: (\d+)", lambda port: f"port_value: {ports[int(port[1])]}", (HERE / "envoy.yaml").read_text())
            config += "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n"
            (folder / "envoy.yaml").write_text(config)
            command = [os.environ.get("ENVOY", "envoy"), "--config-path", str(folder / "envoy.yaml"), "--admin-address-path", str(admin)]
            envoy = start(command + ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"], envoy_log.open("w"))
            try:
                def shop():
                    status, body = fetch("GET", f"http://{admin.read_text().strip()}/listeners")
                    return status == 200 and (found := re.search(r"^shop::(\S+)", body)) and found[1]

                at = f"http://{wait('Envoy listens', shop)}"
                wait("Envoy is ready", lambda: fetch("GET", f"http://{admin.read_text().strip()}/ready")[0] == 200)
                return ask(at)
            finally:
                envoy.kill()
                envoy.wait()
        finally:
            verdict.kill()
            verdict.wait()


def ask(at):
    wrong = 0
    for method, path, key, body, status, text in [
        ("GET", "/health", None, None, 200, '"user": null'),
        ("GET", "/orders/7", None, None, 401, "Who are you?\n"),
        ("GET", "/orders/7", "key-of-bob", None, 200, '"user": "bob", "key": null'),
        ("POST", "/orders", "key-of-bob", {"amount": 100}, 200, '"body": "{\\"amount\\": 100}"'),
        ("POST", "/orders", "key-of-bob", {"amount": 101}, 403, "You may not do this.\n"),
        ("POST", "/orders", "key-of-alice", {"amount": 101}, 200, '"user": "alice"'),
        ("GET", "/admin/prices", "key-of-bob", None, 403, "You may not do this.\n"),
        ("GET", "//admin/prices", "key-of-bob", None, 403, "You may not do this.\n"),
        ("GET", "/orders/../admin/prices", "key-of-bob", None, 403, "You may not do this.\n"),
        ("GET", "/admin/prices", "key-of-alice", None, 200, '"user": "alice"'),
    ]:
        got = fetch(method, at + path, key, body)
        good = got[0] == status and text in got[1]
        wrong += not good
        print(f"{'ok  ' if good else 'BAD '} {method:4} {path:24} {key or '-':12} {got[0]} {got[1].strip()}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
