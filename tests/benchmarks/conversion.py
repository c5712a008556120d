"""Measure the conversion of whole networks: memory, time per stage, executed nodes, error.

Method. Each network runs in a process of its own: a Keras application without downloaded weights, every weight drawn
at random and batch norm statistics calibrated on one batch, up to the logits, batch 1. TensorFlow is imported and the
model built and called before anything is measured. Then

    memory  give free memory back to the system (malloc_trim: else conversion would live on what calibration left),
            write 5 to /proc/self/clear_refs, which resets the peak, note VmRSS, convert, read all of the result's
            bytes, note VmHWM. The difference is what conversion needs over import and model. The target is
            1.1 x the weights + 60 MB.
    time    the report's own stages of that same first conversion; for a layers model at most 0.5 s.
    nodes   executed ones: neither Const nor Placeholder; of a layers model the layers.
    error   largest absolute difference to Keras on two samples, relative to the largest output, in Node, cpu and wasm.
            The samples' outputs must differ by over 100 x the tolerance, else the row is void. The last scale of a
            residual block is drawn small, as training leaves it: with large ones ResNet50 amplifies rounding so much
            that Keras in float32 is itself 1.2e-5 away from Keras in float64 (and TF.js 1.1e-5 to 1.5e-5).

Both formats are measured, each in a process of its own. oneDNN is off, because it rounds more than TF.js does. Linux
only. Run: python -m tests.benchmarks.conversion
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfjs_magic.options import Backend

NETWORKS = ("ResNet50", "MobileNetV2")
TOLERANCE = 1e-5
FORMATS = ("graph", "layers")
MOST_NODES = {("ResNet50", "graph"): 90, ("MobileNetV2", "graph"): 66}
MOST_SECONDS = {"graph": float("inf"), "layers": 0.5}


def main() -> int:
    """Measure every network and print the table; give 1 if a target was missed."""
    parser = argparse.ArgumentParser(description="Measure conversion.")
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--one", choices=FORMATS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_measure(arguments.networks[0], arguments.one)))
        return 0
    rows = [_in_a_process(name, form) for name in arguments.networks for form in FORMATS]
    for row in rows:
        limit = 1.1 * row["weights_mb"] + 60
        stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row["seconds"].items())
        most = MOST_NODES.get((row["name"], row["format"]), "-")
        print(f"{row['name']}, {row['format']} model: {row['nodes']} executed nodes (at most {most})")
        print(f"  weights {row['weights_mb']:.1f} MB, peak {row['peak_mb']:.1f} MB above that (at most {limit:.1f})")
        print(f"  time {sum(row['seconds'].values()):.2f} s (at most {MOST_SECONDS[row['format']]:g}; {stages})")
        print(f"  error cpu {row['errors']['cpu']:.2g}, wasm {row['errors']['wasm']:.2g} (at most {TOLERANCE:g})")
        print(f"  samples apart {row['apart']:.2g}")
    met = all(
        row["nodes"] <= MOST_NODES.get((row["name"], row["format"]), row["nodes"])
        and sum(row["seconds"].values()) <= MOST_SECONDS[row["format"]]
        and row["peak_mb"] <= 1.1 * row["weights_mb"] + 60
        and max(row["errors"].values()) <= TOLERANCE
        and row["apart"] > 100 * TOLERANCE
        for row in rows
    )
    return 0 if met else 1


def _in_a_process(name: str, form: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }
    command = [sys.executable, "-m", "tests.benchmarks.conversion", name, "--one", form]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _measure(name: str, form: str) -> dict[str, Any]:
    import numpy as np

    from tests.conformance.compare import relative_error
    from tests.conformance.node import TfjsNode
    from tfjs_magic import convert

    network = _network(name)
    rng = np.random.default_rng(0)
    samples = [rng.uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32) for _ in range(2)]
    expected = [np.asarray(network(sample, training=False)) for sample in samples]

    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status_mb("VmRSS")
    shape = (1, *network.inputs[0].shape[1:])
    fixed = {network.layers[0].name: shape} if form == "graph" else None  # a layers model keeps its free batch
    model = convert(network, format=form, inputs=fixed)
    for group in model.groups:
        for _, pieces in group.shards():
            checksum = sum(zlib.crc32(piece) for piece in pieces)
            assert checksum
    peak = _status_mb("VmHWM") - before

    (input_name,), (output_name,) = ([info.name for info in infos] for infos in (model.inputs, model.outputs))
    errors: dict[Backend, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        node = TfjsNode(Path(scratch))
        backends: tuple[Backend, ...] = ("cpu", "wasm")
        for backend in backends:
            results = node.run_each(model, [{input_name: sample} for sample in samples], backend)
            found = [relative_error(got[output_name], want) for got, want in zip(results, expected, strict=True)]
            errors[backend] = max(found)
        node.close()
    return {
        "name": name,
        "format": form,
        "nodes": sum(model.report.ops.values()),
        "weights_mb": model.nbytes / 1e6,
        "peak_mb": peak,
        "seconds": model.report.seconds,
        "errors": errors,
        "apart": relative_error(expected[0], expected[1]),
    }


def _network(name: str) -> Any:
    """Build a network whose outputs depend on the input: random weights, statistics of a batch that it has seen."""
    import keras
    import numpy as np

    network = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    rng = np.random.default_rng(1)
    for variable in network.weights:
        shape = tuple(variable.shape)
        if variable.name == "gamma":
            low, high = (0.2, 0.4) if "_3_bn" in variable.path else (0.7, 1.3)
            variable.assign(rng.uniform(low, high, shape))
        elif variable.name in {"beta", "bias"}:
            variable.assign(rng.normal(0, 0.2, shape))
        elif variable.name == "kernel":
            variable.assign(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one batch in training mode sets the statistics
    network(rng.uniform(-1, 1, (8, 224, 224, 3)).astype(np.float32), training=True)
    return network


def _status_mb(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / 1e6
    msg = f"/proc/self/status has no {key}"
    raise OSError(msg)


if __name__ == "__main__":
    sys.exit(main())
