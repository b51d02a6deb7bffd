#!/usr/bin/env python3
"""A tiny service, which trusts the proxy in front of it: it tells what it got. Usage: service.py [PORT]"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        told = {
            "request": f"{self.command} {self.path}",
            "user": self.headers.get("x-user"),
            "key": self.headers.get("authorization"),
            "body": body,
        }
        text = (json.dumps(told) + "\n").encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def serve(port):
    return ThreadingHTTPServer(("127.0.0.1", port), Service)


if __name__ == "__main__":
    serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8000).serve_forever()
