"""A model that is verified in Node, and Node that is missing, too old or ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.node import missing_for_node
from tests.headless.small import small_model, wrong_model
from tfjs_magic.benchmarking import benchmark
from tfjs_magic.errors import RunError
from tfjs_magic.headless import node
from tfjs_magic.headless.node import find_node

pytestmark = pytest.mark.skipif(missing_for_node() is not None, reason=missing_for_node() or "")


def test_cpu_and_wasm_are_compared_with_python() -> None:
    bench = benchmark({"it's": small_model()}, backends=["wasm", "cpu"], runs=2, warmup=0, browser="node")
    result = bench.result
    assert [(row["backend"], row["parity"], row["n"]) for row in result.summary] == [
        ("wasm", "passed", 2),
        ("cpu", "passed", 2),
    ]
    assert result.environment is not None
    assert result.environment["user_agent"].startswith("Node.js/")
    with pytest.raises(RunError, match="the profile needs a browser; Node only verifies"):
        result.profile(backend="cpu")


def test_an_error_is_found() -> None:
    result = benchmark(wrong_model(), backends="wasm", runs=1, warmup=0, browser="node").result
    assert result.summary[0]["parity"] == "failed"


def test_a_backend_that_node_lacks_is_an_error() -> None:
    bench = benchmark(small_model(), backends="webgl", runs=1, browser="node")
    with pytest.raises(RunError, match="needs WebGL"):
        _ = bench.result


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("echo v18.20.1", r"is Node v18.20.1. Install Node 20 or newer", id="old"),
        pytest.param("echo hello", "does not say its version", id="no-version"),
        pytest.param("exit 1", "does not say its version", id="broken"),
    ],
)
def test_unfit_node(script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "node"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match=said):
        find_node()


def test_missing_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(node, "_node_of_pypi", lambda: None)
    with pytest.raises(RunError, match=r"--verify=node needs Node, but PATH holds neither node nor nodejs. Install"):
        find_node()


def test_node_that_ends_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "node"
    program.write_text(
        '#!/bin/sh\nif [ "$1" = --version ]; then echo v22.0.0; else echo "out of memory" >&2; exit 7; fi\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(RunError, match="Node ended: out of memory"):
        _ = benchmark(small_model(), runs=1, browser="node").result
