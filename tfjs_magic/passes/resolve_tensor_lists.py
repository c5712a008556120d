"""Resolve lists of tensors whose every index is known, as an unrolled loop leaves them.

Given:   y = TensorListGetItem(list, i)         list = … SetItem(SetItem(Reserve(n), 0, a), 1, b) …
Result:  y = Identity(a)                        what was set at i last
Given:   y = TensorListGetItem(TensorListFromTensor(x), i)
Result:  y = Unpack(x)[i]                       one Unpack for all items
Given:   y = TensorListStack(list)
Result:  y = Pack(a, b, …), or Identity(x) of an untouched TensorListFromTensor(x)

Gather, ConcatV2, PopBack and Length likewise. An item that was never set is zeros, and a list grows where it may.

Refuses: an index is computed; a size or a shape is known only in the browser; the list comes out of a loop or a branch.
Source: TensorFlow ``core/kernels/list_kernels.h`` (``TensorListStack``, ``TensorListGetItem``, ``TensorListSetItem``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref, node_of, port_of
from tfjs_magic.graph.tensor_lists import CHANGES, READS
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Part:
    """Part ``index`` of a tensor that became a list: a row, or as many rows as ``sizes`` says."""

    tensor: Ref
    index: int
    length: int
    sizes: tuple[int, ...] | None = None


#: What an item was set to; None where it never was.
_Item = Ref | _Part | None
#: What gives a list like its first input, but for one change.
_CHANGES = CHANGES | {"Identity"}
_READERS = READS | {"TensorListPopBack"}


@dataclasses.dataclass(frozen=True)
class _Match:
    """What the node hands on.

    Attributes:
        items: In order.
        shape: Of one item, where it is known.
        like: An item of the list that was set.
    """

    node: Node
    items: tuple[_Item, ...]
    shape: tuple[int, ...] | None
    like: _Item


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.op in {"TensorListPopBack", "TensorListConcatV2"}:
        is_read = node.ref(1) in graph.outputs.values() or 1 in graph.used_ports(node.name)
        if is_read != (node.op == "TensorListPopBack"):
            return None
    contents = _contents(graph, node.inputs[0])
    if isinstance(contents, Miss):
        return contents
    items = _taken(graph, node, contents)
    if isinstance(items, Miss):
        return items
    shape, like = _item_shape(graph, node), next((item for item in contents if item is not None), None)
    match = _Match(node, items, shape, like)
    return match if node.op == "TensorListLength" else _unset(match) or match


def _unset(match: _Match) -> Miss | None:
    """Say why what was never set cannot be zeros."""
    if match.items and None not in match.items:
        return None
    if match.node.op == "TensorListConcatV2" or match.node.attrs["element_dtype"] == "string":
        return Miss("an item was never set")
    if match.shape is None and (not match.items or match.like is None):
        return Miss("an item was never set, and its shape is known only in the browser")
    return None


def _taken(graph: Graph, node: Node, contents: list[_Item]) -> tuple[_Item, ...] | Miss:
    """Return the items that a reader takes."""
    if node.op in {"TensorListGetItem", "TensorListGather"}:
        indices = graph.constant(node.inputs[1])
        if indices is None:
            return Miss("an index is computed")
        if any(not 0 <= i < len(contents) for i in indices.ravel()):
            return Miss("an index is beyond the list")
        return tuple(contents[int(i)] for i in indices.ravel())
    if node.op == "TensorListPopBack":
        return (contents[-1],) if contents else Miss("the list is empty")
    return tuple(contents)


def _contents(graph: Graph, ref: Ref) -> list[_Item] | Miss:
    """Follow a list back to where it was made, then do again what was done to it."""
    steps: list[Node] = []
    while (node := graph.producer(ref)).op in _CHANGES and port_of(ref) == 0:
        steps.append(node)
        ref = node.inputs[0]
    contents = _made(graph, node)
    for step in reversed(steps):
        if isinstance(contents, Miss):
            break
        contents = _changed(graph, step, contents)
    return contents


def _made(graph: Graph, node: Node) -> list[_Item] | Miss:
    if node.op == "EmptyTensorList":
        return []
    if node.op == "TensorListReserve" and (size := graph.constant(node.inputs[1])) is not None:
        return [None] * int(size)
    if node.op == "TensorListFromTensor":
        shape = graph.shape(node.inputs[0])
        if not shape or shape[0] is None:
            return Miss("the length of the list is unknown")
        return [_Part(node.inputs[0], i, shape[0]) for i in range(shape[0])]
    if node.op == "TensorListSplit" and (lengths := graph.constant(node.inputs[2])) is not None:
        sizes = tuple(int(length) for length in lengths)
        return [_Part(node.inputs[0], i, len(sizes), sizes) for i in range(len(sizes))]
    return Miss("the list comes out of a loop or a branch, or an index is computed")


def _changed(graph: Graph, step: Node, contents: list[_Item]) -> list[_Item] | Miss:
    """Do again what a node did to a list."""
    if step.op == "TensorListPushBack":
        return [*contents, step.inputs[1]]
    if step.op == "TensorListPopBack":
        return contents[:-1]
    if step.op == "TensorListScatterIntoExistingList":
        return _scattered(graph, step, contents)
    return contents if step.op == "Identity" else _sized(graph, step, contents)


def _scattered(graph: Graph, step: Node, contents: list[_Item]) -> list[_Item] | Miss:
    indices, shape = graph.constant(step.inputs[2]), graph.shape(step.inputs[1])
    if indices is None or not shape or shape[0] != len(indices):
        return Miss("an index is computed")
    return _with(contents, {int(k): _Part(step.inputs[1], i, len(indices)) for i, k in enumerate(indices)})


def _sized(graph: Graph, step: Node, contents: list[_Item]) -> list[_Item] | Miss:
    number = graph.constant(step.inputs[1])
    if number is None:
        return Miss("an index is computed")
    if step.op == "TensorListResize":
        return [*contents, *[None] * int(number)][: int(number)]
    if int(number) >= len(contents) and not step.attrs.get("resize_if_index_out_of_bounds", False):
        return Miss("an index is beyond the list")
    return _with(contents, {int(number): step.inputs[2]})


def _with(contents: list[_Item], changes: Mapping[int, _Item]) -> list[_Item]:
    """Set items in place; the list grows as far as it must."""
    contents += [None] * (max(changes, default=-1) + 1 - len(contents))
    for i, item in changes.items():
        contents[i] = item
    return contents


def _item_shape(graph: Graph, node: Node) -> tuple[int, ...] | None:
    shape = graph.shape(node.ref(1 if node.op == "TensorListPopBack" else 0))
    if shape is not None and node.op in {"TensorListStack", "TensorListGather"}:
        shape = shape[1:]
    known = tuple(side for side in shape or () if side is not None)
    return None if shape is None or len(known) < len(shape) else known


# ---------------------------------------------------------------------- the edit


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    if node.op == "TensorListLength":
        new.replace("Identity", new.constant(len(match.items)), T=INT32)
        return
    dtype = node.attrs["element_dtype"]
    assert isinstance(dtype, DType)
    if node.op == "TensorListPopBack":
        graph.replace_uses(node.ref(1), _ref(graph, new, match, 0))
    elif node.op == "TensorListGetItem":
        new.replace("Identity", _ref(graph, new, match, 0), T=dtype)
    elif (whole := _whole(match.items)) is not None and node.op != "TensorListConcatV2":
        new.replace("Identity", whole, T=dtype)
    elif not match.items:
        new.replace("Identity", new.constant(np.zeros((0, *(match.shape or ()))), dtype), T=dtype)
    else:
        rows = [_ref(graph, new, match, i) for i in range(len(match.items))]
        if node.op != "TensorListConcatV2":
            new.replace("Pack", *rows, axis=0, N=len(rows), T=dtype)
        elif len(rows) == 1:
            new.replace("Identity", rows[0], T=dtype)
        else:
            new.replace("ConcatV2", *rows, new.constant(0), N=len(rows), T=dtype, Tidx=INT32)


def _whole(items: tuple[_Item, ...]) -> Ref | None:
    """Return the tensor whose rows these are, all of them and in order."""
    first = items[0] if items else None
    if not isinstance(first, _Part) or first.sizes is not None or first.length != len(items):
        return None
    return first.tensor if items == tuple(_Part(first.tensor, i, first.length) for i in range(first.length)) else None


def _ref(graph: Graph, new: Lowering, match: _Match, i: int) -> Ref:
    item = match.items[i]
    dtype = match.node.attrs["element_dtype"]
    assert isinstance(dtype, DType)
    if item is None and match.shape is not None:
        return new.constant(np.zeros(match.shape), dtype)
    if item is None:
        return new.add("ZerosLike", _set(graph, match.like, dtype), T=dtype)
    return _set(graph, item, dtype)


def _set(graph: Graph, item: _Item, dtype: DType) -> Ref:
    """Return the ref of an item that was set; all parts of a tensor come out of one node."""
    if not isinstance(item, _Part):
        assert item is not None
        return item
    found = (node for node in graph.consumers(node_of(item.tensor)) if _takes_apart(graph, node, item))
    return (next(found, None) or _taken_apart(graph, item, dtype)).ref(item.index)


def _takes_apart(graph: Graph, node: Node, item: _Part) -> bool:
    """Whether the outputs of a node are the parts of the item's tensor."""
    if node.inputs[:1] != [item.tensor] or node.controls:
        return False
    if item.sizes is None:
        return node.op == "Unpack" and node.attrs.get("axis", 0) == 0 and node.outputs == item.length
    if node.op != "SplitV":
        return False
    sizes, axis = (graph.constant(ref) for ref in node.inputs[1:])
    return sizes is not None and axis is not None and axis == 0 and tuple(sizes) == item.sizes


def _taken_apart(graph: Graph, item: _Part, dtype: DType) -> Node:
    """Add the node whose outputs are the parts of the item's tensor."""
    new, shape = Lowering(graph, graph.producer(item.tensor)), graph.shape(item.tensor)
    if item.sizes is None:
        first = new.add("Unpack", item.tensor, axis=0, num=item.length, T=dtype)
    else:
        sizes, axis = new.constant(item.sizes), new.constant(0)
        first = new.add("SplitV", item.tensor, sizes, axis, num_split=item.length, T=dtype, Tlen=INT32)
    node = graph.producer(first)
    for port in range(item.length):
        rows = () if item.sizes is None else (item.sizes[port],)
        graph.set_shape(node.ref(port), None if shape is None else (*rows, *shape[1:]))
    return node


PASS = Rewrite(__name__, _READERS, _match, _apply)
