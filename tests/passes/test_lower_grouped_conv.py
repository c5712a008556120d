"""Grouped convolutions run in TF.js as depthwise ones, or as one per group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.pipeline import convert

CASES = {
    "two-groups": ((8, 8, 4), [("Conv2D", {"groups": 2})], {"Conv2D": 2}),
    "one-channel-each": ((8, 8, 4), [("Conv2D", {"groups": 4, "padding": "same"})], {"FusedDepthwiseConv2dNative": 1}),
    "strides": ((8, 8, 4), [("Conv2D", {"groups": 4, "strides": 2})], {"FusedDepthwiseConv2dNative": 1}),
    "uneven-strides": ((8, 8, 4), [("Conv2D", {"groups": 4, "strides": (1, 2)})], {"Conv2D": 4}),
    "dilated": ((9, 9, 4), [("Conv2D", {"groups": 2, "dilation_rate": 2, "padding": "same"})], {"Conv2D": 2}),
    "one-dimensional": ((9, 4), [("Conv1D", {"groups": 2})], {"Conv2D": 2}),
    "batch-norm-and-relu": (
        (8, 8, 4),
        [("Conv2D", {"groups": 2, "use_bias": False}), ("BatchNormalization", {}), ("ReLU", {})],
        {"Conv2D": 2, "Mul": 0},
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_matches_keras(tfjs_node: TfjsNode, case: str, backend: str) -> None:
    shape, stack, ops = CASES[case]
    model = _randomised(keras.Sequential([keras.Input(shape), *(_layer(*entry) for entry in stack)]))
    converted = convert(model, format="graph")
    assert {op: converted.report.ops.get(op, 0) for op in ops} == ops
    _check(tfjs_node, converted, shape, backend)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_a_convolution_that_is_an_output_and_feeds_another_keeps_both(tfjs_node: TfjsNode, backend: str) -> None:
    x = keras.Input((8, 8, 4))
    first = keras.layers.Conv2D(4, 3, groups=2)(x)
    model = _randomised(keras.Model(x, [first, keras.layers.Conv2D(8, 3, groups=4)(first)]))
    _check(tfjs_node, convert(model, format="graph"), (8, 8, 4), backend)


def _layer(name: str, options: dict[str, Any]) -> Any:
    sizes = {"filters": 8, "kernel_size": 3} if name.startswith("Conv") else {}
    return getattr(keras.layers, name)(**sizes, **options)


def _randomised(model: Any) -> Any:
    rng = np.random.default_rng(0)
    for variable in model.variables:
        values = rng.normal(size=variable.shape)
        variable.assign(np.abs(values) + 0.1 if "variance" in variable.path else values)
    return model


def _check(tfjs_node: TfjsNode, converted: Any, shape: tuple[int, ...], backend: str) -> None:
    inputs = {converted.inputs[0].name: np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)}
    assert_matches(tfjs_node.run(converted, inputs, backend=backend), converted.reference(inputs))


def test_computed_weights_are_refused(tmp_path: Path) -> None:
    module = tf.Module()
    conv = tf.function(lambda x, kernel: {"y": tf.nn.conv2d(x, kernel, 1, "SAME")}, autograph=False)
    specs = tf.TensorSpec((None, 8, 8, 4), name="x"), tf.TensorSpec((3, 3, 2, 4), name="kernel")
    module.conv = conv
    tf.saved_model.save(module, tmp_path / "saved", signatures={"serving_default": conv.get_concrete_function(*specs)})
    with pytest.raises(UnsupportedOpsError, match="Groups of channels are refused") as caught:
        convert(tmp_path / "saved")
    assert list(caught.value.ops) == ["Conv2D"]
