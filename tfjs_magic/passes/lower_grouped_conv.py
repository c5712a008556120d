"""Lower grouped convolutions, which TF.js lacks.

Given:   y = Conv2D(x, W), or Conv3D          W (H, W, C_in / g, C_out); ``groups`` g > 1, marked while tracing
Result:  y = DepthwiseConv2dNative(x, W')     W' (H, W, C_in, C_out / C_in), if every group of a 2-D one has one channel
         y = Concat(Conv2D(xᵢ, Wᵢ) …)          x₁ … x_g = Split(x), else

Refuses: the weights are computed; the channels are not last.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Array, DType, Graph, Node
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    groups: int
    weights: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    groups = node.attrs.get("groups", 1)
    if groups == 1:
        return None
    weights = graph.constant(node.inputs[1])
    if weights is None or node.attrs.get("data_format", b"NHWC") in {b"NCHW", b"NCDHW"}:
        return Miss("the weights are computed, or the channels are not last")
    assert isinstance(groups, int)
    return _Match(node, groups, weights)


def _apply(graph: Graph, match: _Match) -> None:
    node, groups, weights = match.node, match.groups, match.weights
    attrs = {key: value for key, value in node.attrs.items() if key not in {"groups", "use_cudnn_on_gpu"}}
    strides = attrs["strides"]
    assert isinstance(strides, tuple)
    if node.op == "Conv2D" and weights.shape[2] == 1 and strides[1] == strides[2]:
        kernel = weights.reshape(*weights.shape[:2], groups, weights.shape[3] // groups)
        inputs = [node.inputs[0], graph.add_constant(node.inputs[1], kernel)]
        graph.replace_node(node.name, Node(node.name, "DepthwiseConv2dNative", inputs, attrs))
        return
    types = {"T": node.attrs["T"]}
    axis = graph.add_constant(f"{node.name}/axis", np.asarray(weights.ndim - 1, np.int32))
    parts = graph.add(
        Node(graph.fresh_name(f"{node.name}/split"), "Split", [axis, node.inputs[0]], {**types, "num_split": groups})
    )
    outputs = []
    for i, kernel in enumerate(np.split(weights, groups, axis=-1)):
        inputs = [f"{parts.name}:{i}" if i else parts.name, graph.add_constant(node.inputs[1], kernel)]
        outputs.append(graph.add(Node(graph.fresh_name(f"{node.name}/{i}"), node.op, inputs, dict(attrs))).name)
    concat = {**types, "Tidx": DType("int32"), "N": groups}
    graph.replace_node(node.name, Node(node.name, "ConcatV2", [*outputs, axis], concat))


PASS = Rewrite(__name__, frozenset({"Conv2D", "Conv3D"}), _match, _apply)
