"""Look at a ``GraphDef`` of a file before TensorFlow does: circles, sizes, and ops that touch the machine.

TensorFlow's importer follows calls without an end, and fails with the process; and what it loads, it may run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.sources.graph_growth import check_growth
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
    stand_ins = {row.function_name: [row.gradient_func] for row in graph_def.library.gradient}
    calls = {name: [*_called_by(function, functions, stand_ins)] for name, function in functions.items()}
    order, circle = _sorted(calls, calls.get)
    if circle:
        raise UnsupportedModelError(f"The functions {quoted_list(circle)} of {what} call themselves; no graph can.")
    sizes: dict[str, int] = {}
    for name in order:
        sizes[name] = len(functions[name].node_def) + sum(sizes[callee] for callee in calls[name])
    total = len(graph_def.node) + sum(sizes[callee] for callee in _called(graph_def.node, functions, stand_ins))
    if max([total, *sizes.values()]) > _MOST_NODES:
        raise UnsupportedModelError(
            f"The graph of {what} has over {_MOST_NODES} nodes with its calls in place; expected a model's graph."
        )
    for nodes in (graph_def.node, *(function.node_def for function in functions.values())):
        check_growth(nodes, ordered(nodes, what), what)
    _check_constants(graph_def, functions.values(), what)


def refuse_touching(graph_def: Any, what: str, *, trust: bool) -> None:
    """Refuse nodes, also of the functions that they call, that touch the machine, unless the caller trusts the file.

    Raises:
        UnsupportedModelError: Names them all.
    """
    if trust:
        return
    called = (node for function in reachable(graph_def.node, graph_def) for node in function.node_def)
    refuse_nodes([node for node in (*graph_def.node, *called) if touches(node.op, node.attr)], what)


def refuse_nodes(found: Sequence[Any], what: str) -> None:
    """Refuse nodes that touch the machine, if there are any.

    Raises:
        UnsupportedModelError: Names them all.
    """
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


def reachable(nodes: Iterable[Any], graph_def: Any) -> Iterator[Any]:
    """Yield every function that these nodes call, directly or not; stand-ins included."""
    functions, stand_ins = functions_of(graph_def), stand_ins_of(graph_def)
    seen: set[str] = set()
    stack = [*_called(nodes, functions, stand_ins)]
    while stack:
        if (name := stack.pop()) not in seen:
            seen.add(name)
            yield functions[name]
            stack += _called_by(functions[name], functions, stand_ins)


def stand_ins_of(graph_def: Any) -> dict[str, list[str]]:
    """Return, for each function, those that TensorFlow may run in its place: its gradient, or for another device."""
    found = {row.function_name: [row.gradient_func] for row in graph_def.library.gradient}
    alike: dict[bytes, list[str]] = {}
    for function in graph_def.library.function:
        if interface := function.attr["api_implements"].s if "api_implements" in function.attr else b"":
            alike.setdefault(interface, []).append(function.signature.name)
    for names in alike.values():
        for name in names:
            found.setdefault(name, []).extend(other for other in names if other != name)
    return found


def _called_by(function: Any, functions: Mapping[str, Any], stand_ins: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what a function calls; an attribute that the caller leaves out has a default, which may be a function."""
    yield from _called(function.node_def, functions, stand_ins)
    for value in (*function.attr.values(), *(attr.default_value for attr in function.signature.attr)):
        yield from _named(value, functions, stand_ins)


def _called(
    nodes: Iterable[Any], functions: Mapping[str, Any], stand_ins: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    for node in nodes:
        if node.op in functions:
            yield node.op
            yield from (name for name in stand_ins.get(node.op, ()) if name in functions)
        for value in node.attr.values():
            yield from _named(value, functions, stand_ins)


def _named(value: Any, functions: Mapping[str, Any], stand_ins: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the functions that an attribute names, and those that it hands on to them."""
    kind = value.WhichOneof("value")
    for function in (value.func,) if kind == "func" else value.list.func if kind == "list" else ():
        if function.name in functions:
            yield function.name
            yield from (name for name in stand_ins.get(function.name, ()) if name in functions)
        for inner in function.attr.values():
            yield from _named(inner, functions, stand_ins)


def ordered(nodes: Any, what: str) -> list[str]:
    """Return the names of the nodes, each after what it needs.

    Raises:
        UnsupportedModelError: They run in a circle.
    """
    inputs = {node.name: () if node.op == "NextIteration" else node.input for node in nodes}
    needs = {
        name: [bare for ref in refs if (bare := ref.removeprefix("^").partition(":")[0]) in inputs]
        for name, refs in inputs.items()
    }
    order, circle = _sorted(needs, needs.get)
    if circle:
        raise UnsupportedModelError(
            f"The nodes {quoted_list(circle)} of {what} need their own results; the graph is damaged.",
            node=circle[0],
        )
    return order


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
