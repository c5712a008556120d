"""The passes as a whole: each has its tests, each of its refusals is met there, and together they come to rest."""

from __future__ import annotations

import ast
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, run_passes

HERE = Path(__file__).parent
MODULES = sorted(HERE.parents[1].glob("tfjs_magic/passes/[!_]*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_each_module_has_its_tests_and_they_meet_each_refusal(module: Path) -> None:
    tests = (HERE / f"test_{module.stem}.py").read_text(encoding="utf-8")
    for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Miss":
            parts = [part.value for part in ast.walk(call.args[0]) if isinstance(part, ast.Constant)]
            assert all(str(part) in tests for part in parts), f"no test meets {ast.unparse(call)}"


def test_a_block_becomes_one_kernel_and_a_second_time_changes_nothing() -> None:
    kernel, bias = random_array("kernel", 3, 3, 4, 5), random_array("bias", 5)

    def block(x: tf.Tensor) -> tf.Tensor:
        y = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME", "NCHW"), bias, "NCHW")
        y = tf.transpose(y, [0, 2, 3, 1]) * tf.math.rsqrt(bias**2 + 1e-3) + 1.0
        return tf.nn.relu(y)

    graph = traced(block, tf.TensorSpec((None, 4, 9, 8), name="x"))
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph) == {"_FusedConv2D": 1, "Transpose": 1}
    again = [report for group in PIPELINE.values() for report in run_passes(graph, group)]
    assert not [report.name for report in again if report.applied]


def test_an_encoder_block_needs_so_few_kernels() -> None:
    """Biases, GELU's half and the attention mask cost no kernel; a LayerNormalization eight."""
    layers, x = keras.layers, keras.Input((5, 6))
    flags = keras.Input((5,), dtype="bool")
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x, attention_mask=flags[:, None]))
    y = y + layers.Dense(6)(layers.Dense(8, activation="gelu")(y))
    model = keras.Model([x, flags], y)
    specs = tf.TensorSpec((1, 5, 6), name="x"), tf.TensorSpec((1, 5), tf.bool, name="flags")
    graph = traced(lambda x, flags: model([x, flags]), *specs)
    for group in PIPELINE.values():
        run_passes(graph, group)
    counts = count_ops(graph)
    assert counts["_FusedMatMul"] == 7
    assert not {"BiasAdd", "Neg", "SelectV2", "LogicalAnd"} & set(counts)
    assert sum(counts.values()) <= 49
