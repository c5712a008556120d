"""Lower grouped convolutions, which TF.js lacks.

Given:   y = Conv2D(x, W), or Conv3D          W (H, W, C_in / g, C_out), g > 1 groups
Result:  y = DepthwiseConv2dNative(x, W')     W' (H, W, C_in, C_out / C_in), if every group of a 2-D one has one channel
         y = Concat(Conv2D(xᵢ, Wᵢ) …)          x₁ … x_g = Split(x), else

Refuses: the weights are computed; the channels are not last.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import groups, is_channels_first
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    groups: int
    weights: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    number = groups(graph, node)
    if number == 1:
        return None
    weights = graph.constant(node.inputs[1])
    if weights is None or is_channels_first(graph, node):
        return Miss("the weights are computed, or the channels are not last")
    return _Match(node, number, weights)


def _apply(graph: Graph, match: _Match) -> None:
    node, number, weights, new = match.node, match.groups, match.weights, Lowering(graph, match.node)
    attrs = {key: value for key, value in node.attrs.items() if key != "use_cudnn_on_gpu"}
    strides = attrs["strides"]
    assert isinstance(strides, tuple)
    if node.op == "Conv2D" and weights.shape[2] == 1 and strides[1] == strides[2]:
        kernel = weights.reshape(*weights.shape[:2], number, weights.shape[3] // number)
        new.replace("DepthwiseConv2dNative", node.inputs[0], graph.add_constant(node.inputs[1], kernel), **attrs)
        return
    types = {"T": node.attrs["T"]}
    axis = new.constant(weights.ndim - 1)
    parts = graph.producer(new.add("Split", axis, node.inputs[0], **types, num_split=number))
    kernels = [graph.add_constant(node.inputs[1], kernel) for kernel in np.split(weights, number, axis=-1)]
    results = [new.add(node.op, parts.ref(i), kernel, **attrs) for i, kernel in enumerate(kernels)]
    new.replace("ConcatV2", *results, axis, **types, Tidx=INT32, N=number)


PASS = Rewrite(__name__, frozenset({"Conv2D", "Conv3D"}), _match, _apply)
