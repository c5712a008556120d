"""Measure which of our two formats is faster, kind of layer by kind of layer: the table in layers/format_speed.py.

Method. Each network (``networks.py``; random weights) is converted both ways, the graph with its batch fixed to 1 and
with it left open, as convert leaves it. In one Node process, on wasm with one thread, each model runs k times in turn,
in the opposite order every second round; k lets the fastest take 10 ms. What counts is the processor's time of the
process, not the clock's, so that a busy machine hardly matters. Given are the median ratio of the layers model's time
to the graph model's of the same round with its first and last tenth; and the programs per run on webgl, counted in
headless Chromium. Outputs are compared with Keras's before anything is measured.

Run: python -m tests.benchmarks.formats [KIND …] [--rounds 20]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

import tfjs_magic
from tests.benchmarks.formats.networks import NETWORKS
from tests.benchmarks.runtimes.__main__ import ORIGIN, add_frame, answer
from tests.e2e.chromium import launch, require_chromium
from tests.models import keras_outputs, samples_of

VARIANTS = ("layers", "graph", "graph, free batch")


def main() -> None:
    """Print a row per kind."""
    parser = argparse.ArgumentParser(description="Measure both formats.")
    parser.add_argument("kinds", nargs="*", default=[*NETWORKS])
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    print(f"{'kind':40} {'layers / graph':>20} {'/ free batch':>20}  webgl programs: layers, graph, free batch")
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = launch(playwright, require_chromium(), software_gpu=True)
        for kind in arguments.kinds:
            write(kind, Path(home) / "models" / "network")
            folder = Path(home) / "models" / "network"
            words = ["node", str(Path(__file__).with_name("time.mjs")), str(folder), str(arguments.rounds), *VARIANTS]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            times = np.array(json.loads(done.stdout.splitlines()[-1]))
            ratios = [_ratio(times[0] / other) for other in times[1:]]
            page = browser.new_page()
            page.set_default_timeout(0)
            page.route("**/*", lambda route: answer(route, Path(home)))
            page.goto(f"{ORIGIN}/")
            counts = []
            for variant in VARIANTS:
                frame = add_frame(page, variant)
                frame.evaluate("path => prepare('graph', path, 'webgl')", f"/models/network/{variant}")
                counts.append(frame.evaluate("() => programs()"))
            page.close()
            print(f"{kind:40} {ratios[0]:>20} {ratios[1]:>20}  {', '.join(map(str, counts))}", flush=True)


def write(kind: str, folder: Path) -> None:
    """Convert a network every way, with a sample and Keras's output beside each."""
    model = NETWORKS[kind]()
    (one,) = model.inputs
    ways: dict[str, dict[str, Any]] = {
        "layers": {"format": "layers"},
        "graph": {"format": "graph", "inputs": {one.name: (1, *one.shape[1:])}},
        "graph, free batch": {"format": "graph"},
    }
    for variant, options in ways.items():
        web = tfjs_magic.convert(model, **options)
        web.save(folder / variant, overwrite=True)
        info = web.inputs[0]
        row = {"name": info.name, "dtype": info.dtype, "shape": [1, *(info.shape or ())[1:]]}
        (folder / variant / "inputs.json").write_text(json.dumps([row]), encoding="utf-8")
        for seed in (0, 1):
            (feed,) = samples_of(web.inputs, seed, batch=1).values()
            (wanted,) = keras_outputs(model, {one.name: feed}).values()
            (folder / variant / f"feed{seed}-0.bin").write_bytes(feed.tobytes())
            (folder / variant / f"wanted{seed}.bin").write_bytes(np.asarray(wanted).tobytes())


def _ratio(found: np.ndarray) -> str:
    low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


if __name__ == "__main__":
    main()
