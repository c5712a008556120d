"""The graph that the passes work on: nodes, constants as arrays, and the verbs that edit them.

A tensor ref is "name" for port 0 and "name:port" otherwise, as in a ``GraphDef``. Names are unique in a graph. The
index of consumers is kept current by the verbs, so nothing edits ``Node.inputs`` directly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


class DType(str):
    """A TensorFlow dtype name: "float32", "int64", "resource", …."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True)
class Shape:
    """A static shape; ``dims`` is None for an unknown rank, a dimension None if unknown."""

    dims: tuple[int | None, ...] | None


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
    """

    keys: Array
    values: Array


@dataclasses.dataclass(eq=False)
class Node:
    """One operation.

    Attributes:
        op: Op type.
        inputs: Tensor refs, in the op's order.
        controls: Names of the nodes that must run before.
        value: The array of a ``Const``, else None. Never written to: it may be the source's own buffer.
        shapes: Static shape per output as traced; empty for a node that a pass added.
    """

    name: str
    op: str
    inputs: list[str] = dataclasses.field(default_factory=list)
    attrs: dict[str, Attr] = dataclasses.field(default_factory=dict)
    value: Array | None = None
    controls: list[str] = dataclasses.field(default_factory=list)
    shapes: tuple[Shape, ...] = ()


def node_of(ref: str) -> str:
    """Return the node's name of a tensor ref."""
    return ref.split(":", 1)[0]


def port_of(ref: str) -> int:
    """Return the output port of a tensor ref."""
    _, _, port = ref.partition(":")
    return int(port or 0)


class Graph:
    """Nodes by name, and the public inputs and outputs.

    Attributes:
        inputs: The user's input name → name of its ``Placeholder``.
        outputs: The user's output name → tensor ref; kept current by :meth:`replace_uses`.
        tables: Name of a ``HashTableV2`` → what it holds.
    """

    def __init__(self, nodes: Iterable[Node], *, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        self._nodes: dict[str, Node] = {}
        self._consumers: dict[str, dict[str, None]] = {}
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self.tables: dict[str, Table] = {}
        for node in nodes:
            self.add(node)

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes.values()))

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __getitem__(self, ref: str) -> Node:
        """Return the node that a name or a tensor ref means."""
        return self._nodes[node_of(ref)]

    # ------------------------------------------------------------------ questions

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that take any output of ``name``, or wait for it; each once."""
        return [self._nodes[consumer] for consumer in self._consumers.get(name, ())]

    def is_output(self, name: str) -> bool:
        """Whether any output of the node is a public output."""
        return any(node_of(ref) == name for ref in self.outputs.values())

    def only_consumer(self, name: str) -> Node | None:
        """Return the one node that uses ``name`` once, if there is just one use and it is no public output."""
        found = self.consumers(name)
        if len(found) != 1 or self.is_output(name) or name in found[0].controls:
            return None
        return found[0] if sum(node_of(ref) == name for ref in found[0].inputs) == 1 else None

    def constant(self, ref: str) -> Array | None:
        """Return the array behind a tensor ref if it is a ``Const``."""
        return self[ref].value

    def shape(self, ref: str) -> tuple[int | None, ...] | None:
        """Return the static shape of a tensor ref; None for an unknown rank."""
        node = self[ref]
        if node.value is not None:
            return node.value.shape
        return node.shapes[port_of(ref)].dims if port_of(ref) < len(node.shapes) else None

    def fresh_name(self, base: str) -> str:
        """Return ``base``, or ``base_1``, ``base_2`` …: the first name that no node has."""
        name, i = base, 0
        while name in self._nodes:
            i += 1
            name = f"{base}_{i}"
        return name

    # ------------------------------------------------------------------ edits

    def add(self, node: Node) -> Node:
        """Add a node; its inputs may be added later."""
        if node.name in self._nodes:
            msg = f"node '{node.name}' exists already"
            raise ValueError(msg)
        self._nodes[node.name] = node
        for name in _sources(node):
            self._consumers.setdefault(name, {})[node.name] = None
        return node

    def add_constant(self, base: str, value: Array) -> str:
        """Add a ``Const`` under a fresh name derived from ``base``; return its ref."""
        node = Node(self.fresh_name(base), "Const", attrs={"dtype": DType(value.dtype.name)}, value=value)
        return self.add(node).name

    def remove(self, name: str) -> None:
        """Remove a node that nothing uses."""
        assert not self._consumers.get(name), f"'{name}' still has consumers"
        assert not self.is_output(name), f"'{name}' is a public output"
        node = self._nodes.pop(name)
        for source in _sources(node):
            self._consumers[source].pop(node.name, None)

    def set_inputs(self, node: Node, inputs: Iterable[str], *, controls: Iterable[str] | None = None) -> None:
        """Replace a node's inputs, and its control inputs if given."""
        for source in _sources(node):
            self._consumers[source].pop(node.name, None)
        node.inputs = list(inputs)
        if controls is not None:
            node.controls = list(controls)
        for source in _sources(node):
            self._consumers.setdefault(source, {})[node.name] = None

    def replace_uses(self, old: str, new: str, *, outputs: bool = True) -> None:
        """Let every consumer of tensor ref ``old``, and the public outputs, use ``new`` instead."""
        for consumer in self.consumers(node_of(old)):
            if consumer.name != node_of(new):
                self.set_inputs(consumer, [new if ref == old else ref for ref in consumer.inputs])
        if outputs:
            self.outputs = {name: new if ref == old else ref for name, ref in self.outputs.items()}

    def replace_node(self, name: str, node: Node) -> None:
        """Put ``node`` in the place of ``name`` under that very name; ports must mean the same, so shapes stay."""
        assert node.name == name, f"'{node.name}' cannot take the place of '{name}'"
        old = self._nodes[name]
        node.shapes = node.shapes or old.shapes
        for source in _sources(old):
            self._consumers[source].pop(name, None)
        self._nodes[name] = node
        for source in _sources(node):
            self._consumers.setdefault(source, {})[name] = None

    def remove_unused(self) -> int:
        """Remove what no public output needs (placeholders of inputs stay); return how many nodes went."""
        needed: set[str] = set()
        stack = [*map(node_of, self.outputs.values()), *self.inputs.values()]
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                stack.extend(_sources(self._nodes[name]))
        unused = [name for name in self._nodes if name not in needed]
        for name in unused:
            for source in _sources(self._nodes[name]):
                self._consumers[source].pop(name, None)
        for name in unused:
            del self._nodes[name]
        return len(unused)

    # ------------------------------------------------------------------ order and invariants

    def sort(self) -> None:
        """Order the nodes so that inputs come first; back edges of v1 loops (NextIteration) excepted."""
        order: dict[str, Node] = {}
        state: dict[str, bool] = {}  # False while a node is on the stack, True when it is placed
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
                stack.extend(s for s in reversed(_sources(self._nodes[name])) if s not in state)
        self._nodes = order

    def check(self) -> None:
        """Assert that no ref dangles, the index is right and the signature is there."""
        for node in self._nodes.values():
            for source in _sources(node):
                assert source in self._nodes, f"'{node.name}' uses '{source}', which does not exist"
                assert node.name in self._consumers[source], f"'{node.name}' is not indexed under '{source}'"
        for name in self.inputs.values():
            assert name in self._nodes, f"input '{name}' was removed"
        for ref in self.outputs.values():
            assert node_of(ref) in self._nodes, f"output '{ref}' was removed"


def _sources(node: Node) -> list[str]:
    return [*dict.fromkeys([*map(node_of, node.inputs), *node.controls])]
