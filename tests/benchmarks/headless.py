"""Compares a browser that WebDriver drives with the widget in a notebook: latency, and the way of the weights.

Usage: python tests/benchmarks/headless.py

- Latency: MobileNetV2 (224, batch 1, layers model) runs 50 times on wasm, in turn in the widget of a real JupyterLab
  and in a headless browser of its own, PAIRS times each; given is the median of the pairs' ratios of medians.
- Transfer: a model with 100 MB of weights; given are the medians of the times that weights and samples need from
  Python into the page, in both ways, their ratio, and by how much Python's memory grew at most meanwhile.

A machine that does something else meanwhile makes every number larger. Exits with 1 above a limit.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil
from playwright.sync_api import sync_playwright

from tests.e2e.chromium import launch, require_chromium
from tests.e2e.lab import LabServer, Notebook
from tests.e2e.widget import Widget, result_expression

PAIRS = 3
PRELUDE = "%load_ext tfjs_magic\nimport keras, tfjs_magic\nkeras.utils.set_random_seed(0)"
MOBILENET = "keras.applications.MobileNetV2(weights=None)"
LARGE = "keras.Sequential([keras.Input((5000,)), keras.layers.Dense(5000)])"


def main() -> int:
    """Print the table; return the exit status."""
    limits: list[tuple[str, float, float | None, str]] = []
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = launch(playwright, require_chromium())
        server = LabServer(Path(home))
        try:
            for source, runs, key in ((MOBILENET, 50, "median_ms"), (LARGE, 6, "transfer_ms")):
                cell = f"bench = tfjs_magic.benchmark(web, backends='wasm', runs={runs}, warmup='auto')\nbench"
                notebook = server.notebook(
                    browser, [f"{PRELUDE}\nweb = tfjs_magic.convert({source})", cell], name=f"{key}.ipynb"
                )
                notebook.run(0)
                pairs = []
                for _ in range(PAIRS):
                    in_widget = widget_number(notebook, key)
                    alone, grown_mb = headless_number(source, runs, key)
                    pairs.append((in_widget, alone, grown_mb))
                    print(source, pairs[-1], flush=True)
                notebook.close()
                limits += rows(key, pairs)
        finally:
            server.close()
    for what, value, limit, unit in limits:
        verdict = "" if limit is None else f"limit {limit:g} {unit}" + ("" if value <= limit else "  EXCEEDED")
        print(f"{what:50} {value:10.4g} {unit:5} {verdict}")
    return int(any(limit is not None and value > limit for _, value, limit, _ in limits))


def rows(key: str, pairs: list[tuple[float, float, float]]) -> list[tuple[str, float, float | None, str]]:
    """Return what is printed of one model."""
    what = {"median_ms": "MobileNetV2 on wasm, median", "transfer_ms": "100 MB into the page"}[key]
    limit = {"median_ms": 1.05, "transfer_ms": 3.0}[key]
    found: list[tuple[str, float, float | None, str]] = [
        (f"{what}, widget", statistics.median(pair[0] for pair in pairs), None, "ms"),
        (f"{what}, headless", statistics.median(pair[1] for pair in pairs), None, "ms"),
        ("headless / widget", statistics.median(pair[1] / pair[0] for pair in pairs), limit, ""),
    ]
    if key == "transfer_ms":
        found.append(("growth of Python's memory meanwhile", max(pair[2] for pair in pairs), 100, "MB"))
    return found


def widget_number(notebook: Notebook, key: str) -> float:
    """Run it in the notebook's widget."""
    notebook.run(1)
    Widget(notebook.cell(1)).wait_for("finished", timeout_s=600)
    result: dict[str, Any] = notebook.python(result_expression("bench.result"))
    return float(result["summary"][0][key])


_MODELS: dict[str, Any] = {}


def headless_number(source: str, runs: int, key: str) -> tuple[float, float]:
    """Run it in a browser of its own; with the growth of this process's memory in MB."""
    import keras

    import tfjs_magic

    keras.utils.set_random_seed(0)
    if source not in _MODELS:
        _MODELS[source] = tfjs_magic.convert(eval(source))
    bench = tfjs_magic.benchmark(_MODELS[source], backends="wasm", runs=runs, browser="chrome")
    with watched_memory() as grown_mb:
        result = bench.result
    return float(result.summary[0][key]), max(grown_mb)


@contextlib.contextmanager
def watched_memory() -> Iterator[list[float]]:
    """Give the resident memory of this process, in MB over that at the beginning, every 10 ms."""
    process, over = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    grown = [0.0]

    def watch() -> None:
        while not over.wait(0.01):
            grown.append((process.memory_info().rss - before) / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    yield grown
    over.set()
    thread.join()


if __name__ == "__main__":
    sys.exit(main())
