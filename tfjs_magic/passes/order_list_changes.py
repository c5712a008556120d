"""Make TF.js's lists, which it changes in place and makes without a size, give what TensorFlow's give.

Given:   y = TensorListGetItem(list, i);  new = TensorListSetItem(list, j, x)
Result:  new = TensorListSetItem(list, j + 0 · Rank(y), x)             the change waits for who reads the list as it was
Given:   y = TensorListStack(list)                                     list = … TensorListReserve(n) …
Result:  rows = TensorListStack(list);  y = ConcatV2(rows, zeros)      zeros for the last items, if they were never set
Given:   list = TensorListReserve(n)                                    not in a loop or branch, items of known shape
Result:  list = TensorListFromTensor(zeros)                            TF.js fails at an item between that was never set
Given:   y = TensorListLength(list)
Result:  y = Identity(n)                                               TF.js counts up to the last item that was set

Lists that are used as they were after a change, in another way, are refused: ``ops/check.py`` names them.
Source: tfjs-converter ``src/executor/tensor_list.ts``, 4.22; tensorflow ``core/kernels/list_kernels.h``.
"""

from __future__ import annotations

import numpy as np

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.graph.tensor_lists import item_shape, reserved_length, unordered_readers, users_of_list
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import GraphPass

_WITHOUT_ZERO = frozenset({"string", "variant"})


def _run(graph: Graph) -> int:
    return sum(_edit(graph, node) for node in graph)


def _edit(graph: Graph, node: Node) -> bool:
    if node.op == "TensorListReserve":
        return _filled(graph, node)
    if node.op == "TensorListSetItem":
        readers = unordered_readers(graph, node)
        if readers:
            _wait(graph, node, readers)
        return bool(readers)
    stacks = node.op == "TensorListStack" and node.attrs["element_dtype"] not in _WITHOUT_ZERO
    length = reserved_length(graph, node.inputs[0]) if stacks or node.op == "TensorListLength" else None
    if length is None:
        return False
    if node.op == "TensorListLength":
        Lowering(graph, node).replace("Identity", length, T=INT32)
        return True
    if _is_padded(graph, node, length):
        return False
    _pad(graph, node, length)
    return True


def _filled(graph: Graph, node: Node) -> bool:
    dtype, users = node.attrs["element_dtype"], users_of_list(graph, node)
    shape = None if users is None else item_shape(graph, node, users)
    if shape is None or dtype in _WITHOUT_ZERO or any(user.op == "TensorListResize" for user in users or ()):
        return False
    assert isinstance(dtype, DType)
    new = Lowering(graph, node)
    count = new.reshape(node.inputs[1], [1], INT32)
    sides = new.add("ConcatV2", count, new.constant(shape), new.constant(0), N=2, T=INT32, Tidx=INT32)
    zeros = new.add("Fill", sides, new.constant(np.zeros(()), dtype), T=dtype, index_type=INT32)
    new.replace("TensorListFromTensor", zeros, new.constant(shape), element_dtype=dtype, shape_type=INT32)
    return True


def _wait(graph: Graph, node: Node, readers: list[Node]) -> None:
    new, index = Lowering(graph, node), node.inputs[1]
    for reader in readers:
        rank = new.add("Rank", reader.ref(), T=reader.attrs.get("element_dtype", INT32))
        nothing = new.add("Mul", rank, new.constant(0), T=INT32)
        index = new.add("AddV2", index, nothing, T=INT32)
    graph.set_inputs(node, [node.inputs[0], index, *node.inputs[2:]])


def _is_padded(graph: Graph, rows: Node, length: Ref) -> bool:
    """Whether nothing takes the rows but what :func:`_pad` adds: their shape, and what joins zeros to them."""
    shapes = [user for user in graph.consumers(rows.name) if user.op == "Shape"]
    joins = [user for user in graph.consumers(rows.name) if user.op == "ConcatV2" and user.inputs[0] == rows.ref()]
    if graph.is_output(rows.name) or len(shapes) != 1 or len(joins) != 1 or len(graph.consumers(rows.name)) != 2:
        return False
    fill = graph.producer(joins[0].inputs[1])
    sizes = graph.producer(fill.inputs[0]) if fill.op == "Fill" and graph.constant(fill.inputs[1]) == 0 else fill
    missing = graph.producer(sizes.inputs[0])
    if sizes.op != "ConcatV2" or missing.op != "Sub":
        return False
    wanted, count = map(graph.producer, missing.inputs)
    return wanted.op == "Reshape" and wanted.inputs[0] == length and count.inputs[:1] == [shapes[0].ref()]


def _pad(graph: Graph, node: Node, length: Ref) -> None:
    new = Lowering(graph, node)
    dtype = node.attrs["element_dtype"]
    assert isinstance(dtype, DType)
    rows = new.add(node.op, *node.inputs, **node.attrs)
    shape = new.add("Shape", rows, T=dtype, out_type=INT32)
    masks: dict[str, Attr] = {"begin_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    types: dict[str, Attr] = {"T": INT32, "Index": INT32, **masks}
    zero, one = new.constant([0]), new.constant([1])
    count = new.add("StridedSlice", shape, zero, one, one, end_mask=0, **types)
    inner = new.add("StridedSlice", shape, one, zero, one, end_mask=1, **types)
    missing = new.add("Sub", new.reshape(length, [1], INT32), count, T=INT32)
    sizes = new.add("ConcatV2", missing, inner, new.constant(0), N=2, T=INT32, Tidx=INT32)
    zeros = new.add("Fill", sizes, new.constant(np.zeros(()), dtype), T=dtype, index_type=INT32)
    new.replace("ConcatV2", rows, zeros, new.constant(0), N=2, T=dtype, Tidx=INT32)


PASS = GraphPass(__name__, _run)
