"""The graph that the passes work on: nodes, constants as arrays, and the verbs that edit them.

Names are unique in a graph. The indexes of sources and consumers are kept current by the verbs, so nothing edits
``Node.inputs`` or ``Node.controls`` directly.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping

from tfjs_magic.artifacts import Array, Dims
from tfjs_magic.graph.outputs import number_of_outputs
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of, port_of, ref_of
from tfjs_magic.naming import first_free


class DType(str):
    """A TensorFlow dtype name: "float32", "int64", "resource", …."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True)
class Shape:
    """A static shape; ``dims`` is None for an unknown rank, a dimension None if unknown."""

    dims: Dims | None


@dataclasses.dataclass(frozen=True)
class FunctionRef:
    """The name of a library function as an attribute."""

    name: str


Scalar = bytes | bool | int | float | DType | Shape | FunctionRef
Attr = Scalar | tuple[Scalar, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """What a hash table holds, by the names of its two constants in the initializer graph.

    Attributes:
        keys: (N,), ascending.
        values: (N,).
        numbered: Whether a pass made it: every key that is looked up is one of 0 … N - 1.
    """

    keys: Array
    values: Array
    numbered: bool = False


@dataclasses.dataclass(eq=False)
class Node:
    """One operation.

    Attributes:
        op: Op type.
        inputs: Tensor refs, in the op's order.
        controls: Names of the nodes that must run before.
        value: The array of a ``Const``, else None. Never written to: it may be the source's own buffer.
        shapes: Static shape per output; empty where none is known of a node that a pass added.
    """

    name: NodeName
    op: str
    inputs: list[Ref] = dataclasses.field(default_factory=list)
    attrs: dict[str, Attr] = dataclasses.field(default_factory=dict)
    value: Array | None = None
    controls: list[NodeName] = dataclasses.field(default_factory=list)
    shapes: tuple[Shape, ...] = ()

    @property
    def outputs(self) -> int:
        """How many outputs it has."""
        return len(self.shapes) or number_of_outputs(self.op, self.attrs)

    def ref(self, port: int = 0) -> Ref:
        """Return the ref of an output."""
        return ref_of(self.name, port)


class Graph:
    """Nodes by name, and the public inputs and outputs.

    Attributes:
        inputs: The user's input name → name of its ``Placeholder``.
        outputs: The user's output name → tensor ref; changed by :meth:`set_output` and :meth:`replace_uses` alone.
        tables: Name of a ``HashTableV2`` → what it holds.
        layers: Label of a layer of the source → ref of the tensor that is its output; kept current by
            :meth:`replace_uses`, and without those that no node holds any more.
    """

    def __init__(self, nodes: Iterable[Node], *, inputs: Mapping[str, NodeName], outputs: Mapping[str, Ref]) -> None:
        self._nodes: dict[NodeName, Node] = {}
        self._sources: dict[NodeName, list[NodeName]] = {}
        self._consumers: dict[NodeName, dict[NodeName, None]] = {}
        self.inputs = dict(inputs)
        self._outputs: dict[str, Ref] = {}
        self.outputs: Mapping[str, Ref] = types.MappingProxyType(self._outputs)
        self._public: dict[NodeName, set[str]] = {}
        for name, ref in outputs.items():
            self.set_output(name, ref)
        self.tables: dict[NodeName, Table] = {}
        self._layers: dict[str, Ref] = {}
        self.layers: Mapping[str, Ref] = types.MappingProxyType(self._layers)
        self._labels: dict[NodeName, set[str]] = {}
        for node in nodes:
            self.add(node)

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes.values()))

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: NodeName) -> bool:
        return name in self._nodes

    def __getitem__(self, name: NodeName) -> Node:
        return self._nodes[name]

    # ------------------------------------------------------------------ questions

    def producer(self, ref: Ref) -> Node:
        """Return the node that computes a tensor."""
        return self._nodes[node_of(ref)]

    def consumers(self, name: NodeName) -> list[Node]:
        """Return the nodes that take any output of ``name``, or wait for it; each once."""
        return [self._nodes[consumer] for consumer in self._consumers.get(name, ())]

    def is_output(self, name: NodeName) -> bool:
        """Whether any output of the node is a public output."""
        return bool(self._public.get(name))

    def set_output(self, name: str, ref: Ref) -> None:
        """Let a public output be this tensor."""
        if name in self._outputs:
            self._public[node_of(self._outputs[name])].discard(name)
        self._outputs[name] = ref
        self._public.setdefault(node_of(ref), set()).add(name)

    def set_layer(self, label: str, ref: Ref) -> None:
        """Say that a tensor is the output of a layer of the source."""
        if label in self._layers:
            self._labels[node_of(self._layers[label])].discard(label)
        self._layers[label] = ref
        self._labels.setdefault(node_of(ref), set()).add(label)

    def only_consumer(self, name: NodeName) -> Node | None:
        """Return the one node that uses ``name`` once, if there is just one use and it is no public output."""
        found = self.consumers(name)
        if len(found) != 1 or self.is_output(name) or name in found[0].controls:
            return None
        return found[0] if sum(node_of(ref) == name for ref in found[0].inputs) == 1 else None

    def used_ports(self, name: NodeName) -> set[int]:
        """Return which outputs of a node other nodes take."""
        refs = (ref for consumer in self.consumers(name) for ref in consumer.inputs)
        return {port_of(ref) for ref in refs if node_of(ref) == name}

    def constant(self, ref: Ref) -> Array | None:
        """Return the array behind a tensor ref if it is a ``Const``."""
        return self.producer(ref).value

    def shape(self, ref: Ref) -> Dims | None:
        """Return the static shape of a tensor ref; None for an unknown rank."""
        node = self.producer(ref)
        if node.value is not None:
            return node.value.shape
        return node.shapes[port_of(ref)].dims if port_of(ref) < len(node.shapes) else None

    def fresh_name(self, base: str) -> NodeName:
        """Return ``base``, or ``base_1``, ``base_2`` …: the first name that no node has."""
        return NodeName(first_free(base, self._nodes))

    # ------------------------------------------------------------------ edits

    def add(self, node: Node) -> Node:
        """Add a node; its inputs may be added later."""
        if node.name in self._nodes:
            msg = f"node '{node.name}' exists already"
            raise ValueError(msg)
        self._nodes[node.name] = node
        self._index(node)
        return node

    def add_constant(self, base: str, value: Array) -> Ref:
        """Add a ``Const`` under a fresh name derived from ``base``; return its ref."""
        return self.add(constant_node(self.fresh_name(base), value)).ref()

    def set_shape(self, ref: Ref, dims: Dims | None) -> None:
        """Say what is known of a tensor's shape."""
        node = self.producer(ref)
        shapes = list(node.shapes) or [Shape(None)] * node.outputs
        shapes[port_of(ref)] = Shape(dims)
        node.shapes = tuple(shapes)

    def remove(self, name: NodeName) -> None:
        """Remove a node that nothing uses."""
        assert not self._consumers.get(name), f"'{name}' still has consumers"
        assert not self.is_output(name), f"'{name}' is a public output"
        self.forget_layers(name)
        self._unindex(name)
        del self._nodes[name]

    def forget_layers(self, *names: NodeName) -> None:
        """Say that these nodes do not compute any more what layers of the source do; their values are others now."""
        for name in names:
            for label in self._labels.pop(name, ()):
                del self._layers[label]

    def set_inputs(self, node: Node, inputs: Iterable[Ref], *, controls: Iterable[NodeName] | None = None) -> None:
        """Replace a node's inputs, and its control inputs if given."""
        self._unindex(node.name)
        node.inputs = list(inputs)
        if controls is not None:
            node.controls = list(controls)
        self._index(node)

    def replace_uses(self, old: Ref, new: Ref) -> None:
        """Let every consumer of ``old``, and the public outputs, use ``new``, which is the same tensor, instead."""
        if (known := _merged(self.shape(new), self.shape(old))) != self.shape(new):
            self.set_shape(new, known)
        for consumer in self.consumers(node_of(old)):
            if consumer.name != node_of(new):
                self.set_inputs(consumer, [new if ref == old else ref for ref in consumer.inputs])
        for name in [name for name in self._public.get(node_of(old), ()) if self.outputs[name] == old]:
            self.set_output(name, new)
        for label in [label for label in self._labels.get(node_of(old), ()) if self._layers[label] == old]:
            self.set_layer(label, new)

    def replace_node(self, name: NodeName, node: Node) -> None:
        """Put ``node`` in the place of ``name`` under that very name; ports must mean the same, so shapes stay."""
        assert node.name == name, f"'{node.name}' cannot take the place of '{name}'"
        old = self._nodes[name]
        node.shapes = node.shapes or old.shapes[: node.outputs]
        self._unindex(name)
        self._nodes[name] = node
        self._index(node)

    def rename(self, name: NodeName, new: NodeName) -> None:
        """Call a node otherwise, wherever it is named."""
        old, node = self._nodes[name], self.add(dataclasses.replace(self._nodes[name], name=new))
        for port in range(old.outputs):
            self.replace_uses(old.ref(port), node.ref(port))
        for consumer in self.consumers(name):
            controls = [new if control == name else control for control in consumer.controls]
            self.set_inputs(consumer, consumer.inputs, controls=controls)
        self.inputs = {
            public: new if placeholder == name else placeholder for public, placeholder in self.inputs.items()
        }
        self.tables = {new if handle == name else handle: table for handle, table in self.tables.items()}
        self.remove(name)

    def remove_unused(self) -> int:
        """Remove what no public output needs (placeholders of inputs stay); return how many nodes went."""
        start = [*map(node_of, self.outputs.values()), *self.inputs.values()]
        needed = closure(start, self._sources.__getitem__)
        unused = [name for name in self._nodes if name not in needed]
        for name in unused:
            self._unindex(name)
            del self._nodes[name]
        self.forget_layers(*unused)
        return len(unused)

    def _index(self, node: Node) -> None:
        self._sources[node.name] = sources = [*dict.fromkeys([*map(node_of, node.inputs), *node.controls])]
        for source in sources:
            self._consumers.setdefault(source, {})[node.name] = None

    def _unindex(self, name: NodeName) -> None:
        for source in self._sources.pop(name):
            self._consumers[source].pop(name, None)

    # ------------------------------------------------------------------ order and invariants

    def sort(self) -> None:
        """Order the nodes so that inputs come first; back edges of v1 loops (NextIteration) excepted."""
        if self._is_sorted():
            return
        order: dict[NodeName, Node] = {}
        state: dict[NodeName, bool] = {}  # False while a node is on the stack, True when it is placed
        for root in self._nodes:
            stack = [root]
            while stack:
                name = stack[-1]
                if name in state:
                    stack.pop()
                    if not state[name]:
                        state[name] = True
                        order[name] = self._nodes[name]
                    continue
                state[name] = False
                stack.extend(s for s in reversed(self._sources[name]) if s not in state)
        self._nodes = order

    def _is_sorted(self) -> bool:
        placed: set[NodeName] = set()
        for name in self._nodes:
            if not placed.issuperset(self._sources[name]):
                return False
            placed.add(name)
        return True

    def check(self) -> None:
        """Assert that every ref means an output that exists, the index is right and the signature is there."""
        for node in self._nodes.values():
            for ref in node.inputs:
                assert self._has(ref), f"'{node.name}' uses '{ref}', which does not exist"
                assert node.name in self._consumers[node_of(ref)], f"'{node.name}' is not indexed under '{ref}'"
            for name in node.controls:
                assert name in self._nodes, f"'{node.name}' waits for '{name}', which does not exist"
                assert node.name in self._consumers[name], f"'{node.name}' is not indexed under '{name}'"
        for name in self.inputs.values():
            assert name in self._nodes, f"input '{name}' does not exist"
        for ref in self.outputs.values():
            assert self._has(ref), f"output '{ref}' does not exist"

    def _has(self, ref: Ref) -> bool:
        node = self._nodes.get(node_of(ref))
        return node is not None and port_of(ref) < node.outputs


def constant_node(name: NodeName, value: Array) -> Node:
    """Return a ``Const``."""
    dtype = DType("string" if value.dtype == object else value.dtype.name)
    return Node(name, "Const", attrs={"dtype": dtype}, value=value)


def _merged(one: Dims | None, other: Dims | None) -> Dims | None:
    """Return all that is known of a shape from two things that are known of it."""
    if one is None or other is None or len(one) != len(other):
        return other if one is None else one
    return tuple(b if a is None else a for a, b in zip(one, other, strict=True))
