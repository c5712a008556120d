"""Runs the front ends that show outputs without an editor: Voila and marimo."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.lab import SERVER_START_TIMEOUT_S, environment, free_port

#: Module → what it is told beside the file and the port.
_OPTIONS = {
    "voila": ("--no-browser", "--Voila.ip=127.0.0.1", "--show_tracebacks=True"),
    "marimo": ("--headless", "--no-token", "--host=127.0.0.1"),
}


@contextlib.contextmanager
def shown(module: str, file: Path) -> Iterator[str]:
    """Let a front end show a file; yield the address.

    Raises:
        RuntimeError: The server did not start; the message holds the end of its log.
    """
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", file.with_suffix(".log")
    run = ("run",) if module == "marimo" else ()
    command = [sys.executable, "-m", module, *run, str(file), f"--port={port}", *_OPTIONS[module]]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=file.parent, env=environment(file.parent), stdout=stream, stderr=stream)
    try:
        _wait_until_it_listens(port, process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SERVER_START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start. Its log ends:\n{log.read_text(errors='replace')[-4000:]}")
