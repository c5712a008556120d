"""The nodes that take another's place: their names, and sizes that are constants where they are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_text import parse_graph
from tfjs_magic.graph.ir import DType, Graph
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering


def _lowering(shape: str) -> tuple[Graph, Lowering]:
    graph = parse_graph(f"x: float32[{shape}]\ny = Softsign(x)\nreturn y")
    return graph, Lowering(graph, graph["y"])


def test_names_start_with_the_lowered_node_and_are_free() -> None:
    graph, new = _lowering("3")
    first, second = (new.add("Abs", "x") for _ in range(2))
    assert (first, second) == ("y/Abs", "y/Abs_1")
    assert (new.constant(1), new.constant(2)) == ("y/const", "y/const_1")
    new.replace("RealDiv", "x", second, T=DType("float32"))
    assert (graph["y"].op, graph["y"].inputs) == ("RealDiv", ["x", "y/Abs_1"])


def test_a_known_size_is_a_constant() -> None:
    graph, new = _lowering("2,?,4")
    assert [graph.constant(new.size("x", axis)) for axis in (0, -1)] == [2, 4]
    taken = graph[new.size("x", 1)]
    assert (taken.op, graph[taken.inputs[0]].op, graph.constant(taken.inputs[1])) == ("GatherV2", "Shape", 1)


def test_a_shape_is_a_constant_but_for_one_size() -> None:
    graph, new = _lowering("2,?,4")
    assert np.array_equal(graph.constant(new.shape("x")), [2, -1, 4])  # type: ignore[arg-type]
    graph, new = _lowering("?,?,4")
    assert graph[new.shape("x")].op == "Shape"


def test_a_range_is_a_constant_where_its_size_is() -> None:
    graph, new = _lowering("3,?")
    assert np.array_equal(graph.constant(new.range(new.size("x", 0))), [0, 1, 2])  # type: ignore[arg-type]
    assert graph[new.range(new.size("x", 1))].op == "Range"


def test_an_axis_is_counted_from_the_front() -> None:
    graph, new = _lowering("2,3,?")
    assert graph.constant(graph.producer(new.size("x", -1)).inputs[1]) == 2
    expanded = graph[new.expand("x", 1, DType("float32"))]
    assert (expanded.op, expanded.attrs["Tdim"]) == ("ExpandDims", INT32)


@pytest.mark.parametrize(
    ("first", "second", "dims"),
    [
        ("2,3", "3", (2, 3)),
        ("?,1,3", "4,3", (None, 4, 3)),
        ("?", "1", (None,)),
        ("?,3", "2,3", (2, 3)),
        ("", "", ()),
    ],
)
def test_new_elementwise_nodes_know_their_shape(first: str, second: str, dims: tuple[int | None, ...]) -> None:
    graph = parse_graph(f"x: float32[{first}]\ny: float32[{second}]\nz = AddV2(x, y)\nreturn z")
    new = Lowering(graph, graph["z"])
    assert graph.shape(new.add("Mul", "x", "y", T=FLOAT32)) == dims
    assert graph.shape(new.add("Unheard", "x", "y", T=FLOAT32)) is None
