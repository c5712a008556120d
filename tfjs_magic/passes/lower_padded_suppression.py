"""Lower what TF.js's suppression of boxes does not do: padding beyond the boxes, and counting with scores.

Given:   y, n = NonMaxSuppressionV4(boxes, scores, size, …), padded
Result:  y', n = NonMaxSuppressionV4(boxes, scores, size, …), not padded; y = Pad(y', size - Size(y'))
Given:   y, s, n = NonMaxSuppressionV5(boxes, scores, size, …)      n used, or padded
Result:  y', s' = NonMaxSuppressionV5(…), not padded; n = Size(y'); y and s padded as above

Source: TensorFlow ``core/ops/image_ops.cc``; tfjs-core ``src/ops/non_max_suppression_util.ts`` and tfjs-converter
``src/operations/executors/dynamic_executor.ts``, 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import pads_to_size, used_outputs
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

_WITH_SCORES = "NonMaxSuppressionV5"


def _match(graph: Graph, node: Node) -> Node | None:
    counts = node.op == _WITH_SCORES and 2 in used_outputs(graph, node)
    return node if counts or pads_to_size(graph, node) else None


def _apply(graph: Graph, node: Node) -> None:
    new = Lowering(graph, node)
    shape, is_padded = graph.shape(node.ref()), pads_to_size(graph, node)
    found = new.add(node.op, *node.inputs, **{**node.attrs, "pad_to_max_output_size": False})
    chosen = graph.producer(found)
    ports = (0, 1) if node.op == _WITH_SCORES else (0,)
    for port in ports:
        graph.set_shape(chosen.ref(port), (None,))
    count = new.add("Size", found, T=INT32, out_type=INT32)
    graph.replace_uses(node.ref(len(ports)), count if node.op == _WITH_SCORES else chosen.ref(1))
    if not is_padded:
        for port in ports:
            graph.replace_uses(node.ref(port), chosen.ref(port))
        return
    missing = new.add("Sub", node.inputs[2], count, T=INT32)
    sides = new.reshape(new.add("Pack", new.constant(0), missing, axis=0, N=2, T=INT32), [1, 2], INT32)
    for port in ports:
        padded = new.add("Pad", chosen.ref(port), sides, T=FLOAT32 if port else INT32, Tpaddings=INT32)
        graph.set_shape(padded, shape)
        graph.replace_uses(node.ref(port), padded)


PASS = Rewrite(__name__, frozenset({"NonMaxSuppressionV4", _WITH_SCORES}), _match, _apply)
