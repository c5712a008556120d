"""Lower MatrixBandPart, whose upper bound TF.js reads from the wrong input: causal attention would see the future.

Given:   y = MatrixBandPart(x, lower, upper)      x (…, M, N)
Result:  y = SelectV2(band, x, 0)                 band (M, N) constant: -lower ≤ column - row ≤ upper
         y = LogicalAnd(x, band)                  for bool

A negative bound keeps that whole triangle.

Refuses: M or N is unknown; a bound is computed.
Source: TensorFlow ``core/ops/array_ops.cc``, ``MatrixBandPart``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Array, Graph, Node
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    band: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    lower, upper = (graph.constant(ref) for ref in node.inputs[1:3])
    if lower is None or upper is None:
        return Miss("a bound of the band is computed")
    shape = graph.shape(node.inputs[0])
    if shape is None or shape[-2] is None or shape[-1] is None:
        return Miss("the size of the matrices is unknown")
    offsets = np.arange(shape[-1])[None, :] - np.arange(shape[-2])[:, None]
    band = np.ones(offsets.shape, np.bool_)
    if lower >= 0:
        band &= offsets >= -lower
    if upper >= 0:
        band &= offsets <= upper
    return _Match(node, band)


def _apply(graph: Graph, match: _Match) -> None:
    node = match.node
    band = graph.add_constant(f"{node.name}/band", match.band)
    dtype = node.attrs["T"]
    if dtype == "bool":
        graph.replace_node(node.name, Node(node.name, "LogicalAnd", [node.inputs[0], band]))
        return
    zero = graph.add_constant(f"{node.name}/zero", np.zeros((), str(dtype)))
    graph.replace_node(node.name, Node(node.name, "SelectV2", [band, node.inputs[0], zero], {"T": dtype}))


LOWER_MATRIX_BAND_PART = Rewrite("lower_matrix_band_part", frozenset({"MatrixBandPart"}), _match, _apply)
