"""The command as shells run it: streams that are closed, full or end, other encodings, no directory, Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.handmade import handmade_model
from tfjs_magic.artifacts import TensorInfo

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """Write a layers model, whose weights are packed again without TensorFlow."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 2], "dtype": "float32"}},
        {"class_name": "Dense", "config": {"name": "y", "units": 3, "use_bias": False}},
    ]
    topology = {"keras_version": "3.0.0", "model_config": {"class_name": "Sequential", "config": {"layers": layers}}}
    info = (TensorInfo("x", "float32", (None, 2)), TensorInfo("y", "float32", (None, 3)))
    model = handmade_model("layers-model", topology, {"y/kernel": np.ones((2, 3), np.float32)}, info[:1], info[1:])
    return model.save(tmp_path / "web")


def _shell(line: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; {line}"],
        cwd=cwd,
        env={**os.environ, **environment, "RUN": f"{sys.executable} -m tfjs_magic"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


@pytest.mark.parametrize(
    "redirected",
    [
        pytest.param(">&-", id="stdout-closed"),
        pytest.param("2>&-", id="stderr-closed"),
        pytest.param(">&- 2>&-", id="both-closed"),
        pytest.param("> /dev/full", id="stdout-full"),
        pytest.param("2> /dev/full", id="stderr-full"),
        pytest.param("--json > /dev/full", id="json-full"),
        pytest.param("| true", id="pipe-ends"),
    ],
)
def test_written_whoever_listens(redirected: str, web: Path) -> None:
    done = _shell(f"$RUN convert --split_weights_by_layer web out {redirected}", web.parent)
    assert (done.returncode, "Exception" in done.stderr) == (0, False), done.stderr
    assert (web.parent / "out" / "model.json").exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_encoding_lacks_is_an_escape(encoding: str, web: Path) -> None:
    done = _shell("$RUN convert web out && cat out/model.json > /dev/null", web.parent, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert "\\u2192 TensorFlow.js" in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("mkdir a; cd a; rmdir ../a; $RUN convert $WEB out", "directory is gone", id="no-directory"),
        pytest.param("$RUN convert web '~nosuchuser/out'", "~nosuchuser", id="no-user"),
        pytest.param(f"$RUN convert web {'x' * 4000}", "too long", id="long-target"),
        pytest.param("$RUN convert '~nosuchuser/web' out", "~nosuchuser", id="no-user-to-read-from"),
        pytest.param(f"$RUN convert {'x' * 4000} out", "xxx", id="long-source"),
        pytest.param("$RUN convert '' out", "''", id="no-source"),
        pytest.param("$RUN convert --quantize-uint8= web out", "names no weights", id="empty-variable"),
    ],
)
def test_a_mistake_is_one_sentence(line: str, said: str, web: Path) -> None:
    done = _shell(line, web.parent, WEB=str(web))
    assert done.returncode in {1, 2}, done.stderr
    assert done.stderr.startswith("tfjs-magic: error: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 6000
    assert not (web.parent / "out").exists()


_INTERRUPTED = """
import signal, sys
from tfjs_magic.__main__ import main
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
sys.argv[1:] = ["convert", "web", "out"]
signal.setitimer(signal.ITIMER_REAL, AFTER)
code = main()
signal.setitimer(signal.ITIMER_REAL, 0)
sys.exit(code)
"""


@pytest.mark.parametrize("after", [0.001, 0.01, 0.05, 0.1, 0.2, 0.3])
def test_ctrl_c_ends_with_130_and_leaves_nothing(after: float, web: Path) -> None:
    program = _INTERRUPTED.replace("AFTER", str(after))
    done = subprocess.run([sys.executable, "-c", program], cwd=web.parent, capture_output=True, text=True, check=False)
    left = {path.name for path in web.parent.iterdir()}
    assert (done.returncode, left) in [(130, {"web"}), (0, {"web", "out"})]
    assert "Traceback" not in done.stderr


_IN_AN_IMPORT = """
import signal, sys
from tfjs_magic import cli
from tfjs_magic.__main__ import main

def imports():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise ImportError("numpy cannot be imported") from error

def refuses():
    try:
        imports()
    except ImportError:
        return 1

cli.main = HOW
sys.exit(main())
"""


@pytest.mark.parametrize("how", ["imports", "refuses"])
def test_ctrl_c_that_becomes_another_error_ends_with_130(how: str) -> None:
    program = _IN_AN_IMPORT.replace("HOW", how)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
