"""Compare what our graph models cost in a browser with the official converter, onnxruntime-web and LiteRT.js.

Method. Each network (``networks.py``: random weights, batch 1) is converted by each converter in a process of its own.
One launch of headless Chromium then holds, of one network at a time, a frame per runtime: TensorFlow.js (our models and
the official converter's), onnxruntime-web and LiteRT.js, each on wasm with SIMD and one thread. First every output of
two samples is compared with Keras's; a runtime whose error is above 1e-4 of the largest output is called wrong. Then
rounds: in each, every frame runs the model k times, one frame after the other, in the opposite order every second time;
k lets the fastest take 8 ms. A run ends with its output read. Given are the first contender's median in milliseconds,
and of each other the median over the rounds of the first's time divided by its time in the same round: below 1, the
first is faster. On a busy machine give --processor-time (Linux): what the page's process has spent on a processor then
counts instead of the clock. --markdown prints, for the README, the ratios of both our graphs to each other contender.

What it needs beside the project (tf2onnx, onnx and tensorflowjs from PyPI; onnxruntime-web and @litertjs/core from npm;
230 MB) is installed into a folder of its own, where the converted models stay, too.

Run: python -m tests.benchmarks.runtimes [NETWORK …]; --help lists the options
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from playwright.sync_api import Browser, Error, Frame, Page, Route, sync_playwright

from tests.e2e.chromium import launch, require_chromium

REPOSITORY = Path(__file__).parents[3]
ORIGIN = "https://benchmark.invalid"
PYTHON_PACKAGES = ("tf2onnx", "onnx", "tensorflowjs")
NPM_PACKAGES = ("onnxruntime-web", "@litertjs/core")
NETWORKS = {
    "transformer": "Transformer encoder",
    "vit": "ViT",
    "bert": "BERT-like encoder",
    "gpt": "GPT block",
    "lstm": "LSTM, 50 steps",
    "gru": "Bidirectional GRU, text",
    "unet": "U-Net",
    "audio": "Conv1D, audio",
    **{
        name: name
        for name in ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "DenseNet121", "ResNet50", "ConvNeXtTiny")
    },
}
CONTENDERS = {
    "graph": "ours",
    "wasm": "ours (target=wasm)",
    "layers": "ours (layers)",
    "inference": "ours (layers, inference)",
    "official": "official converter",
    "onnx": "onnxruntime-web",
    "litert": "LiteRT.js",
}
WRONG = 1e-4
MOST_WORDS = 300
PIECE_BYTES = 2**25
SHORTEST_MS = 8.0
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}

#: Contender → milliseconds per run, round by round, or why there are none.
Row = dict[str, Sequence[float] | str]


def main() -> None:
    """Install, convert, measure, print."""
    arguments = _arguments()
    home: Path = arguments.home
    install(home)
    print(f"{'network':26}" + "".join(f"{CONTENDERS[one]:>26}" for one in arguments.contenders), flush=True)
    rows: dict[str, Row] = {}
    with sync_playwright() as playwright:
        browser = launch(playwright, require_chromium())
        for name in arguments.networks:
            refused = {
                one: reason
                for one in arguments.contenders
                if (reason := convert(home, name, one, reuse=arguments.reuse))
            }
            ready = [one for one in arguments.contenders if one not in refused]
            rows[name] = row = {**measure(browser, home, name, ready, arguments), **refused}
            base = next(one for one in arguments.contenders if not isinstance(row[one], str))
            cells = (median(row[one]) if one == base else ratio(row[base], row[one]) for one in arguments.contenders)
            print(f"{name:26}" + "".join(f"{cell:>26}" for cell in cells), flush=True)
            for one, found in row.items():
                if isinstance(found, str):
                    print(f"    {CONTENDERS[one]}: {found}", flush=True)
    if arguments.markdown:
        print_markdown(rows, arguments.contenders)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare runtimes in a browser.")
    parser.add_argument("networks", nargs="*", default=[*NETWORKS])
    parser.add_argument(
        "--contenders", type=lambda word: word.split(","), default=["graph", "wasm", "official", "onnx", "litert"]
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--processor-time", action="store_true", help="for a busy machine: do not measure by the clock")
    parser.add_argument("--reuse", action="store_true", help="take what an earlier run converted")
    parser.add_argument("--markdown", action="store_true", help="print the table once more for a README")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "tfjs-magic-benchmark")
    arguments = parser.parse_args()
    if unknown := {*arguments.contenders} - {*CONTENDERS} | {*arguments.networks} - {*NETWORKS}:
        parser.error(f"{', '.join(sorted(unknown))}: expected of {', '.join([*CONTENDERS, *NETWORKS])}")
    return arguments


# ---------------------------------------------------------------------- before the browser


def install(home: Path) -> None:
    """Install what is missing in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "python" / "tf2onnx").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(home / "python")]
        subprocess.run(["nice", *pip, *PYTHON_PACKAGES], check=True)
    npm = home / "npm"
    if not (npm / "node_modules" / "@litertjs").is_dir():
        npm.mkdir(exist_ok=True)
        (npm / "package.json").write_text('{"private": true}', encoding="utf-8")
        words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        subprocess.run(["nice", *words, *NPM_PACKAGES], cwd=npm, check=True)
    esbuild = REPOSITORY / "js" / "node_modules" / ".bin" / "esbuild"
    entry = npm / "node_modules" / "@litertjs" / "core" / "dist" / "index.js"
    bundled = ["--bundle", "--format=esm", "--log-level=error", f"--outfile={home / 'litert.js'}"]
    subprocess.run([str(esbuild), str(entry), *bundled], check=True)


def convert(home: Path, name: str, contender: str, *, reuse: bool) -> str:
    """Convert a network; return why it cannot be, "" if it can."""
    directory = home / "models" / name / contender
    if reuse and (directory / "inputs.json").is_file():
        return ""
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(home / "python")]),
    }
    (directory / "inputs.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.benchmarks.runtimes.converters", name, contender, str(directory)]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    found = re.findall(r"^[\w.]*(?:Error|Exception): (.*)", done.stderr, re.MULTILINE | re.DOTALL)
    return f"refused: {' '.join((found or [done.stderr])[-1].split())[:MOST_WORDS]}"


# ---------------------------------------------------------------------- in the browser


def measure(browser: Browser, home: Path, name: str, contenders: Sequence[str], arguments: argparse.Namespace) -> Row:
    """Return what each contender's model takes, or why it does not run."""
    page = browser.new_page()
    page.set_default_timeout(0)
    page.route("**/*", lambda route: answer(route, home))
    page.goto(f"{ORIGIN}/")
    frames: dict[str, Frame] = {}
    row: Row = {}
    for contender in contenders:
        frame = add_frame(page, contender)
        path = f"/models/{name}/{contender}"
        try:
            outputs = frame.evaluate("([contender, path]) => prepare(contender, path)", [contender, path])
        except Error as error:
            row[contender] = f"fails: {error.message.splitlines()[0].rpartition('Error: ')[2]}"
            continue
        wanted = np.load(home / "models" / name / contender / "wanted.npy")
        found = np.reshape(np.asarray(outputs, np.float64), wanted.shape)
        error = float(np.abs(found - wanted).max() / np.abs(wanted).max())
        if error <= WRONG:
            frames[contender] = frame
        else:
            row[contender] = f"wrong: error {error:.1e} of the largest output"
    clock = _renderer_clock(browser) if arguments.processor_time else None
    row |= _times(frames, arguments.rounds, clock) if frames else {}
    page.close()
    return row


def answer(route: Route, home: Path) -> None:
    """Answer a request of the page from the disk: no port is opened."""
    url = urlsplit(route.request.url)
    path = unquote(url.path)
    places = {
        "/tfjs/": REPOSITORY / "js" / "node_modules" / "@tensorflow",
        "/npm/": home / "npm" / "node_modules",
        "/models/": home / "models",
    }
    for prefix, folder in places.items():
        if path.startswith(prefix) and (file := folder / path.removeprefix(prefix)).is_file():
            content = file.read_bytes()
            if url.query:
                start = int(url.query.removeprefix("piece=")) * PIECE_BYTES
                content = content[start : start + PIECE_BYTES]
            route.fulfill(body=content, content_type=TYPES.get(file.suffix, "application/octet-stream"))
            return
    own = {"/frame.js": Path(__file__).with_name("frame.js"), "/litert.js": home / "litert.js"}
    if path in own:
        route.fulfill(body=own[path].read_bytes(), content_type="text/javascript")
    elif path in {"/", "/frame"}:
        script = "<script type=module src=/frame.js></script>" if path == "/frame" else ""
        route.fulfill(body=f"<!doctype html><body>{script}", content_type="text/html")
    else:
        route.fulfill(status=404)


def add_frame(page: Page, name: str) -> Frame:
    """Add a frame, and wait until its script has run."""
    page.evaluate(
        "name => void document.body.append(Object.assign(document.createElement('iframe'), {name, src: '/frame'}))",
        name,
    )
    page.wait_for_function("name => window.frames[name]?.prepare !== undefined", arg=name)
    frame = page.frame(name)
    assert frame is not None
    return frame


def _renderer_clock(browser: Browser) -> Callable[[], float]:
    """Return a clock that shows what the page's process, all frames of it, has spent on a processor, in ms."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [one for one in found if one["type"] == "renderer"]
    process = max(renderers, key=lambda one: float(one["cpuTime"]))["id"]

    def clock() -> float:
        threads = Path(f"/proc/{process}/task").iterdir()
        return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e6

    return clock


def _times(
    frames: Mapping[str, Frame], rounds: int, clock: Callable[[], float] | None = None
) -> dict[str, list[float]]:
    """Return contender → milliseconds per run, round by round."""

    def time(frame: Frame, runs: int) -> float:
        start = clock() if clock else 0.0
        elapsed = float(frame.evaluate("runs => time(runs)", runs))
        return (clock() - start) / runs if clock else elapsed

    fastest = min(min(time(frame, 1) for _ in range(3)) for frame in frames.values())
    runs = max(1, round(SHORTEST_MS / max(fastest, 0.01)))
    times: dict[str, list[float]] = {name: [] for name in frames}
    order = [*frames]
    random.Random(0).shuffle(order)
    for number in range(rounds):
        for name in order if number % 2 == 0 else order[::-1]:
            times[name].append(time(frames[name], runs))
    return times


def median(times: Sequence[float] | str) -> str:
    """Say what a run takes."""
    return _why(times) if isinstance(times, str) else f"{statistics.median(times):.2f} ms"


def ratio(ours: Sequence[float] | str, others: Sequence[float] | str, *, bare: bool = False) -> str:
    """Say what ours takes divided by what the other takes; unless bare with the first and last tenth of the rounds."""
    for found in (ours, others):
        if isinstance(found, str):
            return _why(found)
    ratios = sorted(float(mine) / float(other) for mine, other in zip(ours, others, strict=True))
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    return f"{statistics.median(ratios):.2f}" + ("" if bare else f" ({low:.2f}–{high:.2f})")


def _why(text: str) -> str:
    return text.partition(":")[0]


def print_markdown(rows: Mapping[str, Row], contenders: Sequence[str]) -> None:
    """Print the time of each of our graphs divided by that of each other."""
    ours = [one for one in ("graph", "wasm") if one in contenders]
    others = [one for one in contenders if one not in ours]
    print(f"\n| ours, divided by | {' | '.join(CONTENDERS[one] for one in others)} |\n|---|{'---|' * len(others)}")
    for name, row in rows.items():
        cells = (dict.fromkeys(ratio(row[mine], row[other], bare=True) for mine in ours) for other in others)
        print(f"| {NETWORKS[name]} | {' | '.join(' / '.join(cell) for cell in cells)} |")


if __name__ == "__main__":
    main()
