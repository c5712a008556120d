"""Reshape what lookups find: TF.js's table finds in one row, whatever the shape of the keys.

Given:   y = LookupTableFindV2(table, keys, default)      keys (…)
Result:  y = Reshape(LookupTableFindV2(table, Reshape(keys, -1), default), shape(keys))

Source: tfjs-converter ``src/executor/hash_table.ts``, 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(graph: Graph, node: Node) -> Node | None:
    shape = graph.shape(node.inputs[1])
    return None if shape is not None and len(shape) == 1 else node


def _apply(graph: Graph, node: Node) -> None:
    new, (table, keys, default) = Lowering(graph, node), node.inputs
    row = new.add("Reshape", keys, new.constant([-1]), T=node.attrs["Tin"], Tshape=INT32)
    graph.set_shape(row, (None,))
    found = new.add(node.op, table, row, default, **node.attrs)
    new.replace("Reshape", found, new.shape(keys), T=node.attrs["Tout"], Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"LookupTableFind", "LookupTableFindV2"}), _match, _apply)
