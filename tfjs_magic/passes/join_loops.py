"""Run two loops side by side whose steps are alike: the two directions of a bidirectional recurrent net.

Given:   Pack(a₀, a₁ …), Pack(b₀, b₁ …)      aₜ and bₜ by the same ops of other numbers, back to the first step
Result:  Unpack(Pack(c₀, c₁ …))              cₜ = Pack(aₜ, bₜ), for which one node does what took two

A step takes as long as TF.js needs to call its kernels, which have little to compute. Two products become one of a
batch of two, unless wasm would take longer for it: those that are large, or of several rows, stay two.

Refuses: the steps are not alike, or one loop takes what the other one makes; the loops stand in different branches;
unknown sizes may differ; it takes almost as many nodes as it saves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tfjs_magic.graph.branches import deciders
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of, port_of
from tfjs_magic.graph.sizes import same_sizes
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_ELEMENTWISE = frozenset(
    "Add AddV2 BiasAdd Elu Maximum Minimum Mul Neg Relu Relu6 SelectV2 Selu Sigmoid Softplus Square Sub Tanh "
    "ZerosLike".split()
)
_OPS = _ELEMENTWISE | {"MatMul", "Pack", "Split", "Unpack"}
_FEWEST_PRODUCTS = 4
#: Of one product; beyond, wasm takes longer for a batch of two than for a Split, two products and a ConcatV2.
_MOST_MULTIPLICATIONS = 2**14
#: Nodes that are added for each of those that go.
_MOST_ADDED = 0.5

_Pair = tuple[Ref, Ref]


@dataclasses.dataclass(frozen=True)
class _Match:
    """Name of a node of one loop → that of its twin in the other one."""

    twins: Mapping[NodeName, NodeName]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    reason: Miss | None = None
    for other in graph if _is_used(graph, node) else ():
        if other.op == "Pack" and _is_used(graph, other) and _are_alike(graph, node, other):
            found = _loops(graph, node, other)
            if isinstance(found, _Match):
                return found
            reason = found or reason
    return reason


def _is_used(graph: Graph, node: Node) -> bool:
    return bool(graph.consumers(node.name)) or graph.is_output(node.name)


def _loops(graph: Graph, node: Node, other: Node) -> _Match | Miss | None:
    twins = _twins(graph, node, other)
    if len(_products(graph, twins)) < _FEWEST_PRODUCTS:
        return None
    while not (before := _before(graph, twins)).isdisjoint([*twins, *twins.values()]):
        twins = {one: two for one, two in twins.items() if before.isdisjoint((one, two))}
    products, computed = _products(graph, twins), [pair for pair in _outside(graph, twins) if _is_computed(graph, pair)]
    if len(products) < _FEWEST_PRODUCTS:
        return Miss("the steps are not alike, or one loop takes what the other one makes")
    if any(deciders(graph, one) != deciders(graph, two) for one, two in _exits(graph, twins)):
        return Miss("the loops stand in different branches")
    if not all(same_sizes(graph, *pair) for pair in computed):
        return Miss("unknown sizes of the loops may differ")
    added = len(computed) + len(list(_exits(graph, twins))) + 3 * sum(_is_large(graph, product) for product in products)
    return _Match(twins) if added <= _MOST_ADDED * len(twins) else Miss("it takes almost as many nodes as it saves")


def _products(graph: Graph, twins: Mapping[NodeName, NodeName]) -> list[Node]:
    return [graph[name] for name in twins if graph[name].op == "MatMul"]


def _outside(graph: Graph, twins: Mapping[NodeName, NodeName]) -> dict[_Pair, None]:
    """Return what the loops take that they do not make, each pair once."""
    pairs = (pair for one, two in twins.items() for pair in zip(graph[one].inputs, graph[two].inputs, strict=True))
    return {pair: None for pair in pairs if not _is_inside(twins, pair)}


def _before(graph: Graph, twins: Mapping[NodeName, NodeName]) -> set[NodeName]:
    """Return what must be there before both loops run side by side."""
    start = (node_of(ref) for pair in _outside(graph, twins) for ref in pair)
    return closure(start, lambda name: map(node_of, graph[name].inputs))


def _is_computed(graph: Graph, pair: _Pair) -> bool:
    return any(graph.constant(ref) is None for ref in pair)


def _twins(graph: Graph, one: Node, other: Node) -> dict[NodeName, NodeName]:
    """Return the nodes that two nodes reach on the same ways back, as long as these are alike."""
    twins: dict[NodeName, NodeName] = {}
    taken: set[NodeName] = set()
    todo = [(one, other)]
    while todo:
        one, other = todo.pop()
        if one.name not in twins and other.name not in taken and _are_alike(graph, one, other):
            twins[one.name] = other.name
            taken.add(other.name)
            refs = zip(one.inputs, other.inputs, strict=True)
            todo += [(graph.producer(a), graph.producer(b)) for a, b in refs if port_of(a) == port_of(b)]
    return {one: two for one, two in twins.items() if one not in taken and two not in twins}


def _are_alike(graph: Graph, one: Node, other: Node) -> bool:
    """Whether one node can do the work of both."""
    if one is other or one.op != other.op or one.op not in _OPS or one.attrs != other.attrs:
        return False
    if one.controls or other.controls or len(one.inputs) != len(other.inputs):
        return False
    pairs = list(zip(one.inputs, other.inputs, strict=True))
    results = [(one.ref(port), other.ref(port)) for port in range(one.outputs)]
    known = all(graph.shape(a) is not None and graph.shape(a) == graph.shape(b) for a, b in (*pairs, *results))
    return known and _can_be_joined(graph, one, pairs)


def _can_be_joined(graph: Graph, node: Node, pairs: Sequence[_Pair]) -> bool:
    if node.op == "Split":
        axes = [graph.constant(ref) for ref in pairs[0]]
        return all(axis is not None and axis == axes[0] for axis in axes)
    if node.op == "MatMul":
        turned = node.attrs.get("transpose_a", False) or node.attrs.get("transpose_b", False)
        return not turned and not _is_computed(graph, pairs[1])
    if node.op in _ELEMENTWISE:
        rank = len(graph.shape(node.ref()) or ())
        differing = [pair for pair in pairs if pair[0] != pair[1]]
        return bool(differing) and all(_can_get_axes(graph, pair, rank) for pair in differing)
    return True


def _can_get_axes(graph: Graph, pair: _Pair, rank: int) -> bool:
    return len(graph.shape(pair[0]) or ()) == rank or not _is_computed(graph, pair)


def _is_inside(twins: Mapping[NodeName, NodeName], pair: _Pair) -> bool:
    return twins.get(node_of(pair[0])) == node_of(pair[1]) and port_of(pair[0]) == port_of(pair[1])


def _exits(graph: Graph, twins: Mapping[NodeName, NodeName]) -> Iterator[_Pair]:
    """Yield the pairs of tensors of which something else takes one, or which hold a public output."""
    loops, public = {*twins, *twins.values()}, set(graph.outputs.values())
    for names in twins.items():
        taken = {
            ref for name in names for user in graph.consumers(name) if user.name not in loops for ref in user.inputs
        }
        for port in range(graph[names[0]].outputs):
            pair = graph[names[0]].ref(port), graph[names[1]].ref(port)
            if not (taken | public).isdisjoint(pair):
                yield pair


def _is_large(graph: Graph, product: Node) -> bool:
    sizes = [*(graph.shape(product.inputs[0]) or ()), (graph.shape(product.inputs[1]) or ())[-1]]
    return None in sizes or math.prod(size or 0 for size in sizes) > _MOST_MULTIPLICATIONS


def _apply(graph: Graph, match: _Match) -> None:
    graph.sort()
    joint = _Joint(graph, match.twins)
    for node in [node for node in graph if node.name in match.twins]:
        joint.add(node, graph[match.twins[node.name]])
    for pair in list(_exits(graph, match.twins)):
        node = graph.producer(pair[0])
        parts = graph.producer(
            Lowering(graph, node).add("Unpack", joint.refs[pair[0]], num=2, axis=0, T=node.attrs["T"])
        )
        for port, ref in enumerate(pair):
            graph.set_shape(parts.ref(port), graph.shape(ref))
            graph.replace_uses(ref, parts.ref(port))


class _Joint:
    """The nodes that do the work of both loops; ``refs``: a tensor of the first one → the Pack of it and its twin."""

    def __init__(self, graph: Graph, twins: Mapping[NodeName, NodeName]) -> None:
        self.refs: dict[Ref, Ref] = {}
        self._graph = graph
        self._twins = twins
        self._packs: dict[tuple[_Pair, int], Ref] = {}
        self._axes: dict[int, Ref] = {}

    def add(self, node: Node, other: Node) -> None:
        """Add the node for two twins; those before them are there."""
        graph, new = self._graph, Lowering(self._graph, node)
        pairs = list(zip(node.inputs, other.inputs, strict=True))
        make = {"MatMul": self._product, "Split": self._split}.get(node.op, self._other)
        made = graph.producer(make(new, node, pairs))
        for port in range(node.outputs):
            graph.set_shape(made.ref(port), (2, *(graph.shape(node.ref(port)) or ())))
            self.refs[node.ref(port)] = made.ref(port)

    def _pack(self, new: Lowering, pair: _Pair, node: Node, rank: int | None = None) -> Ref:
        """Return the Pack of two tensors, with axes of size 1 before theirs up to a rank."""
        if _is_inside(self._twins, pair):
            return self.refs[pair[0]]
        dtype = BOOL if node.op == "SelectV2" and node.inputs[0] == pair[0] else node.attrs["T"]
        shape = self._graph.shape(pair[0]) or ()
        key = pair, rank or len(shape)
        if key not in self._packs:
            one, two = (self._graph.constant(ref) for ref in pair)
            if one is None or two is None:
                self._packs[key] = new.add("Pack", *pair, axis=0, N=2, T=dtype)
            else:
                both = np.stack([one, two]).reshape(2, *(1,) * (key[1] - len(shape)), *shape)
                self._packs[key] = new.constant(both, str(dtype))
        return self._packs[key]

    def _product(self, new: Lowering, node: Node, pairs: list[_Pair]) -> Ref:
        attrs: dict[str, Attr] = {"T": node.attrs["T"], "adj_x": False, "adj_y": False}
        if not _is_large(self._graph, node):
            return new.add("BatchMatMulV2", *(self._pack(new, pair, node) for pair in pairs), **attrs)
        zero, dtype = self._axis(new, 0), node.attrs["T"]
        if not _is_inside(self._twins, pairs[0]):
            products = [new.add("BatchMatMulV2", *operands, **attrs) for operands in zip(*pairs, strict=True)]
            return new.add("Pack", *products, axis=0, N=2, T=dtype)
        parts = self._graph.producer(new.add("Split", zero, self.refs[pairs[0][0]], num_split=2, T=dtype))
        shape = self._graph.shape(pairs[0][0]) or ()
        for port in range(2):
            self._graph.set_shape(parts.ref(port), (1, *shape))
        products = [new.add("BatchMatMulV2", parts.ref(i), weights, **attrs) for i, weights in enumerate(pairs[1])]
        return new.add("ConcatV2", *products, zero, N=2, T=dtype, Tidx=INT32)

    def _axis(self, new: Lowering, axis: int) -> Ref:
        if axis not in self._axes:
            self._axes[axis] = new.constant(axis)
        return self._axes[axis]

    def _split(self, new: Lowering, node: Node, pairs: list[_Pair]) -> Ref:
        axis = int(self._graph.constant(pairs[0][0]))  # type: ignore[arg-type]  # constant, as _are_alike has seen
        dtype, shape = node.attrs["T"], self._graph.shape(pairs[1][0]) or ()
        if axis or None in shape[1:]:
            return new.add("Split", self._axis(new, axis + (axis >= 0)), self._pack(new, pairs[1], node), **node.attrs)
        sizes = [node.outputs, -1, *(size or 0 for size in shape[1:])]
        if _is_inside(self._twins, pairs[1]) or None in shape:
            parts = new.reshape(self._pack(new, pairs[1], node), [2, *sizes], dtype)
            turned = self._turned(new, parts, node, len(shape) + 2)
        else:
            turned = new.add("Pack", *(new.reshape(ref, sizes, dtype) for ref in pairs[1]), axis=1, N=2, T=dtype)
        return new.add("Unpack", turned, num=node.outputs, axis=0, T=dtype)

    def _turned(self, new: Lowering, data: Ref, node: Node, rank: int) -> Ref:
        """Return a tensor with its first two axes in the other order."""
        order = new.constant([1, 0, *range(2, rank)])
        return new.add("Transpose", data, order, T=node.attrs["T"], Tperm=INT32)

    def _other(self, new: Lowering, node: Node, pairs: list[_Pair]) -> Ref:
        if node.op in _ELEMENTWISE:
            rank = len(self._graph.shape(node.ref()) or ())
            inputs = [pair[0] if pair[0] == pair[1] else self._pack(new, pair, node, rank) for pair in pairs]
            attrs = {key: value for key, value in node.attrs.items() if key != "data_format"}
            return new.add("AddV2" if node.op == "BiasAdd" else node.op, *inputs, **attrs)
        axis = int(node.attrs.get("axis", 0))  # type: ignore[arg-type]  # a number, as TensorFlow has it
        inputs = [self._pack(new, pair, node) for pair in pairs]
        shape = self._graph.shape(node.ref()) or ()
        if node.op == "Pack" and axis == 0 and None in shape:
            # The cpu can't take parts of a Pack of no rows.
            return self._turned(new, new.add("Pack", *inputs, **node.attrs), node, len(shape) + 1)
        return new.add(node.op, *inputs, **{**node.attrs, "axis": axis + (axis >= 0)})


PASS = Rewrite(__name__, frozenset({"Pack"}), _match, _apply)
