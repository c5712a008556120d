"""Make each public output a computed node of its own.

Given:   outputs {a: x, b: x, c: split:1, d: placeholder}
Result:  outputs {a: x, b: Identity(x), c: Identity(split:1), d: Identity(placeholder)}

TF.js maps a node, not a tensor, to a signature key, so two outputs of one node shadow each other; and it disposes
intermediate tensors by node.

Source: tfjs-converter ``src/operations/operation_mapper.ts`` (``transformGraph``), 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Attr, DType, Graph, Node, node_of, port_of
from tfjs_magic.passes.rewrite import GraphPass


def _run(graph: Graph) -> int:
    taken: set[str] = set()
    count = 0
    for name, ref in list(graph.outputs.items()):
        if node_of(ref) in taken or port_of(ref) or graph[ref].op in {"Placeholder", "Const"}:
            identity = Node(graph.fresh_name(f"{node_of(ref)}/output"), "Identity", [ref], _types(graph[ref]))
            graph.outputs[name] = graph.add(identity).name
            count += 1
        taken.add(node_of(graph.outputs[name]))
    return count


def _types(source: Node) -> dict[str, Attr]:
    """Return the dtype of a node's outputs: where it is not the inputs', the op has an attribute for it."""
    keys = ("dtype", "DstT", "output_type", "out_type", "T")
    return {"T": next((source.attrs[key] for key in keys if key in source.attrs), DType("float32"))}


PASS = GraphPass(__name__, _run)
