"""Lower _SwitchN, which TF.js lacks and every ``tf.switch_case`` becomes.

Given:   y = _SwitchN(x, i)      n outputs; output k lives if i = k, the last one also if i is out of range
Result:  y:k = Switch(x, i = k):1
         y:n-1 = Switch(x, i < 0 or i ≥ n - 1):1
         with constants where i is one, as in the rounds of a loop: ``fold_conditions`` then leaves one branch

Source: tensorflow ``core/kernels/control_flow_ops.cc`` (``SwitchNOp``), 2.21.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(_: Graph, node: Node) -> Node:
    return node


def _apply(graph: Graph, node: Node) -> None:
    new, (data, index) = Lowering(graph, node), node.inputs
    last, known = node.outputs - 1, graph.constant(index)
    for k in range(node.outputs):
        if known is not None:
            predicate = new.constant(k == (int(known) if 0 <= int(known) < last else last), "bool")
        elif k < last:
            predicate = new.add("Equal", index, new.constant(k), T=INT32)
        else:
            low = new.add("Less", index, new.constant(0), T=INT32)
            high = new.add("GreaterEqual", index, new.constant(last), T=INT32)
            predicate = new.add("LogicalOr", low, high)
        switch = graph.producer(new.add("Switch", data, predicate, T=node.attrs["T"]))
        graph.set_inputs(switch, switch.inputs, controls=node.controls)
        graph.replace_uses(node.ref(k), switch.ref(1))


PASS = Rewrite(__name__, frozenset({"_SwitchN"}), _match, _apply)
