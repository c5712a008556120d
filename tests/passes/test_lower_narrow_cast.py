"""Casts to 8-bit integers wrap or saturate; TF.js would keep what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_narrow_cast


def _numbers(x: Any, source: Any) -> Any:
    # Long enough for TensorFlow's vectorised kernel: the scalar one wraps floats, where C++ leaves that open.
    return 300 * tf.tile(x, [8, 4, 4]) if source == tf.float32 else tf.cast(150 * x, source)


@pytest.mark.parametrize("target", [tf.uint8, tf.int8], ids=["uint8", "int8"])
@pytest.mark.parametrize("source", [tf.float32, tf.int32, tf.int64], ids=["float32", "int32", "int64"])
def test_lowers(tfjs_node: TfjsNode, source: Any, target: Any) -> None:
    function = lambda x: tf.cast(tf.cast(_numbers(x, source), target), tf.int32)  # noqa: E731
    check_lowering(tfjs_node, [lower_narrow_cast.PASS], function, tf.TensorSpec((2, 4, 6), name="x"))


@pytest.mark.parametrize(("first", "second"), [(tf.uint8, tf.int8), (tf.int8, tf.uint8)], ids=["signed", "unsigned"])
def test_lowers_from_one_narrow_kind_to_the_other(tfjs_node: TfjsNode, first: Any, second: Any) -> None:
    function = lambda x: tf.cast(tf.cast(tf.cast(tf.cast(150 * x, tf.int32), first), second), tf.int32)  # noqa: E731
    check_lowering(tfjs_node, [lower_narrow_cast.PASS], function, tf.TensorSpec((2, 4, 6), name="x"))
