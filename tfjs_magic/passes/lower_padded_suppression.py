"""Lower the padding of NonMaxSuppressionV4: TF.js pads to the number of boxes at most.

Given:   y, n = NonMaxSuppressionV4(boxes, scores, size, …), padded
Result:  y', n = NonMaxSuppressionV4(boxes, scores, size, …), not padded; y = Pad(y', size - Size(y'))

Source: TensorFlow ``core/ops/image_ops.cc``; tfjs-core ``src/ops/non_max_suppression_util.ts``, 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import pads_to_size
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(graph: Graph, node: Node) -> Node | None:
    return node if pads_to_size(graph, node) else None


def _apply(graph: Graph, node: Node) -> None:
    new = Lowering(graph, node)
    shape = graph.shape(node.ref())
    attrs = {**node.attrs, "pad_to_max_output_size": False}
    found = new.add(node.op, *node.inputs, **attrs)
    graph.replace_uses(node.ref(1), graph.producer(found).ref(1))
    graph.set_shape(found, (None,))
    missing = new.add("Sub", node.inputs[2], new.add("Size", found, T=INT32, out_type=INT32), T=INT32)
    sides = new.reshape(new.add("Pack", new.constant(0), missing, axis=0, N=2, T=INT32), [1, 2], INT32)
    padded = new.add("Pad", found, sides, T=INT32, Tpaddings=INT32)
    graph.set_shape(padded, shape)
    graph.replace_uses(node.ref(), padded)


PASS = Rewrite(__name__, frozenset({"NonMaxSuppressionV4"}), _match, _apply)
