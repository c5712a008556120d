"""Lower dilations beside strides, which TF.js refuses, to a kernel spread with zeros.

Given:   y = Conv2D(x, W), DepthwiseConv2dNative or Conv3D      a stride and a dilation d other than 1
Result:  y = Conv2D(x, W')                                     W' (K - 1)·d + 1 long per axis; no dilations

The padding stays: SAME goes by the length of the spread kernel anyway.

Refuses: the weights are computed; the channels are not last.
Source: tfjs-core ``src/ops/conv_util.ts``, ``eitherStridesOrDilationsAreOne``, 4.22.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    kernel: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    strides, dilations = node.attrs["strides"], node.attrs.get("dilations", ())
    assert isinstance(strides, tuple)
    assert isinstance(dilations, tuple)
    if {1}.issuperset(strides) or {1}.issuperset(dilations):
        return None
    weights = graph.constant(node.inputs[1])
    if weights is None or node.attrs.get("data_format", b"NHWC") in {b"NCHW", b"NCDHW"}:
        return Miss("the weights are computed, or the channels are not last")
    rates = [int(rate) for rate in dilations[1:-1]]  # type: ignore[arg-type]
    sides = [(side - 1) * rate + 1 for side, rate in zip(weights.shape, rates, strict=False)]
    kernel = np.zeros((*sides, *weights.shape[len(rates) :]), weights.dtype)
    kernel[tuple(slice(None, None, rate) for rate in rates)] = weights
    return _Match(node, kernel)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    kernel = graph.add_constant(node.inputs[1], match.kernel)
    ones = (1,) * match.kernel.ndim if node.op == "Conv3D" else (1, 1, 1, 1)
    new.replace(node.op, node.inputs[0], kernel, **{**node.attrs, "dilations": ones})


PASS = Rewrite(__name__, frozenset({"Conv2D", "Conv3D", "DepthwiseConv2dNative"}), _match, _apply)
