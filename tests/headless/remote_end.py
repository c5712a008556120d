"""A remote end that speaks just enough of the W3C protocol to refuse a session; also as a driver's program."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from typing import Any, ClassVar


class RemoteEnd(http.server.BaseHTTPRequestHandler):
    """Is ready, and answers everything else with ``message``; keeps what it was told to be who asks."""

    message = ""
    authorizations: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self._answer(200, {"ready": True, "message": ""})
        if self.path == "/shutdown":
            threading.Thread(target=self.server.shutdown).start()

    def do_POST(self) -> None:
        self.authorizations.append(self.headers["Authorization"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(500, {"error": "session not created", "message": self.message, "stacktrace": "#0 0x5"})

    def log_message(self, *_: object) -> None: ...

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps({"value": value}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port: int, message: str) -> http.server.HTTPServer:
    """Return a server that is not started yet."""
    return http.server.HTTPServer(("localhost", port), type("Answering", (RemoteEnd,), {"message": message}))


if __name__ == "__main__":
    port = next(int(word.partition("=")[2]) for word in sys.argv if word.startswith("--port="))
    serve(port, sys.argv[1]).serve_forever()
