"""Sessions that never begin: a driver of another version, a driver that is none, and a Grid that is silent or full."""

from __future__ import annotations

import base64
import socket
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.bench.tiny import tiny_model
from tests.headless import remote_end
from tfjs_magic.benchmarking import benchmark
from tfjs_magic.errors import RunError
from tfjs_magic.headless import programs

OTHER_VERSION = (
    "session not created: This version of ChromeDriver only supports Chrome version 114\n"
    "Current browser version is 156.0.8078.108 with binary path /usr/bin/chromium"
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(programs, "_BROWSERS", {"chrome": ("browser-of-the-test",)})
    _program(tmp_path / "browser-of-the-test", "")
    return tmp_path


def _program(place: Path, script: str) -> None:
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


def _error(browser: str) -> str:
    bench = benchmark(tiny_model(), browser=browser, runs=1)
    before = psutil.Process().children()
    with pytest.raises(RunError) as caught:
        _ = bench.result
    assert bench.status == "pending"
    assert psutil.Process().children() == before
    return str(caught.value)


def test_a_driver_of_another_version(path: Path) -> None:
    message = OTHER_VERSION.replace("\n", "\\n")
    script = f'exec {sys.executable} {remote_end.__file__} "$(printf \'{message}\')" "$@"'
    _program(path / "chromedriver", script)
    said = _error("chrome")
    assert said.startswith(f"the driver '{path}/chromedriver' does not match Chrome: ")
    assert "only supports Chrome version 114 Current browser version is 156" in said
    assert "\n" not in said
    assert "apt-get install" in said or sys.platform != "linux"


def test_a_driver_that_ends(path: Path) -> None:
    _program(path / "chromedriver", "exit 3")
    assert "does not start through" in (said := _error("chrome"))
    assert "Status code was: 3" in said


def test_a_grid_that_is_not_there() -> None:
    with socket.create_server(("localhost", 0)) as probe:
        port = probe.getsockname()[1]
    assert _error(f"http://localhost:{port}").startswith(f"the Grid at http://localhost:{port} does not answer: ")


def test_a_grid_that_has_no_such_browser() -> None:
    server = remote_end.serve(0, "Could not start a new session. No node supports netscape")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://localhost:{server.server_port}"
    said = _error(f"{address}?browserName=netscape")
    assert remote_end.RemoteEnd.authorizations[-1] is None
    named = address.replace("//", "//me:p%40ss@")
    assert _error(f"{named}?browserName=netscape") == said
    server.shutdown()
    server.server_close()
    assert said == (
        f"the Grid at {address} gives no browser: Could not start a new session. No node supports netscape."
    )
    assert remote_end.RemoteEnd.authorizations[-1] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
