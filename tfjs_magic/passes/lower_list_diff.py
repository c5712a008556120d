"""Lower ListDiff, which TF.js answers with a promise, as ``predict`` does not expect.

Given:   values, places = ListDiff(x, y)      vectors
Result:  places = Cast(Reshape(Where(m), (-1,)))      m = LogicalNot(Any(Equal(ExpandDims(x, 1), y), 1))
         values = GatherV2(x, places, 0)

Source: tfjs-converter ``src/executor/model_analysis.ts``, 4.22, does not count it among the ops of dynamic shapes.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

_INT64 = DType("int64")


def _match(_: Graph, node: Node) -> Node:
    return node


def _apply(graph: Graph, node: Node) -> None:
    new, (x, y) = Lowering(graph, node), node.inputs
    dtype, places_dtype = node.attrs["T"], node.attrs.get("out_idx", INT32)
    assert isinstance(dtype, DType)
    same = new.add("Equal", new.expand(x, 1, dtype), y, T=dtype)
    found = new.add("Any", same, new.constant(1), Tidx=INT32, keep_dims=False)
    places = new.reshape(new.add("Where", new.add("LogicalNot", found), T=DType("bool")), [-1], _INT64)
    values = new.add("GatherV2", x, places, new.constant(0), Tparams=dtype, Tindices=_INT64, Taxis=INT32, batch_dims=0)
    graph.replace_uses(node.ref(0), values)
    graph.replace_uses(node.ref(1), new.add("Cast", places, SrcT=_INT64, DstT=places_dtype))


PASS = Rewrite(__name__, frozenset({"ListDiff"}), _match, _apply)
