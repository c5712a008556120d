"""The nodes of a ``GraphDef`` by name, and ways through them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfjs_magic.graph import refs


def node_and_port(ref: str) -> tuple[str, int]:
    """Split a tensor ref: "name" is "name:0"."""
    name, _, port = ref.partition(":")
    return (name, int(port or 0)) if port.isdigit() or not port else (ref, 0)


def data_inputs(node: Any) -> Iterator[str]:
    """Return the names of the nodes whose results it takes."""
    return (node_and_port(ref)[0] for ref in node.input if not ref.startswith("^"))


def control_inputs(node: Any) -> Iterator[str]:
    """Return the names of the nodes that it waits for."""
    return (ref[1:] for ref in node.input if ref.startswith("^"))


def closure(nodes: Mapping[str, Any], start: Iterable[str], step: Callable[[Any], Iterable[str]]) -> set[str]:
    """Return ``start`` and what ``step`` leads to from there; names without a node are left out."""
    return refs.closure(start, lambda name: step(nodes[name]) if name in nodes else ()) & nodes.keys()
