"""Lower Bucketize, which TF.js lacks, to a count of the boundaries that a value has reached.

Given:   y = Bucketize(x)                         boundaries b, ascending
Result:  y = Sum(Cast(¬(x[…, None] < b), int32))  over the new axis; NaN is past every boundary

Refuses: there are no boundaries.
Source: TensorFlow ``core/kernels/bucketize_op.cc`` (``std::upper_bound``).
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import BOOL, FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    boundaries: tuple[float, ...]


def _match(_: Graph, node: Node) -> _Match | Miss | None:
    boundaries = node.attrs["boundaries"]
    assert isinstance(boundaries, tuple)
    if not boundaries:
        return Miss("there are no boundaries")
    return _Match(node, tuple(float(value) for value in boundaries))  # type: ignore[arg-type]


def _apply(graph: Graph, match: _Match) -> None:
    new, dtype = Lowering(graph, match.node), match.node.attrs["T"]
    assert isinstance(dtype, DType)
    (x,) = match.node.inputs
    if dtype != FLOAT32:
        x = new.add("Cast", x, SrcT=dtype, DstT=FLOAT32)
    below = new.add("Less", new.expand(x, -1, FLOAT32), new.constant(match.boundaries, "float32"), T=FLOAT32)
    reached = new.add("LogicalNot", below)
    new.replace("Sum", new.add("Cast", reached, SrcT=BOOL, DstT=INT32), new.constant([-1]), T=INT32, Tidx=INT32)


PASS = Rewrite(__name__, frozenset({"Bucketize"}), _match, _apply)
