"""Lower products of a sparse matrix and a dense one, which TF.js lacks, to rows that are looked up and added.

Given:   y = SparseTensorDenseMatMul(indices, values, (M, K), b)      b (K, N), indices (nnz, 2), values (nnz,)
Result:  y = ScatterNd(indices[:, :1], values[:, None] · b[indices[:, 1]], (M, N))

An adjoint of the sparse matrix swaps the columns of the indices, one of the dense matrix is a Transpose.

Refuses: the numbers are no float32 or int32; the rank of the dense matrix is unknown.
Source: TensorFlow ``core/ops/sparse_ops.cc``.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


def _match(graph: Graph, node: Node) -> Node | Miss:
    if node.attrs["T"] not in {"float32", "int32"}:
        return Miss("its numbers are no float32 or int32: cast them before")
    return node if graph.shape(node.inputs[3]) is not None else Miss("the rank of the dense matrix is unknown")


def _apply(_graph: Graph, node: Node) -> None:
    new, (indices, values, shape, dense), dtype = Lowering(_graph, node), node.inputs, node.attrs["T"]
    assert isinstance(dtype, DType)
    if node.attrs.get("adjoint_b", False):
        dense = new.add("Transpose", dense, new.constant([1, 0]), T=dtype, Tperm=INT32)
    if node.attrs.get("Tindices", DType("int64")) != INT32:
        indices = new.add("Cast", indices, SrcT=DType("int64"), DstT=INT32)
    shape = new.add("Cast", shape, SrcT=DType("int64"), DstT=INT32)

    def gathered(ref: Ref, places: Ref, axis: int, of: DType) -> Ref:
        attrs: dict[str, Attr] = {"Tparams": of, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
        return new.add("GatherV2", ref, places, new.constant(axis), **attrs)

    to, come_from = (1, 0) if node.attrs.get("adjoint_a", False) else (0, 1)
    rows = gathered(dense, new.vector(gathered(indices, new.constant([come_from]), 1, INT32), INT32), 0, dtype)
    added = new.add("Mul", new.expand(values, 1, dtype), rows, T=dtype)
    size = new.dims([new.element(shape, to), new.size(dense, 1)])
    new.replace("ScatterNd", gathered(indices, new.constant([to]), 1, INT32), added, size, T=dtype, Tindices=INT32)


PASS = Rewrite(__name__, frozenset({"SparseTensorDenseMatMul"}), _match, _apply)
