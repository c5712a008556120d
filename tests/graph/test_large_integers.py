"""What may meet integers beyond 2^24 is found, and what a table, a dtype or a remainder bounds is not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_text import parse_graph
from tests.passes.operands import operands
from tfjs_magic.graph.large_integers import large_integers
from tfjs_magic.graph.shapes import shape_of

CONSTANTS = {
    "axis": np.array(0, np.int32),
    "shape": np.array([2, 2], np.int32),
    "ten": np.array(10, np.int32),
    "tens": np.array(40000, np.int32),
    "big": np.array(2**24, np.int32),
    **operands(table=(9, 2)),
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("y = AddV2(i, i) T=int32", ["y"], id="sum"),
        pytest.param("y = AddV2(i, ten) T=int32\nz = Mul(y, ten) T=int32", ["y", "z"], id="each-by-name"),
        pytest.param("y = FloorMod(i, ten) T=int32\nz = AddV2(y, ten) T=int32", ["y"], id="remainder-is-small"),
        pytest.param("y = Reshape(i, shape) T=int32", [], id="only-viewed"),
        pytest.param("y = GatherV2(table, i, axis)", [], id="indices"),
        pytest.param(
            "n = Less(i, axis) T=int32\na = AddV2(i, ten) T=int32\nb = SelectV2(n, a, i) T=int32\n"
            "y = GatherV2(table, b, axis)",
            [],
            id="indices-from-the-end",
        ),
        pytest.param("y = NotEqual(i, ten) T=int32", [], id="compared-with-a-small-number"),
        pytest.param("y = Equal(i, big) T=int32", ["y"], id="compared-with-2^24"),
        pytest.param("y = Equal(i, i) T=int32", ["y"], id="compared-with-each-other"),
        pytest.param("c = Cast(x) SrcT=float32 DstT=int32\ny = Mul(c, ten) T=int32", ["y"], id="of-floats"),
        pytest.param("c = Cast(u) SrcT=uint8 DstT=int32\ny = Mul(c, ten) T=int32", [], id="bytes"),
        pytest.param("c = Cast(u) SrcT=uint8 DstT=int32\ny = Mul(c, big) T=int32", ["y"], id="large-result"),
        pytest.param("c = Cast(u) SrcT=uint8 DstT=int32\ny = Sum(c, axis) T=int32", [], id="small-sum"),
        pytest.param("c = Cast(u) SrcT=uint8 DstT=int32\ny = Prod(c, axis) T=int32", ["y"], id="large-product"),
        pytest.param(
            "c = Cast(u) SrcT=uint8 DstT=int32\ny = Cumsum(v, axis) T=int32\nv = Mul(c, ten) T=int32",
            [],
            id="small-sums",
        ),
        pytest.param(
            "c = Cast(u) SrcT=uint8 DstT=int32\nv = Mul(c, tens) T=int32\ny = Sum(v, axis) T=int32",
            ["y"],
            id="large-sum",
        ),
        pytest.param(
            "c = Cast(u) SrcT=uint8 DstT=int32\nv = Square(c) T=int32\ny = AddN(v, v) T=int32", [], id="small-squares"
        ),
        pytest.param(
            "c = Cast(u) SrcT=uint8 DstT=int32\nv = Mul(c, tens) T=int32\ny = AddN(v, v) T=int32",
            ["y"],
            id="large-squares",
        ),
        pytest.param("c = Cast(i) SrcT=int32 DstT=float32\ny = Mul(c, c)", [], id="as-floats"),
        pytest.param("s = Shape(i) T=int32\ny = Mul(s, ten) T=int32", [], id="sizes"),
        pytest.param("a = ArgMax(i, axis) T=int32\ny = Mul(a, ten) T=int32", ["a"], id="places"),
    ],
)
def test_large_integers(body: str, expected: list[str]) -> None:
    graph = parse_graph(f"i: int32[4]\nx: float32[4]\nu: uint8[4]\n{body}\nreturn y", CONSTANTS)
    graph.sort()
    for node in graph:
        if node.op in {"Cast", "Mul"}:
            graph.set_shape(node.ref(), shape_of(graph, node))
    assert [node.name for node in large_integers(graph)] == expected
