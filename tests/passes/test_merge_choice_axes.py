"""A choice between tensors of five axes has neighbours merged, for webgl and webgpu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import merge_choice_axes

PASS = merge_choice_axes.PASS

CASES: dict[str, tuple[Any, Callable[..., Any]]] = {
    "same-shapes": ((2, 2, 3, 4, 5), lambda x, m: tf.where(m > 0, x, -2 * x)),
    "integers": ((2, 2, 3, 4, 5), lambda x, m: tf.where(m > 0, tf.cast(9 * x, tf.int32), 7)),
    "attention-mask": ((2, 1, 1, 4, 5), lambda x, m: tf.where(m > 0, x, -1e9)),
    "fewer-axes": ((4, 5), lambda x, m: tf.where(m > 0, x, 3.0)),
    "one-value-of-each": ((2, 2, 1, 1, 1), lambda x, m: tf.where(m > 0, x, x[:, :, :1, :1, :1])),
    "first-form": ((2, 2, 3, 4, 5), lambda x, m: tf.raw_ops.Select(condition=m > 0, x=x, y=-x)),
}


@pytest.mark.parametrize("free", [False, True], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_merges(tfjs_node: TfjsNode, case: str, *, free: bool) -> None:
    mask, function = CASES[case]
    shapes = [(2, 2, 3, 4, 5), mask]
    if free:
        shapes = [shape if len(shape) < 5 else (None, *shape[1:]) for shape in shapes]
    specs = [tf.TensorSpec(shape, name=name) for shape, name in zip(shapes, "xm", strict=True)]
    check_lowering(tfjs_node, [PASS], function, *specs)
    check_on_gpu(tfjs_node, function, *specs)


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (((2, 2, 3, 4, 5), (2, 1, 3, 1, 5)), "the operands broadcast along too many axes"),
        (((None, 2, 3, None, 5), (None, 2, 3, None, 5)), "more than one size is unknown"),
        (((2, 2, 3, 4, 5), None), "the rank of an operand is unknown"),
        (((None, None, 2, 3, 4), (1, 1, 2, 3, 4)), "more than one size is unknown"),
    ],
)
def test_refuses(shapes: Any, reason: str) -> None:
    specs = [tf.TensorSpec(shape, name=name) for shape, name in zip(shapes, "xm", strict=True)]
    assert refusals([PASS], lambda x, m: tf.where(m > 0, x, -x), *specs) == {reason}
