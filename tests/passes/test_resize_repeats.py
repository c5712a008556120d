"""Repeated rows, columns and other axes become nearest resizes."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.passes import resize_repeats
from tfjs_magic.passes.rewrite import run_passes

PASSES = [resize_repeats.PASS]


def _spec(*shape: int | None, dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name="x")


def _repeated(times: int, axis: int) -> Any:
    return lambda x: tf.repeat(x, times, axis)


CASES: dict[str, tuple[Any, tf.TensorSpec]] = {
    "rows": (_repeated(2, 1), _spec(2, 4, 5, 3)),
    "columns": (_repeated(3, 2), _spec(None, 4, 5, 3)),
    "channels": (_repeated(3, 3), _spec(None, 4, 5, 3)),
    "batch": (_repeated(3, 0), _spec(2, 4, 5, 3)),
    "steps": (_repeated(7, 1), _spec(None, 4, 3)),
    "volume": (_repeated(2, 2), _spec(None, 2, 4, 3, 2)),
    "matrix": (_repeated(5, 1), _spec(None, 4)),
    "upsampling": (keras.layers.UpSampling2D((2, 3)), _spec(None, 4, 5, 3)),
    "upsampling-3d": (keras.layers.UpSampling3D((2, 3, 4)), _spec(None, 4, 2, 3, 2)),
    "long": (_repeated(97, 1), _spec(1, 149, 1, 1)),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    function, spec = CASES[case]
    check_lowering(tfjs_node, PASSES, function, spec, tolerance=0)


@pytest.mark.parametrize("case", ["upsampling", "upsampling-3d", "steps"])
def test_is_exact_on_gpus(tfjs_node: TfjsNode, case: str) -> None:
    function, spec = CASES[case]
    check_on_gpu(tfjs_node, function, spec, tolerance=0)


def test_rows_and_columns_are_one_resize() -> None:
    graph = traced(*CASES["upsampling"])
    run_passes(graph, PASSES)
    assert sum(node.op == "ResizeNearestNeighbor" for node in graph) == 1
    assert not any(node.op == "Tile" for node in graph)


def test_keeps_a_resize_that_others_use() -> None:
    graph = traced(lambda x: (y := tf.repeat(x, 2, 1), tf.repeat(y, 2, 2)), _spec(2, 4, 5, 3))
    *_, last = run_passes(graph, PASSES)
    assert last.applied == 2
    assert set(last.misses) == {"what is tiled is used elsewhere, too"}


def test_refuses_unknown_sizes() -> None:
    assert refusals(PASSES, _repeated(2, 1), _spec(2, None, 5, 3), lacking=False) == {"a size is unknown"}


def test_refuses_what_float32_may_round() -> None:
    reasons = refusals(PASSES, _repeated(2**10, 1), _spec(1, 2**11, 1, 1), lacking=False)
    assert reasons == {"there are more than 1048576 rows or columns"}


def test_keeps_what_is_tiled_for_others() -> None:
    def function(x: Any) -> Any:
        wide = tf.tile(tf.expand_dims(x, 2), [1, 1, 3, 1, 1])
        return wide, tf.reshape(wide, [2, 12, 5, 3])

    assert refusals(PASSES, function, _spec(2, 4, 5, 3), lacking=False) == {"what is tiled is used elsewhere, too"}


@pytest.mark.parametrize(
    ("axis", "times", "shape"),
    [
        pytest.param(2, [1, 1, 3, 1, 1], [2, 4, 15, 3], id="all-columns-one-after-the-other"),
        pytest.param(2, [1, 1, 3, 2, 1], [2, 12, 10, 3], id="two-axes-are-tiled"),
        pytest.param(0, [3, 1, 1, 1, 1], [6, 4, 5, 3], id="the-batch-is-tiled"),
        pytest.param(1, [1, 1, 3, 1, 1], [2, 12, 5, 3], id="all-rows-one-after-the-other"),
    ],
)
def test_leaves_other_tiles(axis: int, times: list[int], shape: list[int]) -> None:
    function = lambda x: tf.reshape(tf.tile(tf.expand_dims(x, axis), times), shape)  # noqa: E731
    assert refusals(PASSES, function, _spec(2, 4, 5, 3), lacking=False) == set()


def test_leaves_integers() -> None:
    """Wasm gives resized integers back as float32."""
    assert refusals(PASSES, _repeated(2, 1), _spec(2, 4, 5, 3, dtype=tf.int32), lacking=False) == set()
