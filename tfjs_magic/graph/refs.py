"""Names of nodes and refs to tensors: two types, so that mypy tells one from the other.

A ref is "name" for the first output of a node and "name:port" for another, as in a ``GraphDef``. A node's name can be
anything that a user writes, so nothing is ever found out from how it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NewType, TypeVar

NodeName = NewType("NodeName", str)
Ref = NewType("Ref", str)

T = TypeVar("T")


def ref_of(name: NodeName, port: int = 0) -> Ref:
    """Return the ref of an output of a node."""
    return Ref(f"{name}:{port}" if port else name)


def node_of(ref: Ref) -> NodeName:
    """Return the name of the node that computes a tensor."""
    return NodeName(ref.partition(":")[0])


def port_of(ref: Ref) -> int:
    """Return which output of its node a tensor is."""
    return int(ref.partition(":")[2] or 0)


def read_ref(text: str) -> Ref:
    """Return a ref as others write it: "name:0" is "name"."""
    return Ref(text.removesuffix(":0"))


def closure(start: Iterable[T], step: Callable[[T], Iterable[T]]) -> set[T]:
    """Return ``start`` and all that ``step`` leads to from there, in one step or more."""
    found: set[T] = set()
    todo = list(start)
    while todo:
        item = todo.pop()
        if item not in found:
            found.add(item)
            todo += step(item)
    return found
