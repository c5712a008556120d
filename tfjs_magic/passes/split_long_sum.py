"""Add up in steps what has more operands than a shader of webgpu may read.

Given:   y = AddN(x₀, x₁ … xₙ)                   n > 6
Result:  y = AddN(AddN(x₀ … x₆), x₇ …)           the same sum in the same order

Source: tfjs-backend-webgpu ``src/kernels/AddN.ts``, 4.22. WebGPU lets a shader have eight buffers; the result is one
(``maxStorageBuffersPerShaderStage``), unless more are asked for.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Rewrite

_MOST = 7


def _match(_: Graph, node: Node) -> Node | None:
    return node if len(node.inputs) > _MOST else None


def _apply(graph: Graph, node: Node) -> None:
    new, rest = Lowering(graph, node), node.inputs[_MOST:]
    begun = new.add("AddN", *node.inputs[:_MOST], **{**node.attrs, "N": _MOST})
    graph.set_shape(begun, graph.shape(node.ref()))
    new.replace("AddN", begun, *rest, **{**node.attrs, "N": 1 + len(rest)})


PASS = Rewrite(__name__, frozenset({"AddN"}), _match, _apply)
