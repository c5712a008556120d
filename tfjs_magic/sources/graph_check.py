"""Look at a ``GraphDef`` of a file before TensorFlow does: circles, sizes, and ops that touch the machine.

TensorFlow's importer follows calls without an end, and fails with the process; and what it loads, it may run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.sources.graph_ops import touches

#: With every call in place. The largest graphs of published models have a third of it.
_MOST_NODES = 100_000
#: Of all functions; Keras saves each of its own several times.
_MOST_NODES_OF_FILE = 300_000
#: Of constants that are described by fewer numbers than they have.
_MOST_REPEATED_BYTES = 512 * 2**20
_ITEM_BYTES = 8


def check_structure(graph_def: Any, what: str) -> None:
    """Refuse functions that call themselves, nodes that need themselves, and what grows far beyond the file.

    Raises:
        UnsupportedModelError: Names a function or node.
    """
    functions = functions_of(graph_def)
    held = len(graph_def.node) + sum(len(function.node_def) for function in functions.values())
    if held > _MOST_NODES_OF_FILE:
        raise UnsupportedModelError(f"The graph of {what} has {held} nodes; expected at most {_MOST_NODES_OF_FILE}.")
    calls = {name: [*_called(function.node_def, functions)] for name, function in functions.items()}
    order, circle = _sorted(calls, calls.get)
    if circle:
        raise UnsupportedModelError(f"The functions {quoted_list(circle)} of {what} call themselves; no graph can.")
    sizes: dict[str, int] = {}
    for name in order:
        sizes[name] = len(functions[name].node_def) + sum(sizes[callee] for callee in calls[name])
    total = len(graph_def.node) + sum(sizes[callee] for callee in _called(graph_def.node, functions))
    if max([total, *sizes.values()]) > _MOST_NODES:
        raise UnsupportedModelError(
            f"The graph of {what} has over {_MOST_NODES} nodes with its calls in place; expected a model's graph."
        )
    for nodes in (graph_def.node, *(function.node_def for function in functions.values())):
        _check_nodes(nodes, what)
    _check_constants(graph_def, functions.values(), what)


def refuse_touching(graph_def: Any, what: str, *, trust: bool) -> None:
    """Refuse nodes, also of the functions that they call, that touch the machine, unless the caller trusts the file.

    Raises:
        UnsupportedModelError: Names them all.
    """
    if trust:
        return
    functions = functions_of(graph_def)
    found = [node for node in (*graph_def.node, *reachable(graph_def.node, functions)) if touches(node.op, node.attr)]
    if found:
        named = quoted_list(f"{node.name} ({node.op})" for node in found)
        raise UnsupportedModelError(
            f"{what} reads or writes files, calls code or waits for the network, in {named}. If you trust it, pass "
            "trust=True.",
            node=found[0].name,
        )


def functions_of(graph_def: Any) -> dict[str, Any]:
    """Return the functions of the library by name."""
    return {function.signature.name: function for function in graph_def.library.function}


def reachable(nodes: Iterable[Any], functions: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the nodes of every function that these nodes call, directly or not."""
    seen: set[str] = set()
    stack = [*_called(nodes, functions)]
    while stack:
        if (name := stack.pop()) not in seen:
            seen.add(name)
            yield from functions[name].node_def
            stack += _called(functions[name].node_def, functions)


def _called(nodes: Iterable[Any], functions: Mapping[str, Any]) -> Iterator[str]:
    for node in nodes:
        if node.op in functions:
            yield node.op
        for value in node.attr.values():
            kind = value.WhichOneof("value")
            if kind == "func" and value.func.name in functions:
                yield value.func.name
            elif kind == "list":
                yield from (function.name for function in value.list.func if function.name in functions)


def _check_nodes(nodes: Any, what: str) -> None:
    inputs = {node.name: () if node.op == "NextIteration" else node.input for node in nodes}
    needs = {
        name: [bare for ref in refs if (bare := ref.removeprefix("^").partition(":")[0]) in inputs]
        for name, refs in inputs.items()
    }
    _, circle = _sorted(needs, needs.get)
    if circle:
        raise UnsupportedModelError(
            f"The nodes {quoted_list(circle)} of {what} need their own results; the graph is damaged.",
            node=circle[0],
        )


def _sorted(names: Iterable[str], needs: Callable[[str], Any]) -> tuple[list[str], list[str]]:
    """Return the names, each after what it needs, and the first circle, if there is one."""
    order: list[str] = []
    done: set[str] = set()
    for start in names:
        if start in done:
            continue
        path, on_path = [(start, iter(needs(start)))], {start}
        while path:
            name, rest = path[-1]
            step = next((one for one in rest if one not in done), None)
            if step is None:
                path.pop()
                on_path.discard(name)
                done.add(name)
                order.append(name)
            elif step in on_path:
                way = [one for one, _ in path]
                return order, way[way.index(step) :]
            else:
                path.append((step, iter(needs(step))))
                on_path.add(step)
    return order, []


def _check_constants(graph_def: Any, functions: Iterable[Any], what: str) -> None:
    repeated = 0
    for nodes in (graph_def.node, *(function.node_def for function in functions)):
        for node in nodes:
            if node.op != "Const" or "value" not in node.attr:
                continue
            tensor = node.attr["value"].tensor
            dims = [dim.size for dim in tensor.tensor_shape.dim]
            length = math.prod(dims) * _ITEM_BYTES
            if min(dims, default=0) < 0 or (repeated := repeated + max(0, length - _ITEM_BYTES * tensor.ByteSize())) > (
                _MOST_REPEATED_BYTES
            ):
                raise UnsupportedModelError(
                    f"The constant '{node.name}' of {what} has shape {tuple(dims)}, which its bytes do not fill.",
                    node=node.name,
                )
