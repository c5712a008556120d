"""Bicubic and area resizes of images of any size become two products with computed matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_free_resize

raw = tf.raw_ops
PASSES = [lower_free_resize.PASS]
SIDES = [(9, 8), (5, 12)]
FEEDS = [{"x": np.random.default_rng(0).normal(size=(2, *sides, 3)).astype(np.float32)} for sides in SIDES]
FREE = tf.TensorSpec((None, None, None, 3), name="x")
SIZES = {
    "smaller": (4, 3),
    "larger": (20, 17),
    "one": (1, 1),
    "odd": (7, 30),
    "twice": lambda sides: 2 * sides,
    "half": lambda sides: sides // 2,
    "third": lambda sides: sides * 4 // 3,
    "own": lambda sides: sides,
}


def _resized(x: Any, size: Any, op: str, **options: Any) -> Any:
    sides = size(tf.shape(x)[1:3]) if callable(size) else size
    return getattr(raw, op)(images=x, size=sides, **options)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("op", "options"),
    [
        ("ResizeBicubic", {"half_pixel_centers": True}),
        ("ResizeBicubic", {}),
        ("ResizeBicubic", {"align_corners": True}),
        ("ResizeArea", {}),
        ("ResizeArea", {"align_corners": True}),
    ],
    ids=["bicubic", "bicubic-old", "bicubic-corners", "area", "area-corners"],
)
def test_lowers(tfjs_node: TfjsNode, op: str, options: Any, size: str) -> None:
    function = lambda x: _resized(x, SIZES[size], op, **options)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, FREE, feeds=FEEDS)


@pytest.mark.parametrize("op", ["ResizeArea", "ResizeBicubic"])
@pytest.mark.parametrize("sides", [(1, 4), (3, 1), (1, 1)])
def test_an_axis_has_one_value(tfjs_node: TfjsNode, op: str, sides: tuple[int, int]) -> None:
    function = lambda x: _resized(x, (5, 7), op, align_corners=True)  # noqa: E731
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.normal(size=(2, *each, 3)).astype(np.float32)} for each in (sides, sides, (4, 6))]
    check_lowering(tfjs_node, PASSES, function, FREE, feeds=feeds)


@pytest.mark.parametrize("method", ["bicubic", "area"])
def test_size_is_fed(tfjs_node: TfjsNode, method: str) -> None:
    function = lambda x, n: tf.image.resize(tf.cast(x, tf.int32), n, method)  # noqa: E731
    specs = tf.TensorSpec((None, 9, 8, 3), name="x"), tf.TensorSpec((2,), tf.int32, name="n")
    rng = np.random.default_rng(0)
    feeds = [{"x": 99 * rng.random((2, 9, 8, 3), np.float32), "n": np.int32(sides)} for sides in ((5, 20), (11, 6))]
    check_lowering(tfjs_node, PASSES, function, *specs, feeds=feeds)


@pytest.mark.skipif(not {"cpu", "wasm"}.issuperset(BACKENDS), reason="drivers of GPUs need not keep NaN")
def test_nan_stays_where_it_is(tfjs_node: TfjsNode) -> None:
    function = lambda x: _resized(x, (7, 5), "ResizeBicubic", half_pixel_centers=True)  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=(2, *sides, 3))} for seed, sides in enumerate(SIDES)]
    for feed in feeds:
        feed["x"][0, 4, 3, 1], feed["x"][1, 0, 0, 0] = np.nan, np.inf
    check_lowering(tfjs_node, PASSES, function, FREE, feeds=feeds)


def test_one_size_is_unknown(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.image.resize(x * 1.0, (4, 5), "bicubic")  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=(2, 9, 8, 3)).astype(np.float32)} for seed in (1, 2)]
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((2, None, 8, None), name="x"), feeds=feeds)


def test_leaves_known_sizes_alone() -> None:
    function = lambda x: tf.image.resize(x, (4, 5), "area")  # noqa: E731
    assert not refusals(PASSES, function, tf.TensorSpec((None, 9, 8, 3), name="x"), lacking=False)


def test_refuses() -> None:
    function = lambda x: raw.ResizeBicubic(images=x, size=[4, 5])  # noqa: E731
    assert refusals(PASSES, function, tf.TensorSpec(None, name="x")) == {"the rank of the images is unknown"}
