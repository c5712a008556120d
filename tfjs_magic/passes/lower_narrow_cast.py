"""Lower casts to 8-bit integers: TF.js keeps them as int32, which holds values that do not fit.

Given:   y = Cast(x)                                  to uint8 or int8, from wider numbers
Result:  y = FloorMod(x, 256)                         x an integer; for int8 FloorMod(x + 128, 256) - 128
         y = Cast(Minimum(Maximum(x, 0), 255), int32) x a float; -128 and 127 for int8

Source: integers wrap. Where a float is out of range, C++ leaves open what happens: TensorFlow's vectorised kernel
saturates, its scalar one wraps.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

_INTEGERS = frozenset({"int32", "int64", "uint8", "int8"})


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    source: DType


def _match(_: Graph, node: Node) -> _Match | None:
    source, target = node.attrs["SrcT"], node.attrs["DstT"]
    assert isinstance(source, DType)
    if target not in {"uint8", "int8"} or source in {target, "bool"}:
        return None
    return _Match(node, source)


def _apply(graph: Graph, match: _Match) -> None:
    new, (x,), source = Lowering(graph, match.node), match.node.inputs, match.source
    least, most = (0, 255) if match.node.attrs["DstT"] == "uint8" else (-128, 127)
    if source not in _INTEGERS:
        x = new.add("Maximum", x, new.constant(least, str(source)), T=source)
        x = new.add("Minimum", x, new.constant(most, str(source)), T=source)
        new.replace("Cast", x, SrcT=source, DstT=INT32)
    elif least == 0:
        new.replace("FloorMod", x, new.constant(256), T=INT32)
    else:
        shifted = new.add("AddV2", x, new.constant(128), T=INT32)
        new.replace("Sub", new.add("FloorMod", shifted, new.constant(256), T=INT32), new.constant(128), T=INT32)


PASS = Rewrite(__name__, frozenset({"Cast"}), _match, _apply)
