"""What the measured table says of a node: by its dtypes, axes, attributes, outputs and the shapes of its operands."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_text import parse_graph
from tests.passes.operands import operands
from tfjs_magic.ops.kernels import failing_calls

GPU = {"webgl", "webgpu"}
RESHAPED = "n: int32[?]\nx = Reshape(f, n)\n"
#: Graph, and the backends that do not compute its node "y".
CASES = {
    "dtype": ("x: int32[3,3]\ny = MatMul(x, x) T=int32\nreturn y", {"wasm"}),
    "wide dtype": ("x: int64[3,3]\ny = MatMul(x, x) T=int64\nreturn y", {"wasm"}),
    "dtype that is right": ("x: float32[3,3]\ny = MatMul(x, x)\nreturn y", set()),
    "axes": ("x: float32[1,2,1,2,3]\ny = ReverseV2(x, axis) Tidx=int32\nreturn y", GPU),
    "more axes than were tried": ("x: float32[1,2,1,2,3,1,2]\ny = ReverseV2(x, axis) Tidx=int32\nreturn y", GPU),
    "few axes": ("x: float32[2,3]\ny = ReverseV2(x, axis) Tidx=int32\nreturn y", set()),
    "unknown axes of what fails with some": (RESHAPED + "y = ReverseV2(x, axis) Tidx=int32\nreturn y", set()),
    "unknown axes of what always fails": (
        RESHAPED.replace("f, n)", "i, n) T=int32") + "y = MatMul(x, x) T=int32\nreturn y",
        {"wasm"},
    ),
    "a vector": ("x: float32[1,2,1,2,3]\ny = AddV2(x, f)\nreturn y", {"webgpu"}),
    "a vector of one value": ("x: float32[1,2,1,2,3]\ny = AddV2(x, one)\nreturn y", set()),
    "equal shapes": ("x: float32[1,2,1,2,3]\ny = AddV2(x, x)\nreturn y", set()),
    "attribute": ("x: float32[3,3]\ny = GatherV2(x, ids, axis) batch_dims=1\nreturn y", {"wasm"}),
    "attribute at its default": ("x: float32[3,3]\ny = GatherV2(x, ids, axis) batch_dims=0\nreturn y", set()),
    "large": ("x: int32[3]\ny = AddV2(x, large) T=int32\nreturn y", GPU),
    "large and moved": ("x: int32[3]\ny = GatherV2(large, x, i) Tparams=int32\nreturn y", GPU),
    "not large": ("x: int32[3]\ny = AddV2(x, i) T=int32\nreturn y", set()),
    "output": (
        "x: float32[2,3,3,3]\ny = FusedBatchNormV3(x, f, f, f, f) is_training=False\nreturn y=y:1",
        {"cpu", "wasm", *GPU},
    ),
    "no dtype": ("x: bool[3]\ny = LogicalNot(x)\nreturn y", set()),
}


@pytest.mark.parametrize("case", CASES)
def test_says_what_fails(case: str) -> None:
    text, expected = CASES[case]
    constants = {
        **operands(f=(3,), one=(1,)),
        "axis": np.array([1], np.int32),
        "ids": np.array([[0, 1], [2, 0], [1, 1]], np.int32),
        "i": np.array([1, 2, 3], np.int32),
        "large": np.array([1, 2, 2**24 + 1], np.int32),
    }
    graph = parse_graph(text, {name: value for name, value in constants.items() if name in text})
    found = {backend for _, backends in failing_calls(graph, graph["y"]) for backend in backends}
    assert found == expected


def test_says_it_in_a_sentence() -> None:
    graph = parse_graph("x: float32[1,2,1,2,3]\ny = Cumsum(x, axis)\nreturn y", {"axis": np.array(1, np.int32)})
    ((sentence, _),) = failing_calls(graph, graph["y"])
    assert sentence == "Floats of 5 or 6 axes are refused or computed wrongly."
