"""Inputs that index a constant table are known with the table's size, so that samples can be valid."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_text import parse_graph
from tests.passes.operands import operands
from tfjs_magic.graph.index_bounds import index_bounds

CONSTANTS = {
    "axis": np.array(0, np.int32),
    "last": np.array(-1, np.int32),
    "shape": np.array([4], np.int32),
    **operands(small=(3, 2), large=(9, 2), wide=(2, 7)),
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("y = GatherV2(large, i, axis)", {"i": 9}, id="rows"),
        pytest.param("y = GatherV2(wide, i, last)", {"i": 7}, id="another-axis"),
        pytest.param("a = Cast(i)\nb = Reshape(a, shape)\ny = GatherV2(large, b, axis)", {"i": 9}, id="reshaped"),
        pytest.param("y = GatherV2(large, i, axis)\nz = GatherV2(small, i, axis)", {"i": 3}, id="smallest-table"),
        pytest.param(
            "a = AddV2(i, shape) T=int32\nn = Less(i, axis) T=int32\nb = SelectV2(n, a, i) T=int32\n"
            "y = GatherV2(large, b, axis)",
            {"i": 9},
            id="counted-from-the-end",
        ),
        pytest.param("a = AddV2(i, i)\ny = GatherV2(large, a, axis)", {}, id="computed"),
        pytest.param("d: float32[5]\ny = GatherV2(d, i, axis)", {}, id="table-of-data"),
        pytest.param("y = GatherV2(i, axis, axis)", {}, id="input-is-the-table"),
    ],
)
def test_bounds(body: str, expected: dict[str, int]) -> None:
    graph = parse_graph(f"i: int32[4]\n{body}\nreturn y", CONSTANTS)
    assert index_bounds(graph) == expected
