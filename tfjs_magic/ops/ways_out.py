"""What to do about an op that TF.js cannot run: where the model could begin instead, and what else computes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import NodeName, closure, node_of, port_of

#: Op → what its user can do.
_HINTS = {
    "CombinedNonMaxSuppression": (
        "Instead, tf.image.non_max_suppression_padded converts, class by class; or let outputs= end before it, and "
        "suppress in JavaScript."
    ),
    "CudnnRNN": (
        "Instead, export it without the GPU (CUDA_VISIBLE_DEVICES=-1), which alone has this op, or convert its .keras "
        "file."
    ),
}
_TEXTS = ("AsString", "DecodeBase64", "ReadFile", "ReduceJoin", "Regex", "StaticRegex", "String", "Substr", "Unicode")
#: A model cannot begin in a loop or a branch, and a graph does not tell where those of a function were.
_CONTROL_FLOW = frozenset("Enter Switch _SwitchN While StatelessWhile If StatelessIf Case StatelessCase".split())
#: Nobody waits for a refusal while every tensor of a long graph is tried.
_MOST_TRIED = 100


def ways_out(graph: Graph, bad: Collection[NodeName], named: Collection[str]) -> Iterator[str]:
    """Yield sentences.

    Args:
        graph: After the passes, in order.
        bad: Names of the nodes that TF.js cannot run.
        named: The nodes that the source knows by the same names; empty if a model cannot begin inside it.
    """
    for op in sorted({graph[name].op for name in bad}):
        yield from (hint for start, hint in _HINTS.items() if op.startswith(start))
    if (beginning := _beginning(graph, set(bad), named)) is not None:
        dims = graph.shape(beginning.ref())
        shape = "shape" if dims is None else str(tuple(dims))
        yield f"To begin behind what it lacks, pass inputs={{'{beginning.name}': {shape}}}."


def fixed_sizes(graph: Graph) -> Iterator[str]:
    """Yield the inputs= that fixes every size, with a batch of one, and an ellipsis for what nobody can guess."""
    shapes = {name: graph.shape(graph[node].ref()) for name, node in graph.inputs.items()}
    free = {name: dims for name, dims in shapes.items() if dims is not None and None in dims}
    if free:
        shown = ", ".join(f"'{name}': ({example_dims(dims)})" for name, dims in free.items())
        yield f"Sizes that are known help: inputs={{{shown}}}."


def example_dims(dims: Dims) -> str:
    """Return dims as an example has them: of one example at a time, and nobody can guess a height."""
    sizes = [str(size) if size is not None else "1" if axis == 0 else "…" for axis, size in enumerate(dims)]
    return f"{sizes[0]}," if len(sizes) == 1 else ", ".join(sizes)


def _beginning(graph: Graph, bad: set[NodeName], named: Collection[str]) -> Node | None:
    """Return the first node that all ways from the bad nodes to the outputs lead through, if it gives numbers."""
    ends = set(map(node_of, graph.outputs.values()))
    if any(node.op in _CONTROL_FLOW for node in graph):
        return None
    behind = _behind(graph, bad, without=None)
    tried = [node for node in graph if node.name in behind and node.name in named and not _is_text(node)]
    for node in tried[:_MOST_TRIED]:
        rest = _behind(graph, [node.name], without=None) - {node.name}
        refs = [ref for user in graph.consumers(node.name) for ref in user.inputs]
        ports = {port_of(ref) for ref in refs if node_of(ref) == node.name}
        useful = any(graph[name].op != "Identity" for name in rest)
        if ports == {0} and useful and not ends & _behind(graph, bad - {node.name}, without=node.name):
            return node
    return None


def _behind(graph: Graph, start: Iterable[NodeName], *, without: NodeName | None) -> set[NodeName]:
    def step(name: NodeName) -> list[NodeName]:
        return [user.name for user in graph.consumers(name) if user.name != without]

    return closure(start, step)


def _is_text(node: Node) -> bool:
    return node.op.startswith(_TEXTS) or DType("string") in node.attrs.values()
