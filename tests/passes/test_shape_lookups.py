"""What lookups find gets the shape of the keys, as TF.js's table finds in one row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, graph_text, parse_graph
from tfjs_magic.passes import run_passes, shape_lookups
from tfjs_magic.pipeline import convert

BEFORE = "k: string[{shape}]\nt = HashTableV2()\nf = LookupTableFindV2(t, k, d) Tin=string Tout=int64\nreturn f"


class _Table(tf.Module):
    def __init__(self) -> None:
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["ant", "bee"], tf.constant([3, 5], tf.int64)), -1
        )


@pytest.mark.parametrize("shape", [(2, 2), (None, None), (), (4,)], ids=str)
def test_finds_in_the_shape_of_the_keys(tfjs_node: TfjsNode, shape: Any) -> None:
    module = _Table()

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.string, name="k")])
    def find(k: Any) -> Any:
        return module.table.lookup(k) * 2

    module.find = find
    keys = np.array(["bee", "gnu", "ant", "bee"], object).reshape((2, 2) if len(shape) == 2 else -1)
    keys = keys if shape else keys[0]
    web = convert(find)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(web, {"k": keys}, backend), web.reference({"k": keys}))


def test_lowers_once() -> None:
    graph = parse_graph(BEFORE.format(shape="2,?"), {"d": np.array(-1, np.int64)})
    assert [run_passes(graph, [shape_lookups.PASS])[0].applied for _ in range(2)] == [1, 0]
    lines = graph_text(graph)
    assert "f = Reshape(f/LookupTableFindV2, f/const_1) T=int64" in lines
    assert "f/LookupTableFindV2 = LookupTableFindV2(t, f/Reshape, d) Tin=string Tout=int64" in lines


def test_leaves_a_row_of_keys_alone() -> None:
    graph = parse_graph(BEFORE.format(shape="?"), {"d": np.array(-1, np.int64)})
    assert run_passes(graph, [shape_lookups.PASS])[0].applied == 0
