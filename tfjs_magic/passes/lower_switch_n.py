"""Lower _SwitchN, which TF.js lacks and every ``tf.switch_case`` becomes.

Given:   y = _SwitchN(x, i)      n outputs; output k lives if i = k, the last one also if i is out of range
Result:  y:k = Switch(x, i = k):1
         y:n-1 = Switch(x, i < 0 or i ≥ n - 1):1

Source: tensorflow ``core/kernels/control_flow_ops.cc`` (``SwitchNOp``), 2.21.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.passes.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    outputs: int


def _match(_: Graph, node: Node) -> _Match:
    outputs = node.attrs["num_outs"]
    assert isinstance(outputs, int)
    return _Match(node, outputs)


def _apply(graph: Graph, match: _Match) -> None:
    node = match.node
    data, index = node.inputs
    for k in range(match.outputs):
        base = f"{node.name}/{k}"
        predicate = (
            _otherwise(graph, base, index, k)
            if k == match.outputs - 1
            else _compare(graph, f"{base}/predicate", "Equal", index, k)
        )
        switch = Node(graph.fresh_name(base), "Switch", [data, predicate], {"T": node.attrs["T"]})
        switch.controls += node.controls
        graph.add(switch)
        graph.replace_uses(f"{node.name}:{k}" if k else node.name, f"{switch.name}:1")


def _otherwise(graph: Graph, base: str, index: str, k: int) -> str:
    low = _compare(graph, f"{base}/low", "Less", index, 0)
    high = _compare(graph, f"{base}/high", "GreaterEqual", index, k)
    return graph.add(Node(graph.fresh_name(f"{base}/predicate"), "LogicalOr", [low, high])).name


def _compare(graph: Graph, name: str, op: str, index: str, k: int) -> str:
    number = graph.add_constant(f"{name}/number", np.asarray(k, np.int32))
    attrs: dict[str, Attr] = {"T": DType("int32")}
    return graph.add(Node(graph.fresh_name(name), op, [index, number], attrs)).name


PASS = Rewrite(__name__, frozenset({"_SwitchN"}), _match, _apply)
