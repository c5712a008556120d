"""Measures the browser side: sizes, how still the page stays, what our measuring costs.

Usage: python tests/benchmarks/browser.py

- Sizes: the files in tfjs_magic/static/ as they are, and the state that JupyterLab would save with a widget after
  30 runs of one model on one backend.
- Stillness: MobileNetV2 (224, batch 1, layers model) runs 30 times on wasm in a real JupyterLab. Meanwhile the page
  notes when each animation frame begins; given is the longest gap between two frames, over the warm-up and the runs,
  over the whole benchmark (with the transfer of 14 MB, which the browser driver itself slows down, and the start of
  the worker), and over two idle seconds as the measure of the measure.
- Overhead: the same model as a graph model, in one worker on one thread: 10 rounds of 10 runs measured by us and 10 by
  a bare loop (predict, data(), dispose), which comes first taking turns; given are the medians and their ratio.

A machine that does something else meanwhile makes every number but the sizes larger. Exits with 1 above a limit.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import Browser, Route, sync_playwright

from tests.e2e.chromium import launch, require_chromium
from tests.e2e.lab import REPOSITORY, LabServer, Notebook
from tests.e2e.widget import Widget

STATIC = REPOSITORY / "tfjs_magic" / "static"
ORIGIN = "https://benchmark.invalid"
ROUNDS, RUNS_PER_ROUND = 10, 10
Row = tuple[str, float, float | None, str]
"""What, measured, limit, unit."""

#: Frame gaps until `stop` resolves, by the widget's status line: {idle|all|runs: longest gap in ms}.
_WATCH_FRAMES = """() => {
  const gaps = {all: 0, runs: 0};
  let before = performance.now();
  const frame = now => {
    const line = document.querySelector('section.tfjs-magic .tm-status p')?.textContent ?? '';
    const gap = now - before;
    before = now;
    gaps.all = Math.max(gaps.all, gap);
    if (/: (run|warm-up) \\d/.test(line)) gaps.runs = Math.max(gaps.runs, gap);
    if (!globalThis.framesDone) requestAnimationFrame(frame);
  };
  globalThis.framesDone = false;
  globalThis.frameGaps = gaps;
  requestAnimationFrame(now => { before = now; requestAnimationFrame(frame); });
}"""

_RUN_WORKER = """async ({model, rounds, runs}) => {
  const bytes = async name => (await fetch(name)).arrayBuffer();
  const worker = new Worker(URL.createObjectURL(await (await fetch('/bare_loop.js')).blob()));
  const wasm = {};
  for (const name of ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm']) wasm[name] = await bytes('/' + name);
  const files = {...model, json: await bytes('/model.json'), weights: await bytes('/weights')};
  return new Promise((resolve, reject) => {
    worker.onmessage = ({data}) => data.error ? reject(new Error(data.error)) : resolve(data);
    worker.onerror = event => reject(new Error(event.message));
    worker.postMessage({model: files, shape: [1, 224, 224, 3], wasm, rounds, runs});
  });
}"""


def main() -> int:
    """Print the table; return the exit status."""
    rows = file_sizes()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = launch(playwright, require_chromium())
        server = LabServer(Path(home))
        try:
            rows += notebook_numbers(server, browser)
        finally:
            server.close()
        rows += overhead(browser)
    for what, value, limit, unit in rows:
        verdict = "" if limit is None else f"limit {limit:g} {unit}" + ("" if value <= limit else "  EXCEEDED")
        print(f"{what:58} {value:10.4g} {unit:5} {verdict}")
    return int(any(limit is not None and value > limit for _, value, limit, _ in rows))


def file_sizes() -> list[Row]:
    """Return the sizes of what is built."""
    scripts = sum((STATIC / f"{name}.gz").stat().st_size for name in ("page.js", "runtime.js"))
    return [
        ("_esm (widget.js)", (STATIC / "widget.js").stat().st_size / 1e3, 60, "KB"),
        ("page.js and runtime.js, gzip", scripts / 1e3, 500, "KB"),
        ("wasm backend with SIMD, gzip", (STATIC / "tfjs-backend-wasm-simd.wasm.gz").stat().st_size / 1e3, None, "KB"),
    ]


def notebook_numbers(server: LabServer, browser: Browser) -> list[Row]:
    """Run MobileNetV2 in JupyterLab; give frame gaps and the size of the widget's state."""
    convert = "%%tfjs_convert --runs 30 --backend wasm\nkeras.applications.MobileNetV2(weights=None)"
    notebook = server.notebook(browser, ["%load_ext tfjs_magic\nimport keras", convert], name="benchmark.ipynb")
    notebook.run(0)
    idle = frame_gaps(notebook, lambda: notebook.page.wait_for_timeout(2000))["all"]

    def run() -> None:
        notebook.run(1)
        Widget(notebook.cell(1)).wait_for("finished")

    busy = frame_gaps(notebook, run)
    state = notebook.python("len(json.dumps(_.get_state()))", after="import json")
    return [
        ("longest frame gap, idle page", idle, None, "ms"),
        ("longest frame gap, warm-up and runs", busy["runs"], 50, "ms"),
        ("longest frame gap, whole benchmark", busy["all"], None, "ms"),
        ("widget state to save, 30 runs", state / 1e3, 100, "KB"),
    ]


def frame_gaps(notebook: Notebook, action: Callable[[], None]) -> dict[str, float]:
    """Return the longest gaps between two animation frames during ``action``, in ms."""
    notebook.page.evaluate(_WATCH_FRAMES)
    action()
    gaps: dict[str, float] = notebook.page.evaluate("() => { globalThis.framesDone = true; return frameGaps; }")
    return gaps


def overhead(browser: Browser) -> list[Row]:
    """Time our measurement and a bare loop in the same worker."""
    files, model = converted_model()
    files["/bare_loop.js"] = bundle(Path(__file__).with_name("bare_loop.ts"))
    for name in ("tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm"):
        files[f"/{name}"] = gzip.decompress((STATIC / f"{name}.gz").read_bytes())

    def answer(route: Route) -> None:
        body = files.get(route.request.url.removeprefix(ORIGIN), b"")
        # Isolated pages get the finest clock: 5 µs.
        isolation = {"cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp"}
        route.fulfill(body=body, headers={"content-type": "text/html", **isolation})

    page = browser.new_page()
    page.route("**/*", answer)
    page.goto(f"{ORIGIN}/")
    task = {"model": model, "rounds": ROUNDS, "runs": RUNS_PER_ROUND}
    times: dict[str, list[float]] = page.evaluate(_RUN_WORKER, task)
    page.close()
    assert len(times["ours"]) == len(times["bare"]) == ROUNDS * RUNS_PER_ROUND
    ours, bare = statistics.median(times["ours"]), statistics.median(times["bare"])
    return [
        ("MobileNetV2 on wasm, our median", ours, None, "ms"),
        ("MobileNetV2 on wasm, bare loop's median", bare, None, "ms"),
        ("ours / bare", ours / bare, 1.02, ""),
    ]


def converted_model() -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return path → bytes, and the names that the runtime wants with them."""
    import keras

    import tfjs_magic

    model = tfjs_magic.convert(keras.applications.MobileNetV2(weights=None), format="graph")
    files = {"/model.json": json.dumps(model.model_json).encode(), "/weights": model.read_weights(0, model.nbytes)}
    names = {"inputs": [one.name for one in model.inputs], "outputs": [one.name for one in model.outputs]}
    return files, {"format": model.format, **names}


def bundle(entry: Path) -> bytes:
    """Bundle a worker script in memory; packages come from js/node_modules."""
    modules = REPOSITORY / "js" / "node_modules"
    command = [
        str(modules / ".bin" / "esbuild"),
        str(entry),
        "--bundle",
        "--format=iife",
        "--target=es2022",
        "--minify",
    ]
    done = subprocess.run(command, env={**os.environ, "NODE_PATH": str(modules)}, check=True, capture_output=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
