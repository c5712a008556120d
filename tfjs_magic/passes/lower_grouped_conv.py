"""Lower grouped convolutions, which TF.js lacks.

Given:   y = Conv2D(x, W), or Conv3D          W (H, W, C_in / g, C_out); ``groups`` g > 1, marked while tracing
Result:  y = DepthwiseConv2dNative(x, W')     W' (H, W, C_in, C_out / C_in), if every group of a 2-D one has one channel
         y = Concat(Conv2D(xᵢ, Wᵢ) …)          x₁ … x_g = Split(x), else

Refuses: the weights are computed; the channels are not last.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
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
    node, groups, weights, new = match.node, match.groups, match.weights, Lowering(graph, match.node)
    attrs = {key: value for key, value in node.attrs.items() if key not in {"groups", "use_cudnn_on_gpu"}}
    strides = attrs["strides"]
    assert isinstance(strides, tuple)
    if node.op == "Conv2D" and weights.shape[2] == 1 and strides[1] == strides[2]:
        kernel = weights.reshape(*weights.shape[:2], groups, weights.shape[3] // groups)
        new.replace("DepthwiseConv2dNative", node.inputs[0], graph.add_constant(node.inputs[1], kernel), **attrs)
        return
    types = {"T": node.attrs["T"]}
    axis = new.constant(weights.ndim - 1)
    parts = graph.producer(new.add("Split", axis, node.inputs[0], **types, num_split=groups))
    kernels = [graph.add_constant(node.inputs[1], kernel) for kernel in np.split(weights, groups, axis=-1)]
    results = [new.add(node.op, parts.ref(i), kernel, **attrs) for i, kernel in enumerate(kernels)]
    new.replace("ConcatV2", *results, axis, **types, Tidx=INT32, N=groups)


PASS = Rewrite(__name__, frozenset({"Conv2D", "Conv3D"}), _match, _apply)
