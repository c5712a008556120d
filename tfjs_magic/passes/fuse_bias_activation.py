"""Fuse a linear op, its bias and its activation into one kernel call.

Given:   y = Act(Add(Linear(x, W), b))      either of Act and Add may be missing
Result:  y = FusedLinear(x, W, b)           _FusedConv2D, FusedDepthwiseConv2dNative, _FusedMatMul

b is one number per channel; Act is one that every backend of TF.js fuses: Relu, Relu6, Elu, Sigmoid, LeakyRelu.
Without a bias the first fused op is "noop": TF.js reads the list by position.

Refuses: an intermediate has another consumer or is a public output; the addend is no bias (a residual, or it varies
along another axis); a MatMul transposes an operand (wasm's fused kernel then adds the bias at the wrong places); it is
one of the products of a loop (wasm runs a fused one as five kernels, of which one computes). A LeakyRelu stays behind
a depthwise convolution: the converter does not read its slope there.

Source: tfjs-converter ``src/operations/executors/convolution_executor.ts`` and ``matrices_executor.ts``, 4.22.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, addends, linear, per_channel
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.passes.rewrite import Miss, Rewrite

_FUSED = {"Conv2D": "_FusedConv2D", "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative", "MatMul": "_FusedMatMul"}
_ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu"})
#: So many products with the same weights are the steps of a loop.
_FEWEST_STEPS = 4
_UNFUSED = {"DepthwiseConv2dNative": frozenset({"LeakyRelu"})}


@dataclasses.dataclass(frozen=True)
class _Match:
    linear: Node
    last: Node
    bias: tuple[Ref, Array] | None
    activation: Node | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    found = linear(graph, node)
    if found is None:
        return Miss("the weights are computed, or the channels are not last")
    if node.attrs.get("transpose_a", False) or node.attrs.get("transpose_b", False):
        return Miss("wasm's fused matmul is wrong with transposed operands")
    last, bias, activation = node, None, None
    consumer = graph.only_consumer(node.name)
    if consumer is not None and consumer.op in ADD_OPS:
        offset = next((other for data, other in addends(consumer) if graph.producer(data) is node), None)
        value = None if offset is None else graph.constant(offset)
        per_channel_bias = None if value is None else per_channel(value, found.channels, found.rank)
        if offset is None or value is None or per_channel_bias is None:
            return Miss("what is added is no bias")
        bias = (offset, per_channel_bias.astype(value.dtype))
        last, consumer = consumer, graph.only_consumer(consumer.name)
    if consumer is not None and consumer.op in _ACTIVATIONS - _UNFUSED.get(node.op, frozenset()):
        last = activation = consumer
    if node.op == "MatMul" and activation is None and len(graph.consumers(node_of(found.weight_ref))) >= _FEWEST_STEPS:
        return Miss("every step of a loop adds this bias")
    return None if last is node else _Match(node, last, bias, activation)


def _apply(graph: Graph, match: _Match) -> None:
    source = match.linear
    fused_ops: tuple[bytes, ...] = (b"BiasAdd" if match.bias else b"noop",)
    attrs: dict[str, Attr] = {**source.attrs, "num_args": 1 if match.bias else 0, "epsilon": 0.0}
    if match.activation is not None:
        fused_ops += (match.activation.op.encode(),)
        if match.activation.op == "LeakyRelu":
            attrs["leakyrelu_alpha"] = match.activation.attrs.get("alpha", 0.2)
    inputs = list(source.inputs)
    if match.bias is not None:
        name, value = match.bias
        same = graph.constant(name) is not None and graph.shape(name) == value.shape
        inputs.append(name if same else graph.add_constant(name, np.ascontiguousarray(value)))
    attrs["fused_ops"] = fused_ops
    graph.replace_node(match.last.name, Node(match.last.name, _FUSED[source.op], inputs, attrs))


PASS = Rewrite(__name__, frozenset(_FUSED), _match, _apply)
