"""Rename nodes that TF.js does not find: it keeps them by name in objects, which have properties of their own.

Given:   constructor = Op(x)                    or another property that every object of JavaScript has
Result:  constructor_1 = Op(x)

The public names of inputs and outputs stay.

Source: tfjs-converter ``src/operations/operation_mapper.ts`` (``transformGraph``), 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph
from tfjs_magic.passes.rewrite import GraphPass

_TAKEN = frozenset(
    "__defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __proto__ constructor hasOwnProperty "
    "isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf".split()
)


def _run(graph: Graph) -> int:
    found = [node.name for node in graph if node.name in _TAKEN]
    for name in found:
        graph.rename(name, graph.fresh_name(name))
    return len(found)


PASS = GraphPass(__name__, _run)
