"""Lower cross entropies of logits, which TF.js lacks.

Given:   loss, _ = SoftmaxCrossEntropyWithLogits(x, labels)          x, labels (N, C)
Result:  loss = Neg(Sum(Mul(labels, LogSoftmax(x)), 1))
Given:   loss, _ = SparseSoftmaxCrossEntropyWithLogits(x, labels)    labels (N,)
Result:  loss = Neg(Sum(SelectV2(Equal(labels[:, None], 0 … C - 1), LogSoftmax(x), 0), 1))

One logit for all classes is repeated first: SelectV2(true, x, labels).

Refuses: the gradient is used.
Source: TensorFlow ``core/kernels/xent_op.h`` and ``sparse_xent_op.h``.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


def _match(graph: Graph, node: Node) -> Node | Miss:
    if graph.used_ports(node.name) - {0} or any(ref == node.ref(1) for ref in graph.outputs.values()):
        return Miss("its gradient is used")
    return node


def _may_be_broadcast(graph: Graph, logits: Ref, labels: Ref) -> bool:
    """Whether one logit may stand for all classes of the labels."""
    given, other = (None if shape is None else shape[1] for shape in map(graph.shape, (logits, labels)))
    return given in {None, 1} and other != 1


def _apply(graph: Graph, node: Node) -> None:
    new, (logits, labels), dtype = Lowering(graph, node), node.inputs, node.attrs["T"]
    if node.op == "SoftmaxCrossEntropyWithLogits" and _may_be_broadcast(graph, logits, labels):
        logits = new.add("SelectV2", new.constant(1, "bool"), logits, labels, T=dtype)
    chances = new.add("LogSoftmax", logits, T=dtype)
    if node.op == "SoftmaxCrossEntropyWithLogits":
        terms = new.add("Mul", labels, chances, T=dtype)
    else:
        index = node.attrs["Tlabels"]
        assert isinstance(index, DType)
        classes = new.range(new.size(logits, 1))
        if index != "int32":
            classes = new.add("Cast", classes, SrcT=INT32, DstT=index)
        own = new.add("Equal", new.expand(labels, 1, index), classes, T=index)
        terms = new.add("SelectV2", own, chances, new.constant(0, str(dtype)), T=dtype)
    total = new.add("Sum", terms, new.constant([1]), T=dtype, Tidx=INT32, keep_dims=False)
    graph.replace_uses(node.ref(0), new.add("Neg", total, T=dtype))


_OPS = frozenset({"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"})

PASS = Rewrite(__name__, _OPS, _match, _apply)
