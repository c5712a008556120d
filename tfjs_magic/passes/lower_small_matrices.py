"""Lower inverses, solutions, determinants and Cholesky factors of small matrices, which TF.js lacks, to their steps.

Given:   y = MatrixInverse(a), MatrixSolve(a, b), MatrixDeterminant(a)      a (…, N, N), N ≤ 8
         sign, log = LogMatrixDeterminant(a)
Result:  Gauss and Jordan's elimination, the largest number of a column first; all matrices of a batch at once
Given:   y = Cholesky(a), MatrixTriangularSolve(a, b)
Result:  column by column

Refuses: the size is unknown, or larger; the numbers are no float32.
Source: TensorFlow ``core/ops/linalg_ops.cc``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import BOOL, FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_LARGEST = 8


@dataclasses.dataclass(frozen=True)
class _Match:
    """``size`` is N, ``axes`` how many axes the matrices have, or what is on their right, if it has more."""

    node: Node
    size: int
    axes: int


def _match(graph: Graph, node: Node) -> _Match | Miss:
    shape, *others = (graph.shape(ref) for ref in node.inputs)
    if shape is None or shape[-1] is None or None in others:
        return Miss("the size of its matrices is unknown")
    if not 0 < shape[-1] <= _LARGEST:
        return Miss(f"it takes matrices of {shape[-1]} rows; expected 1 to {_LARGEST}")
    if node.attrs["T"] != "float32":
        return Miss("its numbers are no float32: cast them before")
    return _Match(node, shape[-1], max(len(dims) for dims in (shape, *others) if dims is not None))


class _Matrices:
    """Arithmetic on matrices (…, rows, columns) of as many axes as the match has."""

    def __init__(self, graph: Graph, match: _Match) -> None:
        self.graph = graph
        self.new = Lowering(graph, match.node)
        self.size = match.size
        self.axes = match.axes
        self.inputs = [self._expanded(ref, len(graph.shape(ref) or ())) for ref in match.node.inputs]

    def __call__(self, op: str, *operands: Ref | float) -> Ref:
        """Add arithmetic of tensors and numbers."""
        refs = (ref if isinstance(ref, str) else self.new.constant(ref, "float32") for ref in operands)
        return self.new.add(op, *refs, T=FLOAT32)

    def _expanded(self, ref: Ref, axes: int) -> Ref:
        for _ in range(self.axes - axes):
            ref = self.new.expand(ref, 0, FLOAT32)
        return ref

    def cut(self, ref: Ref, place: int, *, rows: bool) -> Ref:
        """Return one row or column as a matrix."""
        attrs: dict[str, Attr] = {"Tparams": FLOAT32, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
        axis = self.new.constant(self.axes - 1 - rows)
        return self.new.add("GatherV2", ref, self.new.constant([place]), axis, **attrs)

    def picked(self, ref: Ref, is_row: Ref) -> Ref:
        """Return the row where ``is_row`` (…, rows, 1) is 1."""
        axes = self.new.constant([self.axes - 2])
        return self.new.add("Sum", self("Mul", ref, is_row), axes, T=FLOAT32, Tidx=INT32, keep_dims=True)

    def transposed(self, ref: Ref) -> Ref:
        order = self.new.constant([*range(self.axes - 2), self.axes - 1, self.axes - 2])
        return self.new.add("Transpose", ref, order, T=FLOAT32, Tperm=INT32)

    def replace_with(self, parts: Sequence[Ref], *, rows: bool) -> None:
        """Put rows or columns together in the place of the node."""
        if len(parts) == 1:
            self.new.replace("Identity", *parts, T=FLOAT32)
            return
        axis = self.new.constant(self.axes - 1 - rows)
        self.new.replace("ConcatV2", *parts, axis, N=len(parts), T=FLOAT32, Tidx=INT32)

    def pivot(self, column: Ref, free: Ref) -> tuple[Ref, Ref]:
        """Return which free row has the largest number of a column, as 1 among zeros and as a number (…, 1, 1)."""
        size = self("Mul", self("Abs", column), free)
        axis = self.new.constant(self.axes - 2)
        place = self.new.add(
            "ArgMax", self("AddV2", size, self("Sub", free, 1)), axis, T=FLOAT32, Tidx=INT32, output_type=INT32
        )
        place = self.new.expand(place, self.axes - 2, INT32)
        rows = self.new.constant(np.arange(self.size)[:, None])
        return self.new.add("Cast", self.new.add("Equal", rows, place, T=INT32), SrcT=BOOL, DstT=FLOAT32), place


def _eliminated(on: _Matrices, matrix: Ref, right: Ref) -> list[Ref]:
    """Return the rows of matrix⁻¹ · right."""
    ones, chosen = on.new.constant(np.ones((on.size, 1)), "float32"), list[Ref]()
    free = ones
    for i in range(on.size):
        column = on.cut(matrix, i, rows=False)
        is_row, _ = on.pivot(column, free)
        free, others = on("Sub", free, is_row), on("Sub", ones, is_row)
        row = on.picked(matrix, is_row)
        pivot = on.cut(row, i, rows=False)
        change = on("Sub", is_row, on("Mul", column, others))
        changed = on("RealDiv", row, pivot), on("RealDiv", on.picked(right, is_row), pivot)
        matrix, right = (
            on("AddV2", on("Mul", whole, others), on("Mul", one, change))
            for whole, one in zip((matrix, right), changed, strict=True)
        )
        chosen.append(is_row)
    return [on.picked(right, is_row) for is_row in chosen]


def _inverse(on: _Matrices, node: Node) -> None:
    matrix = on.transposed(on.inputs[0]) if node.attrs.get("adjoint", False) else on.inputs[0]
    on.replace_with(_eliminated(on, matrix, on.new.constant(np.eye(on.size), "float32")), rows=True)


def _solution(on: _Matrices, node: Node) -> None:
    matrix = on.transposed(on.inputs[0]) if node.attrs.get("adjoint", False) else on.inputs[0]
    on.replace_with(_eliminated(on, matrix, on.inputs[1]), rows=True)


def _pivots(on: _Matrices) -> Iterator[Ref]:
    """Yield the pivots (…, 1, 1), each with the sign of the rows that it overtakes; nothing is left behind one of 0."""
    (matrix,) = on.inputs
    free = on.new.constant(np.ones((on.size, 1)), "float32")
    rows = on.new.constant(np.arange(on.size)[:, None])
    for i in range(on.size):
        column = on.cut(matrix, i, rows=False)
        is_row, place = on.pivot(column, free)
        before = on.new.add("Cast", on.new.add("Less", rows, place, T=INT32), SrcT=BOOL, DstT=FLOAT32)
        sign = on("Sub", 1, on("Mul", on("FloorMod", on.picked(free, before), 2), 2))
        row = on.picked(matrix, is_row)
        pivot = on.cut(row, i, rows=False)
        yield on("Mul", pivot, sign)
        free = on("Sub", free, is_row)
        matrix = on("Sub", matrix, on("Mul", on("Mul", column, free), on("DivNoNan", row, pivot)))


def _determinant(on: _Matrices, node: Node) -> None:
    """Multiply the pivots, or their signs, and add up their logarithms."""
    pivots, plain = [*_pivots(on)], node.op == "MatrixDeterminant"
    product = functools.reduce(functools.partial(on, "Mul"), pivots if plain else [on("Sign", x) for x in pivots])
    axes = (on.axes - 2, on.axes - 1)
    if not plain:
        logs = [on("Log", on("Abs", pivot)) for pivot in pivots]
        total = functools.reduce(functools.partial(on, "AddV2"), logs)
        on.graph.replace_uses(node.ref(1), on.new.add("Squeeze", total, T=FLOAT32, squeeze_dims=axes))
    on.new.replace("Squeeze", product, T=FLOAT32, squeeze_dims=axes)


def _cholesky(on: _Matrices, _: Node) -> None:
    (matrix,), columns = on.inputs, list[Ref]()
    for i in range(on.size):
        column = on.cut(matrix, i, rows=False)
        below = on.new.constant((np.arange(on.size) >= i)[:, None], "float32")
        root = on("Sqrt", on.cut(column, i, rows=True))
        columns.append(on("RealDiv", on("Mul", column, below), root))
        matrix = on("Sub", matrix, on("Mul", columns[-1], on.transposed(columns[-1])))
    on.replace_with(columns, rows=False)


def _triangular(on: _Matrices, node: Node) -> None:
    matrix, right = on.inputs
    adjoint, lower = node.attrs.get("adjoint", False), node.attrs.get("lower", True)
    matrix = on.transposed(matrix) if adjoint else matrix
    found: dict[int, Ref] = {}
    for i in range(on.size) if lower != adjoint else reversed(range(on.size)):
        column = on.cut(matrix, i, rows=False)
        found[i] = on("RealDiv", on.cut(right, i, rows=True), on.cut(column, i, rows=True))
        right = on("Sub", right, on("Mul", column, found[i]))
    on.replace_with([found[i] for i in range(on.size)], rows=True)


_FORMS: Mapping[str, Callable[[_Matrices, Node], None]] = {
    "Cholesky": _cholesky,
    "LogMatrixDeterminant": _determinant,
    "MatrixDeterminant": _determinant,
    "MatrixInverse": _inverse,
    "MatrixSolve": _solution,
    "MatrixTriangularSolve": _triangular,
}


def _apply(graph: Graph, match: _Match) -> None:
    _FORMS[match.node.op](_Matrices(graph, match), match.node)


PASS = Rewrite(__name__, frozenset(_FORMS), _match, _apply)
