"""What is asked of a node is answered from the graph, whatever passes have put between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, parse_graph
from tests.passes.operands import operands
from tfjs_magic.graph.conditions import groups
from tfjs_magic.pipeline import convert

KERNEL = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        pytest.param((1, 5, 5, 4), "", 2, id="two-groups"),
        pytest.param((1, 5, 5, 2), "", 1, id="one-group"),
        pytest.param((1, 4, 5, 5), "data_format=NCHW", 2, id="channels-first"),
        pytest.param((1, 5, 5, None), "", 1, id="unknown-channels"),
        pytest.param(None, "", 1, id="unknown-rank"),
    ],
)
def test_groups(shape: tuple[int | None, ...] | None, options: str, expected: int) -> None:
    graph = parse_graph(f"x: float32[]\ny = Conv2D(x, w) {options}\nreturn y", operands(w=(3, 3, 2, 4)))
    graph.set_shape("x", shape)
    assert groups(graph, graph["y"]) == expected


def _in_a_branch(x: Any) -> Any:
    index = tf.cast(tf.reduce_sum(x) * 0, tf.int32)
    return tf.switch_case(index, [lambda: tf.nn.conv2d(x, KERNEL, 1, "SAME"), lambda: x * 2, lambda: x * 3])


def _of_ensured_shape(x: Any) -> Any:
    return tf.nn.conv2d(tf.ensure_shape(x, (1, 5, 5, 4)), KERNEL, 1, "SAME")


def _of_channels_first(x: Any) -> Any:
    return tf.nn.conv2d(tf.transpose(tf.transpose(x, (0, 3, 1, 2)), (0, 2, 3, 1)), KERNEL, 2, "SAME")


@pytest.mark.parametrize("function", [_in_a_branch, _of_ensured_shape, _of_channels_first])
def test_groups_are_found_where_the_data_come_from_elsewhere(
    tfjs_node: TfjsNode, function: Callable[[Any], Any]
) -> None:
    channels = None if function is _of_ensured_shape else 4
    run = tf.function(function, input_signature=[tf.TensorSpec((1, 5, 5, channels), tf.float32, name="x")])
    web = convert(run)
    x = np.random.default_rng(1).normal(size=(1, 5, 5, 4)).astype(np.float32)
    want = {web.outputs[0].name: np.asarray(run(x))}
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(web, {"x": x}, backend), want)


def test_groups_are_no_attribute_of_what_is_written() -> None:
    specs = [tf.TensorSpec((1, 5, 5, 4), tf.float32, name="x"), tf.TensorSpec((3, 3, 2, 4), tf.float32, name="w")]
    web = convert(tf.function(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), input_signature=specs), skip_op_check=True)
    (conv,) = (node for node in web.model_json["modelTopology"]["node"] if node["op"] == "Conv2D")
    assert "groups" not in conv["attr"]
