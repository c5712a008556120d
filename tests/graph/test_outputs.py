"""The number of outputs of an op is TensorFlow's."""

from __future__ import annotations

import pytest
from tensorflow.python.framework import op_def_registry

from tfjs_magic.graph.outputs import _NUMBER, number_of_outputs
from tfjs_magic.ops.check import supported

#: TF.js's own ops, which have one output each.
OURS = {"Conv1D", "DepthwiseConv2d", "FusedDepthwiseConv2dNative", "Ones", "Prelu", "Zeros"}


@pytest.mark.parametrize("op", sorted({*supported()["ops"], *_NUMBER} - OURS))
def test_is_that_of_tensorflow(op: str) -> None:
    outputs = op_def_registry.get(op).output_arg
    attrs = {arg.number_attr: 3 for arg in outputs if arg.number_attr}
    attrs |= {arg.type_list_attr: ("float32",) * 3 for arg in outputs if arg.type_list_attr}
    assert number_of_outputs(op, attrs) == sum(3 if arg.number_attr or arg.type_list_attr else 1 for arg in outputs)


def test_ops_of_tfjs_alone_have_one() -> None:
    assert {number_of_outputs(op, {}) for op in OURS} == {1}
