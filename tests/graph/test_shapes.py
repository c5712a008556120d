"""The shapes of nodes that passes write are those that TensorFlow works out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.graph_text import parse_graph
from tests.traced import traced
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.shapes import infer_shapes, shape_of

raw = tf.raw_ops
CASES: dict[str, Callable[[Any, Any], Any]] = {
    "AddV2": lambda x, _: x + x[:1, :1],
    "ArgMax": lambda x, _: tf.argmax(x, 1),
    "AvgPool": lambda x, _: tf.nn.avg_pool2d(x[..., None], [2, 3], [2, 1], "VALID"),
    "BatchMatMulV2": lambda x, _: tf.matmul(x[:, None], x, adjoint_b=True),
    "BroadcastTo": lambda x, _: tf.broadcast_to(x[0, 0], [2, 3, 5]),
    "ConcatV2": lambda x, _: tf.concat([x, x * 2, x], -2),
    "Cumsum": lambda x, _: tf.cumsum(x, 1),
    "ExpandDims": lambda x, _: tf.expand_dims(x, -2),
    "Fill": lambda x, _: tf.fill([2, 3], x[0, 0, 0]),
    "GatherV2": lambda x, i: tf.gather(x, i, axis=-2),
    "MatMul": lambda x, _: raw.MatMul(a=x[0], b=x[1], transpose_a=True),
    "MaxPool": lambda x, _: tf.nn.max_pool2d(x[..., None], [2, 3], [2, 3], "SAME"),
    "Mean": lambda x, _: tf.reduce_mean(x, [0, -1], keepdims=True),
    "Max": lambda x, _: tf.reduce_max(x, [0, -1]),
    "OneHot": lambda _, i: tf.one_hot(i, 4),
    "Pack": lambda x, _: tf.stack([x, x * 2], -2),
    "Pad": lambda x, _: tf.pad(x, [[0, 1], [2, 0], [0, 0]]),
    "Reshape": lambda x, _: tf.reshape(x, [5, -1, 2]),
    "SelectV2": lambda x, _: tf.where(x[:1] > 0, x, 0.5),
    "Shape": lambda x, _: tf.shape(tf.where(x > 0)),
    "Slice": lambda x, _: tf.slice(x, [0, 1, 2], [1, 2, -1]),
    "StridedSlice": lambda x, _: x[1:, -1, ::-2],
    "StridedSlice-beyond": lambda x, _: x[:, -9:9:2],
    "Tile": lambda x, _: tf.tile(x, [2, 1, 3]),
    "Transpose": lambda x, _: tf.transpose(x, [2, 0, 1]),
}


def _found(graph: Graph, case: str) -> list[tuple[Any, Any]]:
    op = case.partition("-")[0]
    return [(shape_of(graph, node), graph.shape(node.ref())) for node in graph if node.op == op]


@pytest.mark.parametrize("case", CASES)
def test_known_sizes_give_the_shape(case: str) -> None:
    specs = tf.TensorSpec((2, 3, 5), name="x"), tf.TensorSpec((4, 2), tf.int32, name="i")
    found = _found(traced(CASES[case], *specs), case)
    assert found
    for got, want in found:
        assert got == want
        assert None not in got


@pytest.mark.parametrize("case", CASES)
def test_unknown_sizes_give_what_is_known(case: str) -> None:
    specs = tf.TensorSpec((None, 3, None), name="x"), tf.TensorSpec((None, 2), tf.int32, name="i")
    found = _found(traced(CASES[case], *specs), case)
    assert found
    for got, want in found:
        assert len(got) == len(want)
        assert all(None in pair or pair[0] == pair[1] for pair in zip(got, want, strict=True))


@pytest.mark.parametrize(
    ("text", "dims"),
    [
        ("s: int32[3]\ny = Reshape(x, s)", (None, None, None)),
        ("s: int32[2,2]\ny = Pad(x, s)", (None, None)),
        ("s: int32[]\ny = ExpandDims(x, s)", (None, None, None)),
        ("s: int32[2]\nt: int32[2]\ny = Slice(x, s, t)", (None, None)),
        ("s: int32[2]\nt: int32[2]\nu: int32[2]\ny = StridedSlice(x, s, t, u) shrink_axis_mask=1", (None,)),
        ("s: int32[]\ny = ConcatV2(x, x, s)", (None, None)),
        ("s: int32[]\ny = Sum(x, s)", None),
        ("y = Asinh(x)", None),
    ],
)
def test_computed_operands_leave_the_rank(text: str, dims: Any) -> None:
    graph = parse_graph(f"x: float32[2,3]\n{text}\nreturn y")
    assert shape_of(graph, graph["y"]) == dims


def test_infers_what_follows_from_the_inputs_and_leaves_what_is_damaged() -> None:
    text = "x: float32[2,3]\ny = Tanh(x)\na = Split(x, y) num_split=3\nz = Tanh(a:1)\nreturn y, z"
    graph = parse_graph(text)
    graph.sort()
    infer_shapes(graph)
    assert (graph.shape("y:0"), graph.shape("z:0")) == ((2, 3), None)
