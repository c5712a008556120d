"""Lower the ops on the main diagonal of matrices, which TF.js lacks.

Given:   y = MatrixDiag(d)                        d (…, N)
Result:  y = SelectV2(eye, d[…, None, :], 0)      eye (N, N)
Given:   y = MatrixDiagPart(x)                    x (…, M, N)
Result:  y = Sum(SelectV2(eye, x, 0), -1)         eye (M, N); over -2 if M > N
Given:   y = MatrixSetDiag(x, d)
Result:  y = SelectV2(eye, d[…, None], x)         d[…, None, :] if M > N

Refuses: another diagonal than the main one, a size of its own, another padding than 0; the diagonal of matrices of
unknown size; booleans to be summed.
Source: TensorFlow ``core/ops/array_ops.cc``; V3 has k, num_rows, num_cols and padding_value as inputs.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MAKE = frozenset({"MatrixDiag", "MatrixDiagV2", "MatrixDiagV3"})
_TAKE = frozenset({"MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3"})
_SET = frozenset({"MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3"})


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    dtype: DType
    tall: bool


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, dtype = graph.shape(node.inputs[0]), node.attrs["T"]
    assert isinstance(dtype, DType)
    if shape is None:
        return Miss("the rank is unknown")
    if not _is_usual(graph, node, shape):
        return Miss("it is not the main diagonal of a square matrix with zeros around it")
    if node.op in _MAKE:
        return _Match(node, dtype, tall=False)
    rows, columns = shape[-2:]
    if rows is None or columns is None or (node.op in _TAKE and dtype == "bool"):
        return Miss("the size of the matrices is unknown, or booleans would be summed")
    return _Match(node, dtype, tall=rows > columns)


def _is_usual(graph: Graph, node: Node, shape: tuple[int | None, ...]) -> bool:
    """Whether the options say: the main diagonal, the size that it needs, 0 elsewhere."""
    values = [graph.constant(ref) for ref in node.inputs[2 if node.op in _SET else 1 :]]
    found = [int(value.ravel()[0]) for value in values if value is not None and value.size == 1]
    if len(found) < len(values):
        return False
    if node.op in _MAKE:
        zero: set[int | None] = {0}
        sizes: set[int | None] = {-1, shape[-1]}
        return all(value in usual for value, usual in zip(found, (zero, sizes, sizes, zero), strict=False))
    return not any(found)


def _apply(graph: Graph, match: _Match) -> None:
    node, dtype, new = match.node, match.dtype, Lowering(graph, match.node)
    x = node.inputs[0]
    columns = new.range(new.size(x, -1))
    rows = columns if node.op in _MAKE else new.range(new.size(x, -2))
    eye = new.add("Equal", new.expand(rows, 1, INT32), columns, T=INT32)
    zero = new.constant(0, str(dtype))
    if node.op in _MAKE:
        new.replace("SelectV2", eye, new.expand(x, -2, dtype), zero, T=dtype)
    elif node.op in _SET:
        new.replace("SelectV2", eye, new.expand(node.inputs[1], -2 if match.tall else -1, dtype), x, T=dtype)
    else:
        only = new.add("SelectV2", eye, x, zero, T=dtype)
        new.replace("Sum", only, new.constant([-2 if match.tall else -1]), T=dtype, Tidx=INT32)


LOWER_MATRIX_DIAGONAL = Rewrite("lower_matrix_diagonal", _MAKE | _TAKE | _SET, _match, _apply)
