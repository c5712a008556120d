"""Lower the ops on several diagonals of matrices, which TF.js lacks, to gathers of known places.

Given:   y = MatrixDiag(d, (k, m), rows, columns, p)   d (…, m - k + 1, L), or (…, L) of one diagonal; y (…, M, N)
Result:  y = SelectV2(band, GatherV2(d', i), p)        d' (…, (m - k + 1)·L); i[r, c]: where row r, column c is from
Given:   y = MatrixDiagPart(x, (k, m), p)              x (…, M, N) → y (…, m - k + 1, L)
Result:  y = SelectV2(inside, GatherV2(x', i), p)      x' (…, M·N)
Given:   y = MatrixSetDiag(x, d, (k, m))
Result:  y = SelectV2(band, GatherV2(d', i), x)

Shorter diagonals stand at the left or right of their row, as ``align`` says.

Refuses: the size of the matrices is unknown.
Source: TensorFlow ``core/kernels/linalg/matrix_diag_op.cc``, ``ComputeDiagLenAndContentOffset``.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import is_band
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MAKE = frozenset({"MatrixDiagV2", "MatrixDiagV3"})
_TAKE = frozenset({"MatrixDiagPartV2", "MatrixDiagPartV3"})
_SET = frozenset({"MatrixSetDiagV2", "MatrixSetDiagV3"})


@dataclasses.dataclass(frozen=True)
class _Match:
    """The size of the matrices, the first and the last diagonal, and the length of the longest.

    ``inner`` is how many axes of the first operand belong to a matrix, or to its diagonals.
    """

    node: Node
    rows: int
    columns: int
    first: int
    last: int
    length: int
    inner: int

    @property
    def number(self) -> int:
        """How many diagonals there are."""
        return self.last - self.first + 1

    @property
    def diagonals(self) -> Array:
        """Return the place in the matrix of each value of the diagonals (number, length); -1 where there is none."""
        places = np.full((self.number, self.length), -1)
        for place, diagonal in enumerate(range(self.last, self.first - 1, -1)):
            row, column = max(-diagonal, 0), max(diagonal, 0)
            length = max(min(self.rows - row, self.columns - column), 0)
            begin = 0 if self._is_left(diagonal) else self.length - length
            steps = np.arange(length)
            places[place, begin : begin + length] = (row + steps) * self.columns + column + steps
        return places

    def _is_left(self, diagonal: int) -> bool:
        align = self.node.attrs.get("align", b"LEFT_LEFT")
        assert isinstance(align, bytes)
        above, below = (side == b"LEFT" for side in align.split(b"_"))
        return (diagonal >= 0 and above) or (diagonal <= 0 and below)


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, made = graph.shape(node.inputs[0]), graph.shape(node.ref())
    offsets = graph.constant(node.inputs[2 if node.op in _SET else 1])
    if shape is None or made is None or offsets is None or not is_band(graph, node, offsets):
        return None
    first, last = int(offsets.ravel()[0]), int(offsets.ravel()[-1])
    rows, columns = made[-2:] if node.op in _MAKE else shape[-2:]
    if rows is None or columns is None or (node.op in _MAKE and shape[-1] is None):
        return Miss("the size of the matrices is unknown, and it is a band of diagonals")
    length = (shape[-1] or 0) if node.op in _MAKE else min(rows + min(last, 0), columns - max(first, 0))
    return _Match(node, rows, columns, first, last, length, 1 if node.op in _MAKE and first == last else 2)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    places, size, dtype = match.diagonals.ravel(), match.rows * match.columns, node.attrs["T"]
    flat = new.reshape(node.inputs[0], [-1, len(places) if node.op in _MAKE else size], dtype)
    sides = [match.number, match.length] if node.op in _TAKE else [match.rows, match.columns]
    if node.op in _TAKE:
        chosen = _chosen(new, flat, places, node.inputs[2], dtype)
    else:
        inverse = np.full(size, -1)
        inverse[places[places >= 0]] = np.flatnonzero(places >= 0)
        if node.op in _MAKE:
            chosen = _chosen(new, flat, inverse, node.inputs[4], dtype)
        else:
            chosen = _chosen(new, new.reshape(node.inputs[1], [-1, len(places)], dtype), inverse, flat, dtype)
    new.replace("Reshape", chosen, _shape(graph, new, match, sides), T=dtype, Tshape=INT32)


def _chosen(new: Lowering, data: Ref, flat: Array, rest: Ref, dtype: Attr) -> Ref:
    """Return (n, places): the data (n, size) at the places, and the rest where a place is negative."""
    indices = new.constant(np.maximum(flat, 0)), new.constant(1)
    gathered = new.add("GatherV2", data, *indices, Tparams=dtype, Tindices=INT32, Taxis=INT32, batch_dims=0)
    if (flat >= 0).all():
        return gathered
    return new.add("SelectV2", new.constant(flat >= 0, "bool"), gathered, rest, T=dtype)


def _shape(graph: Graph, new: Lowering, match: _Match, sides: list[int]) -> Ref:
    data = match.node.inputs[0]
    outer = (graph.shape(data) or ())[: -match.inner]
    if outer.count(None) <= 1 and 0 not in outer and math.prod(sides) > 0:
        return new.constant([*(-1 if side is None else side for side in outer), *sides])
    return new.dims([*(new.size(data, axis) for axis in range(len(outer))), *sides])


PASS = Rewrite(__name__, _MAKE | _TAKE | _SET, _match, _apply)
