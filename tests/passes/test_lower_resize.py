"""The resizes that TF.js lacks become two products with constant matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import fold_constants, fold_sizes, lower_resize

raw = tf.raw_ops
GPU = not {"cpu", "wasm"}.issuperset(BACKENDS)


@pytest.mark.parametrize("size", [(13, 5), (4, 20), (9, 8)])
@pytest.mark.parametrize("method", ["bicubic", "area", "lanczos3", "gaussian", "mitchellcubic", "antialias"])
def test_lowers(tfjs_node: TfjsNode, method: str, size: tuple[int, int]) -> None:
    options = {"method": method} if method != "antialias" else {"antialias": True}
    function = lambda x: tf.image.resize(x * 1.0, size, **options)  # noqa: E731
    if size == (9, 8) and method in {"bicubic", "area"}:
        function = lambda x: _to_its_own_size(x, method)  # noqa: E731 - tf.image.resize leaves such an image alone
    spec = tf.TensorSpec((None, 9, 8, 4), name="x")
    check_lowering(tfjs_node, [lower_resize.PASS], function, spec, after=[fold_sizes.PASS, fold_constants.PASS])


def _to_its_own_size(x: Any, method: str) -> Any:
    op = raw.ResizeBicubic if method == "bicubic" else raw.ResizeArea
    return op(images=x, size=[9, 8])


@pytest.mark.parametrize(
    "resize",
    [
        pytest.param(lambda x: raw.ResizeBicubic(images=x, size=[5, 12], align_corners=True), id="bicubic-corners"),
        pytest.param(lambda x: raw.ResizeBicubic(images=x, size=[5, 12]), id="bicubic"),
        pytest.param(lambda x: raw.ResizeArea(images=x, size=[5, 12], align_corners=True), id="area-corners"),
    ],
)
def test_old_ones_and_integers(tfjs_node: TfjsNode, resize: Any) -> None:
    feeds = [{"x": np.random.default_rng(seed).integers(0, 255, (2, 9, 8, 4)).astype(np.int32)} for seed in (1, 2)]
    spec = tf.TensorSpec((None, 9, 8, 4), tf.int32, name="x")
    check_lowering(tfjs_node, [lower_resize.PASS], resize, spec, feeds=feeds)


@pytest.mark.skipif(GPU, reason="drivers of GPUs need not keep NaN")
@pytest.mark.parametrize("method", ["bicubic", "area", "antialias"])
def test_nan_stays_where_it_is(tfjs_node: TfjsNode, method: str) -> None:
    options = {"method": method} if method != "antialias" else {"antialias": True}
    function = lambda x: tf.image.resize(x * 1.0, (6, 5), **options)  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=(2, 9, 8, 3)).astype(np.float32)} for seed in (1, 2)]
    for feed in feeds:
        feed["x"][0, 4, 3, 1] = feed["x"][1, 0, 0, 0] = np.nan
        if method != "bicubic":  # TensorFlow multiplies what lies at the border by 0, too
            feed["x"][0, 8, 7, 2] = np.inf
    spec = tf.TensorSpec((None, 9, 8, 3), name="x")
    after = [fold_sizes.PASS, fold_constants.PASS]
    check_lowering(tfjs_node, [lower_resize.PASS], function, spec, feeds=feeds, after=after)


def test_refuses_unknown_sizes() -> None:
    function = lambda x: tf.image.resize(x, (4, 4), "lanczos3")  # noqa: E731
    reasons = refusals([lower_resize.PASS], function, tf.TensorSpec((1, None, 8, 3), name="x"))
    assert reasons == {"a size is unknown, or computed"}
