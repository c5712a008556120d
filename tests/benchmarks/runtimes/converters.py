"""Convert one network with one converter; a process of its own, since some of them end theirs.

Usage: python -m tests.benchmarks.runtimes.converters NETWORK CONTENDER DIRECTORY
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import tensorflow as tf

import tfjs_magic
from tests.benchmarks.runtimes.networks import build, samples


def ours(**options: Any) -> Callable[[Any, Path], list[str]]:
    """Return our own converter; the batch is 1, as for the others."""

    def convert(model: Any, directory: Path) -> list[str]:
        shapes = {one.name: (1, *one.shape[1:]) for one in model.inputs}
        fixed = {"inputs": shapes} if options["format"] == "graph" else {}
        web = tfjs_magic.convert(model, **fixed, **options)
        web.save(directory, overwrite=True)
        print(f"{sum(web.report.ops.values())} nodes")
        return [one.name for one in web.inputs]

    return convert


def official(model: Any, directory: Path) -> list[str]:
    """Convert by way of a SavedModel with pip's ``tensorflowjs``, whose imports of what nobody needs are stubs."""
    for name in ("tensorflow_decision_forests", "jax", "jax.experimental", "jax.experimental.jax2tf", "flax"):
        sys.modules[name] = MagicMock()
    converter = importlib.import_module("tensorflowjs.converters.tf_saved_model_conversion_v2")
    with _saved(model) as (saved, names):
        converter.convert_tf_saved_model(saved, str(directory))
    return names


def onnx(model: Any, directory: Path) -> list[str]:
    """Convert with tf2onnx, which is told what it does not know: erfc(x) = 1 - erf(x), from Keras's gelu."""
    convert = importlib.import_module("tf2onnx.convert")
    function, names = _function(model)
    convert.from_function(
        function,
        function.input_signature,
        opset=18,
        custom_op_handlers={"Erfc": (_erfc, [])},
        output_path=str(directory / "model.onnx"),
    )
    return names


def _erfc(graph: Any, node: Any, name: str, _: Any) -> Any:
    """Replace a node of tf2onnx's graph."""
    shape, dtype = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    one = graph.make_const(f"{name}_one", np.ones((), np.float32))
    erf = graph.make_node("Erf", [node.input[0]], shapes=[shape], dtypes=[dtype])
    graph.remove_node(node.name)
    return graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=node.output, shapes=[shape], dtypes=[dtype])


def litert(model: Any, directory: Path) -> list[str]:
    """Convert with the converter that TensorFlow has."""
    freeze = importlib.import_module("tensorflow.python.framework.convert_to_constants")  # else variables stay empty
    function, names = _function(model)
    frozen = freeze.convert_variables_to_constants_v2(function.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], model)
    (directory / "model.tflite").write_bytes(converter.convert())
    return names


@contextlib.contextmanager
def _saved(model: Any) -> Iterator[tuple[str, list[str]]]:
    """Write the model as a SavedModel for a batch of 1; give its directory and the names of its inputs."""
    module = tf.Module()
    module.call, names = _function(model)
    module.model = model
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(module, saved, signatures=module.call.get_concrete_function())
        yield saved, names


def _function(model: Any) -> tuple[Any, list[str]]:
    """Return the model for a batch of 1 as a function of x0, x1, …, and these names."""
    names = [f"x{place}" for place in range(len(model.inputs))]
    specs = [
        tf.TensorSpec((1, *one.shape[1:]), one.dtype, name=name) for name, one in zip(names, model.inputs, strict=True)
    ]
    function = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False), input_signature=specs)
    return function, names


CONVERTERS: dict[str, Callable[[Any, Path], list[str]]] = {
    "official": official,
    "graph": ours(format="graph"),
    "layers": ours(format="layers"),
    "onnx": onnx,
    "litert": litert,
    "wasm": ours(format="graph", target="wasm"),
    "inference": ours(format="layers", inference=True),
}


def main() -> None:
    """Write the converted model, two samples and what Keras makes of them."""
    name, contender, target = sys.argv[1:]
    directory = Path(target)
    directory.mkdir(parents=True, exist_ok=True)
    model = build(name)
    feeds = [samples(model, seed) for seed in (1, 2)]
    wanted = [np.asarray(model(feed if len(feed) > 1 else feed[0], training=False)) for feed in feeds]
    names = CONVERTERS[contender](model, directory)
    rows = [
        {"name": name, "dtype": str(one.dtype), "shape": list(one.shape)}
        for name, one in zip(names, feeds[0], strict=True)
    ]
    for number, feed in enumerate(feeds):
        for place, one in enumerate(feed):
            (directory / f"feed{number}-{place}.bin").write_bytes(one.tobytes())
    np.save(directory / "wanted.npy", np.stack(wanted))
    (directory / "inputs.json").write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
