"""A whole benchmark as the kernel answers it: what the page's tests take for the kernel.

Usage: python -m tests.bench.conversation

Writes ``js/test/conversation.json``, one step a line: what the page asks, what the kernel answers, and after a claim, a
report or a verdict the kernel's state. Buffers are left out.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.reports import JOB, PROFILE, job_report, report, task, task_report
from tests.bench.tiny import tiny_model
from tfjs_magic.bench.assets import Asset
from tfjs_magic.bench.contender import Contender
from tfjs_magic.bench.feeds import seeded_feeds
from tfjs_magic.bench.session import Session
from tfjs_magic.options import BenchmarkOptions

FILE = Path(__file__).parents[2] / "js" / "test" / "conversation.json"

_WEBGL = {"model": 0, "backend": "webgl", "feed": 0}
_ENVIRONMENT = {
    "user_agent": "Browser/1.0",
    "platform": "Linux",
    "hardware_concurrency": 2,
    "device_memory_gb": None,
    "cross_origin_isolated": False,
    "clock_resolution_ms": 0.1,
    "worker": True,
    "worker_problem": "",
    "tfjs_version": "4.22.0",
    "hidden_ms": 0,
}
_MEMORY = {"model_nbytes": 60, "peak_nbytes": 104, "leaked_tensors": 0, "wasm_nbytes": 2**24}
_READY = {"actual": "wasm", "device": "SIMD, 1 thread", "backend_ms": 12.5, "transfer_ms": 7.5, "load_ms": 3.25}
_READY["memory"] = _MEMORY
_NO_GPU = {"name": "Error", "message": "no WebGL", "stack": "at probe"}
#: Every machine computes the same errors and cosine from these.
_OUTPUTS = [np.array([[4, 0, 0]], np.float32), np.array([[0, 3, 0]], np.float32)]
_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"/>'


def converse() -> list[dict[str, Any]]:
    """Return the steps."""
    steps: list[dict[str, Any]] = []
    python = itertools.cycle(_OUTPUTS)
    model = tiny_model(call=lambda _: {"y": next(python)})
    session = Session(
        [Contender("tiny", model, seeded_feeds(model.inputs, seed=0))],
        options=BenchmarkOptions(backends=("wasm", "webgl"), runs=3),
        assets={"page.js": Asset(Path(__file__), "abc")},
        send=lambda reply, _: steps[-1].update(answer=reply),
        publish=lambda _: None,
    )

    def ask(kind: str, *buffers: bytes, **fields: Any) -> None:
        steps.append({"ask": {"kind": kind, "id": len(steps) + 1, **fields}})
        session.receive(steps[-1]["ask"], buffers)
        if kind in {"claim", "report", "report_task", "verify"}:
            steps[-1]["state"] = session.snapshot

    def tell(*jobs: Any, **fields: Any) -> None:
        ask("report", page="p", **report(*jobs, environment=_ENVIRONMENT, **fields))

    ask("get_asset", name="page.js")
    ask("get_asset", name="missing.js")
    ask("claim", page="p", again=False, choice=None, task=None)
    ask("claim", page="q", again=True, choice=None, task=None)
    ask("get_model", model=0)
    ask("get_weights", model=0, offset=0, length=60)
    ask("get_feed", model=0, feed=0)
    tell(job_report(stage="weights", done=60, total=60))
    for index, y in enumerate(_OUTPUTS):
        tensor = {"name": "y", "dtype": "float32", "shape": list(y.shape), "values": None}
        fields = {"feed": index, "tensor": tensor, "offset": 0, "total": y.nbytes}
        ask("put_output", y.tobytes(), page="p", job=JOB, **fields)
    tell(job_report(stage="verify", done=0, total=2, first_ms=9.5, **_READY))
    ask("verify", page="p", job=JOB, actual=None)
    tell(job_report(1.5, 2.25, warmup=[5, 4.125, 4], done=2, total=3, first_ms=9.5, **_READY))
    over = job_report(1.75, first_index=2, status="done", stage=None, done=3, total=3, first_ms=9.5, **_READY)
    over["warmup"]["first_index"] = 3
    tell(over, job_report(job=_WEBGL, stage="backend", done=0, total=0))
    failed = {"status": "failed", "stage": None, "done": 0, "total": 0, "error": _NO_GPU}
    tell(job_report(job=_WEBGL, **failed), status="finished")
    ask("picture", page="p", svg=_PICTURE)
    ask("get_result")
    ask("claim", page="q", again=False, choice=None, task=None)
    ask("claim", page="q", again=False, choice=None, task=task())
    ask("claim", page="p", again=False, choice=None, task=task())
    ask("report_task", page="q", **task_report(done=1, total=30))
    ask("report_task", page="q", **task_report("done", done=30, total=30, profile=PROFILE))
    search = task("divergence")
    ask("claim", page="q", again=False, choice=None, task=search)
    ask("get_layers", page="q", job=JOB)
    tensor = {"name": "dense_1", "dtype": "float32", "shape": [1, 3], "values": None}
    content = np.array([[0, 3, 1]], np.float32).tobytes()
    ask("put_output", content, page="q", job=JOB, feed=0, tensor=tensor, offset=0, total=12)
    ask("compare_layers", page="q", job=JOB, group=0)
    ask("report_task", page="q", **task_report("done", name=search, done=1, total=1))
    ask("claim", page="q", again=True, choice={"backends": ["cpu"], "runs": 0}, task=None)
    ask("claim", page="q", again=True, choice={"backends": ["cpu"], "runs": 2}, task=None)
    return steps


def text() -> str:
    """Return the file's content."""
    lines = ",\n".join(json.dumps(step, allow_nan=False) for step in converse())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
