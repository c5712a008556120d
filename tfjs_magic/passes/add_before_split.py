"""Add to all gates of a step at once, before they are split: the steps of a GRU.

Given:   yᵢ = Add(xᵢ, sᵢ), for some i       sᵢ of Split(Add(z, b)), columns; b one number per channel, may be missing
                                            xᵢ of Split(Xᵢ), rows: those of this step
Result:  yᵢ = Split(AddV2(z, p))ᵢ           p of Split(AddV2(ConcatV2(X₀ …), b)), rows; zeros for the other i

A GRU adds its input to two of three gates, and a bias to all.

What else takes a gate keeps the old Split, but for what multiplies a gate to which nothing is added with one of the
others: that has at least its sizes and lives no longer.

Refuses: a step does without; the Xᵢ may have several sizes, stand in different branches, or depend on a gate; the old
Split stays in more than one step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from tfjs_magic.graph.branches import deciders
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, addends, per_channel
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of, port_of
from tfjs_magic.graph.sizes import same_sizes
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_ACTIVATIONS = frozenset({"Relu", "Sigmoid", "Tanh"})


@dataclasses.dataclass(frozen=True)
class _Step:
    """What is added in one step.

    Attributes:
        split: Makes the gates.
        whole: (rows, all columns), without the offset.
        offset: Constant, or None.
        sums: Gate → the sum.
        parts: Gate → what is added.
        products: What takes another gate, and takes it after the sum just as well.
        stays: Whether something else takes a gate.
    """

    split: Node
    whole: Ref
    offset: Ref | None
    sums: Mapping[int, Node]
    parts: Mapping[int, Ref]
    products: Sequence[Node]
    stays: bool

    @property
    def place(self) -> int:
        """Which step it is."""
        return port_of(next(iter(self.parts.values())))

    def key(self, graph: Graph) -> Hashable:
        """Return what all steps of a loop have in common."""
        names = tuple((gate, graph.producer(part).name) for gate, part in self.parts.items())
        return names, self.offset, self.split.outputs


@dataclasses.dataclass(frozen=True)
class _Match:
    """The steps, in order, and the tensor of which every gate gets a part."""

    steps: Sequence[_Step]
    added: Mapping[int, Ref]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    step = _step(graph, node)
    if step is None or step.place or len(step.sums) + (step.offset is not None) < 2:
        return None
    splits = {gate: graph.producer(part) for gate, part in step.parts.items()}
    added = {gate: split.inputs[1] for gate, split in splits.items()}
    count = next(iter(splits.values())).outputs
    steps = {other.place: other for other in _alike(graph, step)}
    if len(steps) < count or any(split.outputs != count for split in splits.values()):
        return Miss("a step does without")
    reason = _refusal(graph, list(steps.values()), list(added.values()))
    return Miss(reason) if reason else _Match([steps[place] for place in range(count)], added)


def _refusal(graph: Graph, steps: Sequence[_Step], added: Sequence[Ref]) -> str | None:
    one, *others = added
    if not all(same_sizes(graph, one, other) for other in others):
        return "the parts may have several sizes"
    if any(deciders(graph, one) != deciders(graph, other) for other in others):
        return "the parts stand in different branches"
    before = closure(map(node_of, added), lambda name: map(node_of, graph[name].inputs))
    if any(step.split.name in before for step in steps):
        return "what is added depends on a gate"
    return "something else takes a gate in more than one step" if sum(step.stays for step in steps) > 1 else None


def _step(graph: Graph, node: Node) -> _Step | None:
    shape = graph.shape(node.inputs[1]) if _axis(graph, node) in {-1, 1} else None
    if shape is None or len(shape) != 2 or shape[1] is None or node.controls:
        return None
    users = graph.consumers(node.name)
    sums, parts = {}, {}
    for gate in range(node.outputs):
        for user in users:
            if (part := _part(graph, user, node.ref(gate))) is not None:
                sums[gate], parts[gate] = user, part
    if len({port_of(part) for part in parts.values()}) != 1:
        return None
    products = [user for user in users if _scales(graph, user, sums, {node.ref(gate) for gate in sums})]
    taken = {user.name for user in (*sums.values(), *products)}
    stays = graph.is_output(node.name) or any(user.name not in taken for user in users)
    for data, offset in addends(graph.producer(node.inputs[1])):
        if per_channel(graph.constant(offset), shape[1], 2) is not None and graph.shape(data) == shape:
            return _Step(node, data, offset, sums, parts, products, stays)
    return _Step(node, node.inputs[1], None, sums, parts, products, stays)


def _axis(graph: Graph, node: Node) -> int | None:
    """Return along which axis a node splits floats; None if it does not, or it is unknown."""
    axis = graph.constant(node.inputs[0]) if node.op == "Split" and node.attrs["T"] == FLOAT32 else None
    return None if axis is None else int(axis)


def _part(graph: Graph, user: Node, gate: Ref) -> Ref | None:
    """Return the part of a step that a node adds to a gate."""
    for data, part in addends(user) if user.op in ADD_OPS - {"BiasAdd"} and not user.controls else ():
        if data == gate and graph.shape(part) == graph.shape(gate) and _axis(graph, graph.producer(part)) == 0:
            return part
    return None


def _alike(graph: Graph, step: _Step) -> list[_Step]:
    """Return the steps that take the other parts of what this one takes."""
    parts = graph.producer(next(iter(step.parts.values())))
    names: dict[NodeName, None] = {}
    for user in graph.consumers(parts.name):
        names.update(dict.fromkeys(graph.producer(ref).name for ref in user.inputs))
    found = [_step(graph, graph[name]) for name in names if _axis(graph, graph[name]) in {-1, 1}]
    return [other for other in found if other is not None and other.key(graph) == step.key(graph)]


def _scales(graph: Graph, user: Node, sums: Mapping[int, Node], gates: AbstractSet[Ref]) -> bool:
    """Whether a node multiplies with one of the sums, and takes none of their gates."""
    factors = [graph.producer(ref) for ref in user.inputs] if user.op == "Mul" else []
    added = {node.ref() for node in sums.values()}
    return gates.isdisjoint(user.inputs) and any(f.op in _ACTIVATIONS and f.inputs[0] in added for f in factors)


def _apply(graph: Graph, match: _Match) -> None:
    first, count = match.steps[0], len(match.steps)
    one = next(iter(match.added.values()))
    new = Lowering(graph, graph.producer(first.parts[min(first.parts)]))
    gates, shape = range(first.split.outputs), graph.shape(first.whole) or (None, None)
    columns = [match.added.get(gate) or new.add("ZerosLike", one, T=FLOAT32) for gate in gates]
    data = new.add("ConcatV2", *columns, new.constant(1), N=len(columns), T=FLOAT32, Tidx=INT32)
    rows = (graph.shape(one) or (None,))[0]
    graph.set_shape(data, (rows, shape[1]))
    offset = first.offset
    if offset is None and rows is None:
        offset = new.constant(0.0, "float32")  # the cpu can't take parts of a ConcatV2 of no rows
    if offset is not None:
        data = new.add("AddV2", data, offset, T=FLOAT32)
    parts = graph.producer(new.add("Split", new.constant(0), data, num_split=count, T=FLOAT32))
    for place, step in enumerate(match.steps):
        graph.set_shape(parts.ref(place), shape)
        new = Lowering(graph, step.split)
        total = new.add("AddV2", step.whole, parts.ref(place), T=FLOAT32)
        split = graph.producer(new.add("Split", step.split.inputs[0], total, **step.split.attrs))
        moved = {step.split.ref(gate): split.ref(gate) for gate in gates}
        for old_ref, ref in moved.items():
            graph.set_shape(ref, graph.shape(old_ref))
        for gate, old in step.sums.items():
            graph.replace_uses(old.ref(), split.ref(gate))
            graph.remove(old.name)
        for user in step.products:
            graph.set_inputs(user, [moved.get(ref, ref) for ref in user.inputs])
        if not step.stays:
            graph.remove(step.split.name)


PASS = Rewrite(__name__, frozenset({"Split"}), _match, _apply)
