"""Make each public output a computed node of its own.

Given:   outputs {a: x, b: x, c: split:1, d: placeholder}
Result:  outputs {a: x, b: Identity(x), c: Identity(split:1), d: Identity(placeholder)}

TF.js maps a node, not a tensor, to a signature key, so two outputs of one node shadow each other; and it disposes
intermediate tensors by node.

Source: tfjs-converter ``src/operations/operation_mapper.ts`` (``transformGraph``), 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.dtypes import result_dtype
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import NodeName, node_of, port_of
from tfjs_magic.passes.rewrite import GraphPass


def _run(graph: Graph) -> int:
    taken: set[NodeName] = set()
    count = 0
    for name, ref in list(graph.outputs.items()):
        if node_of(ref) in taken or port_of(ref) or graph.producer(ref).op in {"Placeholder", "Const"}:
            source = graph.producer(ref)
            attrs = {"T": result_dtype(source.attrs) or DType("float32")}
            identity = Node(graph.fresh_name(f"{source.name}/output"), "Identity", [ref], attrs)
            graph.set_output(name, graph.add(identity).ref())
            count += 1
        taken.add(node_of(graph.outputs[name]))
    return count


PASS = GraphPass(__name__, _run)
