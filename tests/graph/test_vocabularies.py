"""Inputs that are looked up in a table are known with its keys, so that samples can be words that it has."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_text import parse_graph
from tfjs_magic.graph.ir import Table
from tfjs_magic.graph.refs import NodeName
from tfjs_magic.graph.vocabularies import MAX_WORDS, vocabularies

CONSTANTS = {"default": np.array(-1, np.int32), "shape": np.array([4], np.int32)}
FIND = "y = LookupTableFindV2(h, {}, default)"
ANIMALS = np.array([b"cat", b"dog", "kôala".encode()], object)
MORE = np.array([b"ant", b"cat", b"dog"], object)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(FIND.format("i"), {"i": ("cat", "dog", "kôala")}, id="direct"),
        pytest.param(f"a = Reshape(i, shape)\n{FIND.format('a')}", {"i": ("cat", "dog", "kôala")}, id="reshaped"),
        pytest.param(f"a = StringLower(i)\n{FIND.format('a')}", {"i": ("cat", "dog", "kôala")}, id="lowered"),
        pytest.param(
            f"g = HashTableV2()\nz = LookupTableFindV2(g, i, default)\n{FIND.format('i')}",
            {"i": ("cat", "dog")},
            id="two-tables",
        ),
        pytest.param(f"a = StringJoin(i, i)\n{FIND.format('a')}", {}, id="computed"),
        pytest.param("y = LookupTableFindV2(h, shape, i)", {}, id="default-value"),
        pytest.param("n = HashTableV2()\ny = LookupTableFindV2(n, i, default)", {}, id="numbers-of-a-pass"),
    ],
)
def test_vocabularies(body: str, expected: dict[str, tuple[str, ...]]) -> None:
    graph = parse_graph(f"i: string[4]\nh = HashTableV2()\n{body}\nreturn y", CONSTANTS)
    values = np.arange(3, dtype=np.int32)
    graph.tables[NodeName("h")] = Table(ANIMALS, values)
    graph.tables[NodeName("g")] = Table(MORE, values)
    graph.tables[NodeName("n")] = Table(values, values, numbered=True)
    assert vocabularies(graph) == expected


def test_integers_fit_and_large_tables_are_thinned() -> None:
    graph = parse_graph(f"i: int32[4]\nh = HashTableV2()\n{FIND.format('i')}\nreturn y", CONSTANTS)
    keys = np.array([-(2**40), 7, 3000, 2**40])
    graph.tables[NodeName("h")] = Table(keys, np.arange(4))
    assert vocabularies(graph) == {"i": (7, 3000)}
    graph.tables[NodeName("h")] = Table(np.arange(10 * MAX_WORDS + 1), np.arange(10 * MAX_WORDS + 1))
    words = vocabularies(graph)["i"]
    assert len(words) <= MAX_WORDS
    assert words[0] == 0
