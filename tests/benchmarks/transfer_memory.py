"""Measures the memory that 100 MB of weights need on their way into the page, in a widget and in a browser alone.

Usage: python -m tests.benchmarks.transfer_memory [--rounds 3]

Each round runs a model with 100 MB of weights and one with 20 kB, of the same inputs, on wasm: in the widget of a real
JupyterLab, each in a notebook of its own, and in a headless browser. Given are medians of

- Python: by how much the peak of its resident memory (VmHWM, reset before through /proc/PID/clear_refs) lies above
  what it had before the run; for the widget that is the kernel. The weights are Keras's own and there before, so that
  what is added is buffers on the way, and the pass of Python's model over the samples.
- page: the largest sum of the resident memory of the browser's renderer processes, page and worker, sampled ten
  times a second; of the large model less the small one. Weights that arrive once and are copied to wasm once are
  200 MB.

Limit: alone, neither is more than 1.25 times the widget's and 40 MB. Linux only. Exits with 1 above the limit.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import psutil
from playwright.sync_api import Browser, sync_playwright

from tests.benchmarks.headless import PRELUDE
from tests.e2e.chromium import launch, require_chromium
from tests.e2e.lab import LabServer
from tests.e2e.widget import Widget

SOURCES = [f"keras.Sequential([keras.Input((5000,)), keras.layers.Dense({units})])" for units in (1, 5000)]
RUNS = 6
FACTOR, MORE_MB = 1.25, 40

#: Of Python and of the page, in MB.
Memory = tuple[float, float]


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = launch(playwright, require_chromium())
        server = LabServer(Path(home))
        try:
            widget = [_difference([_in_widget(server, browser, source) for source in SOURCES]) for _ in range(rounds)]
        finally:
            server.close()
            browser.close()
    alone = [_difference([_alone(source) for source in SOURCES]) for _ in range(rounds)]
    exceeded = False
    for index, what in enumerate(("Python", "page")):
        ours, theirs = (statistics.median(one[index] for one in found) for found in (alone, widget))
        limit = FACTOR * theirs + MORE_MB
        exceeded |= ours > limit
        verdict = "  EXCEEDED" if ours > limit else ""
        print(f"{what:8} widget {theirs:7.0f} MB   alone {ours:7.0f} MB   limit {limit:.0f} MB{verdict}")
    return int(exceeded)


def _difference(found: Sequence[Memory]) -> Memory:
    small, large = found
    return large[0], large[1] - small[1]


def _in_widget(server: LabServer, browser: Browser, source: str) -> Memory:
    cell = f"bench = tfjs_magic.benchmark(web, backends='wasm', runs={RUNS})\nbench"
    cells = [f"{PRELUDE}\nweb = tfjs_magic.convert({source})", cell]
    notebook = server.notebook(browser, cells, name="memory.ipynb")
    notebook.run(0)
    kernel = notebook.python("os.getpid()", after="import os")
    with _watched(kernel) as found:
        notebook.run(1)
        Widget(notebook.cell(1)).wait_for("finished", timeout_s=600)
    notebook.close()
    server.shut_down_kernels(except_for=())
    return found[0]


def _alone(source: str) -> Memory:
    import keras

    import tfjs_magic

    keras.utils.set_random_seed(0)
    web = tfjs_magic.convert(eval(source))
    bench = tfjs_magic.benchmark(web, backends="wasm", runs=RUNS, browser="chrome")
    with _watched(os.getpid()) as found:
        assert bench.result.summary[0]["parity"] == "passed"
    return found[0]


@contextlib.contextmanager
def _watched(python: int) -> Iterator[list[Memory]]:
    """Watch while the block runs; what was found is in the list afterwards."""
    found: list[Memory] = []
    Path(f"/proc/{python}/clear_refs").write_text("5")
    before, page, over = _of_python(python, "VmRSS"), [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            page.append(sum(_of_renderers()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
    found.append((_of_python(python, "VmHWM") - before, max(page)))


def _of_python(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(f"{field}:"))


def _of_renderers() -> Iterator[float]:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "--type=renderer" in process.cmdline():
                yield process.memory_info().rss / 1e6


if __name__ == "__main__":
    sys.exit(main())
