"""Evaluate what depends on weights alone.

Given:   y = Op(c1, c2, …)      all inputs constant, Op pure (``graph/evaluate.py``)
Result:  y a constant, under its name if it is one tensor

Stays as it is: a result larger than its inputs by more than 1 KB, because it would be downloaded.
"""

from __future__ import annotations

from tfjs_magic.graph.evaluate import evaluate
from tfjs_magic.graph.ir import Graph, Node, constant_node
from tfjs_magic.passes.rewrite import GraphPass


def _run(graph: Graph) -> int:
    graph.sort()  # inputs first: one sweep folds whole subgraphs
    return sum(_fold(graph, node) for node in graph if node.op != "Const" and node.inputs and not node.controls)


def _fold(graph: Graph, node: Node) -> bool:
    values = [graph.constant(ref) for ref in node.inputs]
    arrays = [value for value in values if value is not None]
    if len(arrays) < len(values) or (outputs := evaluate(node, arrays)) is None:
        return False
    if graph.is_output(node.name):
        return False  # stays computed: TF.js does not return a weight as an output
    if len(outputs) == 1:
        graph.replace_node(node.name, constant_node(node.name, outputs[0]))
        return True
    for port, array in enumerate(outputs):
        graph.replace_uses(node.ref(port), graph.add_constant(f"{node.name}/value", array))
    return True


PASS = GraphPass(__name__, _run)
