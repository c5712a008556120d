"""Lower InTopK, which TF.js lacks, to a count of what is larger.

Given:   y = InTopKV2(x, targets, k)      x (N, C) float32, targets (N,); InTopK: k is an attribute
Result:  y = LogicalAnd(Less(Sum(Greater(x, own), 1), k), sure)
         own = Sum(SelectV2(is_own, x, 0), 1);  is_own = Equal(targets[:, None], 0 … C - 1)
         sure = LogicalAnd(Any(is_own, 1), All(IsFinite(x), 1))

Refuses: the rank of the predictions is unknown.
Source: TensorFlow ``core/kernels/in_topk_op.h``.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import BOOL, FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


def _match(graph: Graph, node: Node) -> Node | Miss:
    return node if graph.shape(node.inputs[0]) is not None else Miss("the rank of the predictions is unknown")


def _apply(_graph: Graph, node: Node) -> None:
    new, (chances, targets, *given) = Lowering(_graph, node), node.inputs

    def reduced(op: str, ref: Ref, *, keep: bool, **attrs: Attr) -> Ref:
        return new.add(op, ref, new.constant([1]), Tidx=INT32, keep_dims=keep, **attrs)

    dtype = node.attrs.get("T", INT32)
    assert isinstance(dtype, DType)
    if dtype != "int32":
        targets, given = (
            new.add("Cast", targets, SrcT=dtype, DstT=INT32),
            [new.add("Cast", ref, SrcT=dtype, DstT=INT32) for ref in given],
        )
    k = given[0] if given else new.constant(node.attrs["k"])
    classes = new.range(new.size(chances, 1))
    is_own = new.add("Equal", new.expand(targets, 1, INT32), classes, T=INT32)
    own = new.add("SelectV2", is_own, chances, new.constant(0, "float32"), T=FLOAT32)
    is_larger = new.add("Greater", chances, reduced("Sum", own, keep=True, T=FLOAT32), T=FLOAT32)
    number = reduced("Sum", new.add("Cast", is_larger, SrcT=BOOL, DstT=INT32), keep=False, T=INT32)
    finite = reduced("All", new.add("IsFinite", chances, T=FLOAT32), keep=False)
    sure = new.add("LogicalAnd", reduced("Any", is_own, keep=False), finite)
    new.replace("LogicalAnd", new.add("Less", number, k, T=INT32), sure)


PASS = Rewrite(__name__, frozenset({"InTopK", "InTopKV2"}), _match, _apply)
