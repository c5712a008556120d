"""Raise the overlap from which TF.js leaves a box out: it does so at the threshold, TensorFlow above it.

Given:   y = NonMaxSuppressionV3(boxes, scores, size, t, …)       also V2, V4, V5
Result:  y = NonMaxSuppressionV3(boxes, scores, size, t', …)      t' the next float32
         y = NonMaxSuppressionV3(0·boxes, scores, size, t, …)     where t is 1, also computed: no box is left out
Given:   y, s, n = NonMaxSuppressionV5(…, t, …, soft_nms_sigma)   not 0: TensorFlow leaves no box out
Result:  y, s, n = NonMaxSuppressionV5(…, 1, …, soft_nms_sigma)   TF.js leaves out what is the same box twice

Source: TensorFlow ``core/kernels/image/non_max_suppression_op.cc``; tfjs-core
``src/backends/non_max_suppression_impl.ts``, 4.22.
"""

from __future__ import annotations

import numpy as np

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

#: The attribute of a node that has been here. TF.js does not read it.
_RAISED = "_raised_overlap_threshold"
_THRESHOLD = 3
_STEP = 1 + 2.0**-23


def _match(_: Graph, node: Node) -> Node | None:
    return None if node.attrs.get(_RAISED, False) else node


def _apply(graph: Graph, node: Node) -> None:
    new, inputs = Lowering(graph, node), list(node.inputs)
    threshold = graph.constant(inputs[_THRESHOLD])
    if _weakens(graph, node):
        inputs[_THRESHOLD] = new.constant(1, "float32")
    elif threshold is not None and threshold >= 1:
        inputs[0] = new.add("ZerosLike", inputs[0], T=FLOAT32)
    elif threshold is not None:
        raised = np.nextafter(np.maximum(threshold, np.finfo(np.float32).tiny), np.float32(1))
        inputs[_THRESHOLD] = new.constant(raised, "float32")
    else:
        computed = new.add("Mul", inputs[_THRESHOLD], new.constant(_STEP, "float32"), T=FLOAT32)
        computed = new.add("Maximum", computed, new.constant(np.finfo(np.float32).tiny, "float32"), T=FLOAT32)
        is_below = new.add("Less", inputs[_THRESHOLD], new.constant(1, "float32"), T=FLOAT32)
        inputs[0] = new.add("SelectV2", is_below, inputs[0], new.constant(0, "float32"), T=FLOAT32)
        inputs[_THRESHOLD] = new.add("Minimum", computed, new.constant(1, "float32"), T=FLOAT32)
    graph.replace_node(node.name, Node(node.name, node.op, inputs, {**node.attrs, _RAISED: True}))


def _weakens(graph: Graph, node: Node) -> bool:
    """Whether overlapping boxes only get a lower score."""
    sigma = graph.constant(node.inputs[5]) if node.op == "NonMaxSuppressionV5" else np.zeros(())
    return sigma is not None and bool(sigma > 0)


PASS = Rewrite(__name__, frozenset(f"NonMaxSuppressionV{version}" for version in (2, 3, 4, 5)), _match, _apply)
