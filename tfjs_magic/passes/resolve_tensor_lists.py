"""Resolve lists of tensors whose every index is known, as an unrolled loop leaves them.

Given:   y = TensorListGetItem(list, i)         list = … SetItem(SetItem(Reserve(n), 0, a), 1, b) …
Result:  y = Identity(a)                        what was set at i last
Given:   y = TensorListGetItem(TensorListFromTensor(x), i)
Result:  y = Unpack(x)[i]                       one Unpack for all items
Given:   y = TensorListStack(list)
Result:  y = Pack(a, b, …), or Identity(x) of an untouched TensorListFromTensor(x)

Refuses: an index is computed; an item was never set; the list comes out of a loop, a branch or a call.
Source: TensorFlow ``core/kernels/list_kernels.cc``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import DType, Graph, Node, Shape
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """The items that were set, and where the rest comes from: a tensor, and how many items it has."""

    node: Node
    items: dict[int, str]
    source: str | None
    length: int
    index: int | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    found = _items(graph, node.inputs[0])
    if isinstance(found, Miss):
        return found
    items, source, length = found
    index = None
    if node.op == "TensorListGetItem":
        value = graph.constant(node.inputs[1])
        if value is None:
            return Miss("an index is computed")
        index = int(value)
    wanted = range(length) if index is None else [index]
    if source is None and any(i not in items for i in wanted):
        return Miss("an item was never set")
    return _Match(node, items, source, length, index)


def _items(graph: Graph, ref: str) -> tuple[dict[int, str], str | None, int] | Miss:
    """Follow a list back to where it was made; what was set last counts."""
    items: dict[int, str] = {}
    pushed: list[str] = []
    while True:
        node = graph[ref]
        if node.op == "TensorListSetItem" and (index := graph.constant(node.inputs[1])) is not None:
            items.setdefault(int(index), node.inputs[2])
        elif node.op == "TensorListPushBack":
            pushed.append(node.inputs[1])
        elif node.op == "EmptyTensorList":
            return dict(enumerate(reversed(pushed))), None, len(pushed)
        elif node.op == "TensorListReserve" and (size := graph.constant(node.inputs[1])) is not None and not pushed:
            return items, None, int(size)
        elif node.op == "TensorListFromTensor" and not pushed:
            shape = graph.shape(node.inputs[0])
            if shape is None or not shape or shape[0] is None:
                return Miss("the length of the list is unknown")
            return items, node.inputs[0], shape[0]
        elif node.op != "Identity":
            return Miss("the list comes out of a loop or a branch, or an index is computed")
        ref = node.inputs[0]


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    dtype = node.attrs["element_dtype"]
    assert isinstance(dtype, DType)
    if match.index is not None:
        new.replace("Identity", _item(graph, match, match.index, dtype), T=dtype)
    elif match.source is not None and not match.items:
        new.replace("Identity", match.source, T=dtype)
    else:
        rows = [_item(graph, match, i, dtype) for i in range(match.length)]
        new.replace("Pack", *rows, axis=0, N=len(rows), T=dtype)


def _item(graph: Graph, match: _Match, index: int, dtype: DType) -> str:
    if (item := match.items.get(index)) is not None:
        return item
    assert match.source is not None
    name = f"{match.source.replace(':', '_')}/unpacked"
    if name not in graph:
        shape = graph.shape(match.source) or ()
        unpack = Node(name, "Unpack", [match.source], {"axis": 0, "num": match.length, "T": dtype})
        unpack.shapes = (Shape(shape[1:]),) * match.length
        graph.add(unpack)
    return f"{name}:{index}" if index else name


RESOLVE_TENSOR_LISTS = Rewrite(
    "resolve_tensor_lists", frozenset({"TensorListGetItem", "TensorListStack"}), _match, _apply
)
