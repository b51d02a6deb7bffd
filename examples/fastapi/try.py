#!/usr/bin/env python3
"""Starts Verdict and the service on free ports, asks, and checks the answers; then Verdict hangs, dies and comes back.

The program is `verdict` of the PATH, or what the variable VERDICT names; the service runs with this Python.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 20


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


def fetch(method, url, key=None):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Verdict:
    def __init__(self, folder, http):
        self.log = folder / f"verdict-{http.rsplit(':', 1)[1]}.log"
        command = [os.environ.get("VERDICT", "verdict"), "serve", "--policies", str(HERE / "policies")]
        command += ["--grpc", "127.0.0.1:0", "--http", http, "--log-format", "json"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self.log.open("w"))
        self.http = wait("Verdict listens", self.listening)
        wait("Verdict is ready", lambda: fetch("GET", f"http://{self.http}/health/ready")[0] == 200)

    def listening(self):
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return next((line["http"] for line in lines if line["message"] == "listening"), None)

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        stopped = lambda task: (task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
        wait("Verdict stops", lambda: all(map(stopped, tasks.iterdir())))

    def kill(self):
        self.process.kill()
        self.process.wait()


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # An address of its own, where nobody else takes the port while Verdict is away.
        verdict = Verdict(folder, "127.0.0.2:0")
        service_log = folder / "service.log"
        command = [sys.executable, "-B", "-m", "uvicorn", "app:app", "--port", "0"]
        environment = os.environ | {"VERDICT_URL": f"http://{verdict.http}"}
        service = subprocess.Popen(
            command, cwd=HERE, env=environment, stdin=subprocess.DEVNULL, stdout=service_log.open("w"), stderr=subprocess.STDOUT
        )
        try:
            def running():
                if service.poll() is not None:
                    sys.exit(f"the service ended: {service_log.read_text()}")
                found = re.search(r"running on (http://\S+)", service_log.read_text())
                return found and found[1]

            at = wait("the service listens", running)
            wrong = ask(at)
            verdict.stop()
            wrong += away(at, "hangs")
            verdict.process.send_signal(signal.SIGCONT)
            wait("Verdict answers again", lambda: fetch("GET", f"{at}/orders/7", "key-of-alice")[0] == 200)
            verdict.kill()
            wrong += away(at, "is killed")
            verdict = Verdict(folder, verdict.http)
            return wrong + expect(at, "GET", "/orders/7", "key-of-alice", 200, "teapot")
        finally:
            service.kill()
            service.wait()
            verdict.kill()


def ask(at):
    # Until now, the first question may have been slow.
    wait("the service is warm", lambda: fetch("GET", f"{at}/orders/7", "key-of-alice")[0] == 200)
    wrong = 0
    for method, path, key, status, text in [
        ("GET", "/orders/7", None, 401, "who are you?"),
        ("GET", "/orders/7", "no-key", 401, "who are you?"),
        ("GET", "/orders/7", "key-of-alice", 200, '"card":"4111'),
        ("GET", "/orders/7", "key-of-bob", 200, '"card":"hidden"'),
        ("GET", "/orders", "key-of-bob", 200, '"card":"hidden"'),
        ("GET", "/orders", "key-of-alice", 403, "Only our staff may do this."),
        ("GET", "/orders/8", "key-of-alice", 403, "This order is not yours."),
        ("GET", "/orders/7", "key-of-carol", 403, "on a condition that can't be met here"),
        ("DELETE", "/orders/7", "key-of-bob", 403, "This order is not yours."),
        ("DELETE", "/orders/7", "key-of-alice", 200, '"cancelled":"7"'),
        ("GET", "/openapi.json", "key-of-alice", 404, "Not Found"),
    ]:
        wrong += expect(at, method, path, key, status, text)
    return wrong


def away(at, what):
    print(f"     Verdict {what}")
    before = time.monotonic()
    wrong = expect(at, "GET", "/orders/7", "key-of-alice", 503, "can't be decided now")
    wrong += expect(at, "DELETE", "/orders/7", "key-of-alice", 503, "can't be decided now")
    return wrong + (time.monotonic() - before > PATIENCE / 2)


def expect(at, method, path, key, status, text):
    # A yes must come within a quarter of a second, which a busy machine may miss once; a no must never become a yes.
    for _ in range(10):
        got = fetch(method, at + path, key)
        if not (got[0] == 503 and status != 503):
            break
    good = got[0] == status and text in got[1]
    print(f"{'ok  ' if good else 'BAD '} {method:6} {path:14} {key or '-':13} {got[0]} {got[1]}")
    return not good


if __name__ == "__main__":
    sys.exit(main())
