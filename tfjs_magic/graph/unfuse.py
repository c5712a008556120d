"""Take the fused ops of a graph apart again, so that TensorFlow can run it: the inverse of the last pass.

TensorFlow has no FusedDepthwiseConv2dNative and no Prelu, and its own fused ops take other activations than TF.js's. On
a CPU it has no dilated DepthwiseConv2dNative.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.conditions import axis_sizes, is_dilated
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, node_of

_PLAIN = {
    "_FusedConv2D": "Conv2D",
    "FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
    "FusedMatMul": "MatMul",
}
_OF_FUSION = frozenset({"fused_ops", "num_args", "epsilon", "leakyrelu_alpha", "num_host_args", "TArgs"})
_FLOAT: dict[str, Attr] = {"T": DType("float32")}
_INT = DType("int32")


def unfuse(graph: Graph) -> None:
    """Replace every fused op by the ops that it stands for; names of tensors stay.

    Raises:
        UnsupportedModelError: It fuses something that no converter writes.
    """
    for node in graph:
        if node.op == "Prelu":
            _replace_prelu(graph, node.name, *node.inputs)
        elif node.op in _PLAIN:
            _unfuse(graph, node)


def spread_kernels(graph: Graph) -> None:
    """Let a graph spread the kernels of dilated depthwise convolutions with zeros; the weights stay as they are."""
    for node in graph:
        if node.op == "DepthwiseConv2dNative" and is_dilated(graph, node):
            data, weights = node.inputs
            attrs: dict[str, Attr] = {**node.attrs, "dilations": (1, 1, 1, 1)}
            spread = _spread(graph, weights, *axis_sizes(node, "dilations"))
            graph.replace_node(node.name, Node(node.name, node.op, [data, spread], attrs))


def _spread(graph: Graph, weights: Ref, down: int, across: int) -> Ref:
    rows, columns, *channels = (int(size or 0) for size in graph.shape(weights) or ())

    def add(op: str, data: Ref, *operands: object, **attrs: Attr) -> Ref:
        name = graph.fresh_name(f"{node_of(weights)}/{op}")
        refs = [graph.add_constant(name, np.array(operand, np.int32)) for operand in operands]
        return graph.add(Node(graph.fresh_name(name), op, [data, *refs], {**_FLOAT, **attrs})).ref()

    apart = add("Reshape", weights, (rows, 1, columns, 1, *channels), Tshape=_INT)
    gaps = [(0, 0), (0, down - 1), (0, 0), (0, across - 1), (0, 0), (0, 0)]
    padded = add("Pad", apart, gaps, Tpaddings=_INT)
    whole = add("Reshape", padded, (rows * down, columns * across, *channels), Tshape=_INT)
    sides = ((rows - 1) * down + 1, (columns - 1) * across + 1)
    return add("Slice", whole, (0, 0, 0, 0), (*sides, *channels), Index=_INT)


def _unfuse(graph: Graph, node: Node) -> None:
    data, weights, *arguments = node.inputs
    steps = [step.decode() for step in cast("tuple[bytes, ...]", node.attrs["fused_ops"]) if step != b"noop"]
    attrs = {key: value for key, value in node.attrs.items() if key not in _OF_FUSION}
    op = "BatchMatMulV2" if "adj_x" in attrs else _PLAIN[node.op]
    plain = Node(graph.fresh_name(node.name), op, [data, weights], attrs)
    last = graph.add(plain).ref()
    for step in steps:
        if step == "BiasAdd":
            added = Node(graph.fresh_name(node.name), "AddV2", [last, arguments.pop(0)], dict(_FLOAT))
            last = graph.add(added).ref()
        elif step in {"Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu"}:
            slope = {"alpha": node.attrs["leakyrelu_alpha"]} if step == "LeakyRelu" else {}
            last = graph.add(Node(graph.fresh_name(node.name), step, [last], {**_FLOAT, **slope})).ref()
        elif step == "Prelu":
            _replace_prelu(graph, node.name, last, arguments.pop(0))
            return
        else:
            raise UnsupportedModelError(
                f"Node '{node.name}' fuses '{step}' into {node.op}; expected BiasAdd and an activation.",
                node=node.name,
            )
    graph.replace_node(node.name, Node(node.name, "Identity", [last], dict(_FLOAT)))


def _replace_prelu(graph: Graph, name: NodeName, data: Ref, slope: Ref) -> None:
    """max(x, 0) + slope · min(x, 0)."""
    zero = graph.add_constant(f"{name}/zero", np.zeros((), np.float32))

    def add(op: str, *inputs: Ref) -> Ref:
        return graph.add(Node(graph.fresh_name(f"{name}/{op}"), op, [*inputs], dict(_FLOAT))).ref()

    parts = [add("Maximum", data, zero), add("Mul", slope, add("Minimum", data, zero))]
    graph.replace_node(name, Node(name, "AddV2", parts, dict(_FLOAT)))
