"""Lower explicit padding of a maximum, which TF.js does not know, to padding with the least number.

Given:   y = MaxPool(x)                      padding EXPLICIT
Result:  y = MaxPool(PadV2(x, paddings, least))      padding VALID

Refuses: the channels are not last.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.conditions import is_channels_first
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    paddings: list[list[int]]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.attrs["padding"] != b"EXPLICIT":
        return None
    if is_channels_first(graph, node):
        return Miss("the channels are not last")
    sides = node.attrs["explicit_paddings"]
    assert isinstance(sides, tuple)
    return _Match(node, [[int(side) for side in sides[i : i + 2]] for i in range(0, 8, 2)])  # type: ignore[arg-type]


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    dtype = node.attrs["T"]
    assert isinstance(dtype, str)
    kind = np.dtype(dtype)
    least = new.constant(np.finfo(kind).min if kind.kind == "f" else np.iinfo(kind).min, dtype)
    data = new.add("PadV2", node.inputs[0], new.constant(match.paddings), least, T=dtype, Tpaddings=INT32)
    new.replace("MaxPool", data, **{**node.attrs, "padding": b"VALID", "explicit_paddings": ()})


PASS = Rewrite(__name__, frozenset({"MaxPool"}), _match, _apply)
