"""Run converted models in real TF.js: long-lived processes, Node for cpu and wasm, Chromium for webgl and webgpu.

See js/conformance/run.mjs for what they are asked.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import math
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import Backend

#: Computed in software: what their shaders compute, at no telling speed.
GPU_BACKENDS: tuple[Backend, ...] = ("webgl", "webgpu")

JS_DIR = Path(__file__).parents[2] / "js"
MIN_NODE_MAJOR = 20
#: A test model takes far less; a process that is silent for longer hangs.
REPLY_TIMEOUT_S = 180.0

#: Linux's file system in memory; in containers it can be as small as 64 MB.
_MEMORY = Path("/dev/shm")
_LARGEST_MODELS_BYTES = 4 << 30

_DTYPES: dict[str, type[np.generic]] = {
    "float32": np.float32,
    "int32": np.int32,
    "bool": np.bool_,
    "complex64": np.complex64,
}


class JsError(Exception):
    """TF.js threw.

    Attributes:
        name: The ``name`` of the JavaScript error.
        stack: Its stack.
    """

    def __init__(self, message: str, *, name: str, stack: str) -> None:
        super().__init__(message)
        self.name = name
        self.stack = stack


class SyncReadError(JsError):
    """TF.js read at once what WebGPU computed: a GPU in software cannot do that, so nothing is proved."""


class NodeResult(dict[str, Array]):
    """Output name → array, strings as an object array of ``bytes``.

    Attributes:
        executed_async: The graph model refused ``execute``, so ``executeAsync`` ran it.
        leaked_tensors: TF.js tensors left once the model was disposed of.
        leaked_per_run: TF.js tensors that the last run left; 0 if the model ran only once.
        backend: What ran it.
        kernels: What ran on cpu: each kernel with the ranks and dtypes of its inputs, and its attributes.
    """

    def __init__(self, outputs: Mapping[str, Array], reply: Mapping[str, Any], backend: Backend) -> None:
        super().__init__(outputs)
        self.backend = backend
        self.executed_async: bool = reply["async"]
        self.leaked_tensors: int = reply["leaked"]
        self.leaked_per_run: int = reply["leakedPerRun"]
        self.kernels = frozenset[str](reply.get("kernels", ()))


def forwards(backend: Backend) -> tuple[bool, ...]:
    """Return the ways to run a backend: by default, and on a GPU also with nothing left to the cpu."""
    return (True, False) if backend in GPU_BACKENDS else (True,)


def find_node() -> str | None:
    """Find a Node that is new enough: on PATH, else beside this Python."""
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    node = shutil.which("node", path=path)
    if node is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.", version)
    return node if found and int(found[1]) >= MIN_NODE_MAJOR else None


def missing_for_node() -> str | None:
    """Say what is missing to run TF.js in Node, or None."""
    if find_node() is None:
        return f"no Node ≥ {MIN_NODE_MAJOR} on PATH; 'make test' installs one"
    if not (JS_DIR / "node_modules" / "@tensorflow").is_dir():
        return "js/node_modules is missing; run 'npm ci' in js/"
    return None


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """Make a directory for :class:`TfjsNode`, in memory where there is room: a disk takes longer than TF.js."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _LARGEST_MODELS_BYTES
    with tempfile.TemporaryDirectory(dir=_MEMORY if roomy else None) as directory:
        yield Path(directory)


class _Process:
    """A process that answers a line with a line; starts on first use, and again after a crash."""

    def __init__(self, name: str, command: Callable[[], Sequence[str]], scratch: Path, *, keep: bool) -> None:
        self._name = name
        self._keep = keep
        self._command = command
        self._scratch = scratch
        self._ids = itertools.count(1)
        self._process: subprocess.Popen[str] | None = None
        self._stderr: IO[str] | None = None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask; a failure ends the process.

        Raises:
            JsError: TF.js threw.
            RuntimeError: The process died or gave no reply in time.
        """
        if self._process is None:
            self._start()
        process = cast("subprocess.Popen[str]", self._process)
        stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        request = {"id": next(self._ids), **request}
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            answers, _, _ = select.select([stdout], [], [], REPLY_TIMEOUT_S)
            line = stdout.readline() if answers else ""
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(self._obituary())
        reply: dict[str, Any] = json.loads(line)
        if reply["id"] != request["id"]:
            self.close()
            msg = f"{self._name} answered request {reply['id']}; expected {request['id']}."
            raise RuntimeError(msg)
        if not reply["ok"]:
            error = reply["error"]
            if error["name"] == "SyncReadError":
                raise SyncReadError(error["message"], name=error["name"], stack=error["stack"])
            # A trap can leave wasm's heap broken, and a failed load its tensors: the next model gets a fresh process.
            if not self._keep or error["name"] not in {"Error", "TypeError", "GPUError"}:
                self.close()
            raise JsError(error["message"], name=error["name"], stack=error["stack"])
        return reply

    def _start(self) -> None:
        self._stderr = tempfile.TemporaryFile("w+", dir=self._scratch)  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            self._command(),
            cwd=JS_DIR.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            encoding="utf-8",
        )

    def _obituary(self) -> str:
        process, stderr = cast("subprocess.Popen[str]", self._process), cast("IO[str]", self._stderr)
        process.kill()
        code = process.wait()
        stderr.seek(0)
        tail = stderr.read()[-4000:]
        self.close()
        limit = f"the limit is {REPLY_TIMEOUT_S:g} s"
        return f"{self._name} ended with code {code} without a reply ({limit}). Its stderr: {tail}"


class TfjsNode:
    """TF.js: in Node with cpu and wasm, in Chromium with webgl and webgpu, which it computes in software.

    Args:
        scratch: Directory for the models and numbers that pass between the processes.
        keep: Whether a process goes on after an exception of JavaScript, with the tensors that are left of it.
    """

    def __init__(self, scratch: Path, *, keep: bool = False) -> None:
        self._scratch = scratch
        self._node = _Process("Node", _node_command, scratch, keep=keep)
        self._page = _Process("The page", _page_command, scratch, keep=keep)

    def run(self, model: TfjsModel | Path, inputs: Mapping[str, Any], backend: Backend = "cpu") -> NodeResult:
        """Run a model once; see :meth:`run_each`."""
        return self.run_each(model, [inputs], backend)[0]

    def run_each(
        self,
        model: TfjsModel | Path,
        feeds: Sequence[Mapping[str, Any]],
        backend: Backend = "cpu",
        *,
        forward: bool | Sequence[bool] = True,
    ) -> list[NodeResult]:
        """Load a model, run it on every feed, dispose of it.

        Args:
            model: A model in memory, or the directory with its model.json.
            feeds: Input name → array. A directory's names: those of the signature for a graph model, TF.js's own
                for a layers model. float64 and wider integers are narrowed where the values fit.
            backend: The TF.js backend that runs it.
            forward: Whether a GPU backend leaves small tensors to the cpu, as it does by default, also per feed; WebGPU
                leaves it those that no feed has to do with, like sizes, in any case.

        Raises:
            JsError: TF.js threw, a shader did not compile, or the page or the GPU's process is gone.
            SyncReadError: What a GPU in software cannot do.
            RuntimeError: The process died or gave no reply in time.
        """
        return self._run(model, feeds, backend, forward=forward)

    def train_once(
        self, model: TfjsModel, inputs: Mapping[str, Any], targets: Sequence[Any], backend: Backend = "cpu"
    ) -> NodeResult:
        """Let TF.js take one step of training on a batch, as the model's ``trainingConfig`` says.

        Args:
            model: A layers model.
            inputs: Input name → array.
            targets: One per output.
            backend: The TF.js backend that trains it.

        Returns:
            TF.js's name of each weight → its new value.
        """
        return self._run(model, [inputs, {str(i): target for i, target in enumerate(targets)}], backend, train=True)[0]

    def _run(
        self,
        model: TfjsModel | Path,
        feeds: Sequence[Mapping[str, Any]],
        backend: Backend,
        *,
        train: bool = False,
        forward: bool | Sequence[bool] = True,
    ) -> list[NodeResult]:
        with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            directory, names = _as_directory(model, Path(scratch) / "model")
            rows, chunks = zip(*(_encode_feed(feed) for feed in feeds), strict=True)
            tensors = Path(scratch) / "tensors.bin"
            tensors.write_bytes(b"".join(itertools.chain.from_iterable(chunks)))
            process = self._node if backend in {"cpu", "wasm"} else self._page
            reply = process.request(
                {
                    "model": str(directory),
                    "backend": backend,
                    "names": names,
                    "tensors": str(tensors),
                    "feeds": rows,
                    "forward": [forward] * len(rows) if isinstance(forward, bool) else forward,
                    "train": train,
                }
            )
            return _decode_results(reply, memoryview(tensors.read_bytes()), backend)

    def close(self) -> None:
        """End the processes."""
        self._node.close()
        self._page.close()


def _node_command() -> Sequence[str]:
    if (missing := missing_for_node()) is not None:
        msg = f"TF.js cannot run in Node: {missing}."
        raise RuntimeError(msg)
    return (cast("str", find_node()), str(JS_DIR / "conformance" / "node.mjs"))


def _page_command() -> Sequence[str]:
    return (sys.executable, "-m", "tests.conformance.page")


def _as_directory(model: TfjsModel | Path, target: Path) -> tuple[Path, dict[str, list[str]] | None]:
    """Return a directory with the model's files, and the names of a layers model's tensors by position."""
    if not isinstance(model, TfjsModel):
        return model.resolve(), None
    target.mkdir()
    (target / "model.json").write_text(json.dumps(model.model_json), encoding="utf-8")
    for group in model.groups:
        for name, pieces in group.shards():
            with (target / name).open("wb") as file:
                file.writelines(pieces)
    names = {"inputs": [info.name for info in model.inputs], "outputs": [info.name for info in model.outputs]}
    return target, names


def _encode_feed(feed: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return each tensor's row and the bytes of the numeric ones."""
    rows, chunks = [], []
    for name, value in feed.items():
        array = np.asarray(value)
        row: dict[str, Any] = {"name": name, "shape": array.shape, "nbytes": 0, "values": None}
        if array.dtype.kind in "SUO":
            row |= {"dtype": "string", "values": [_to_base64(item) for item in array.ravel().tolist()]}
        else:
            narrow = _narrowed(name, array)
            chunks.append(narrow.tobytes())
            row |= {"dtype": narrow.dtype.name, "nbytes": narrow.nbytes}
        rows.append(row)
    return rows, chunks


def _narrowed(name: str, array: Array) -> Array:
    """Cast to the dtype that TF.js has for this kind of number; integers must fit."""
    if array.dtype.kind in "iu":
        bounds = np.iinfo(np.int32)
        if array.size and not (bounds.min <= array.min() and array.max() <= bounds.max):
            msg = f"input '{name}' holds integers outside int32; TF.js has no wider ones."
            raise ValueError(msg)
        return array.astype(np.int32)
    kinds: dict[str, type[np.generic]] = {"f": np.float32, "b": np.bool_, "c": np.complex64}
    return array.astype(kinds[array.dtype.kind])


def _to_base64(item: str | bytes) -> str:
    return base64.b64encode(item.encode() if isinstance(item, str) else item).decode()


def _decode_results(reply: dict[str, Any], numbers: memoryview, backend: Backend) -> list[NodeResult]:
    results, offset = [], 0
    for rows in reply["results"]:
        outputs: dict[str, Array] = {}
        for row in rows:
            end = offset + row["nbytes"]
            outputs[row["name"]] = _decode_tensor(row, numbers[offset:end])
            offset = end
        results.append(NodeResult(outputs, reply, backend))
    return results


def _decode_tensor(row: dict[str, Any], numbers: memoryview) -> Array:
    shape = tuple(row["shape"])
    if row["dtype"] == "string":
        strings = np.empty(math.prod(shape), dtype=object)
        strings[:] = [base64.b64decode(value) for value in row["values"]]
        return strings.reshape(shape)
    return np.frombuffer(numbers, dtype=_DTYPES[row["dtype"]]).reshape(shape)
