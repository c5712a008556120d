"""Sums of many operands are added up in steps, since a shader of webgpu reads seven at most."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, check_pass
from tfjs_magic.passes import split_long_sum

PASSES = [split_long_sum.PASS]


def test_adds_in_the_same_order(tfjs_node: TfjsNode) -> None:
    names = [f"x{i}" for i in range(9)]
    inputs = "\n".join(f"{name}: float32[2]" for name in names)
    before = f"{inputs}\ny = AddN({', '.join(names)}) N=9 T=float32\nreturn y"
    after = f"""
        {inputs.replace(chr(10), chr(10) + " " * 8)}
        y/AddN = AddN({", ".join(names[:7])}) N=7 T=float32
        y = AddN(y/AddN, x7, x8) N=3 T=float32
        return y
    """
    check_pass(tfjs_node, before, after, PASSES, {})


@pytest.mark.parametrize("count", [8, 14, 20])
def test_adds(tfjs_node: TfjsNode, count: int) -> None:
    specs = [tf.TensorSpec((2, 3), name=f"x{i}") for i in range(count)]
    check_lowering(tfjs_node, PASSES, lambda *x: tf.add_n(x), *specs)
    check_on_gpu(tfjs_node, lambda *x: tf.add_n(x), *specs)


def test_leaves_seven_alone(tfjs_node: TfjsNode) -> None:
    names = [f"x{i}" for i in range(7)]
    inputs = "\n".join(f"{name}: float32[2]" for name in names)
    check_pass(tfjs_node, f"{inputs}\ny = AddN({', '.join(names)}) N=7 T=float32\nreturn y", None, PASSES, {})
