"""Graphs as text, and what runs a graph: TensorFlow, or TF.js as a model.

    x: float32[2,5,5,3]                       an input; "?" is an unknown dimension
    conv = Conv2D(x, w, ^wait) padding=SAME   w is a constant, given by name; ^wait is a control input
    parts = Split(axis, conv) num_split=2
    return y=conv, second=parts:1             "return conv" names the output like its node

Attributes that a line does not give have the value of ``_DEFAULTS``, and are left out when a graph is written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, ConversionReport, TensorInfo, WeightEntry, model_header
from tfjs_magic.graph.dtypes import enum_name
from tfjs_magic.graph.ir import Attr, DType, Graph, Node, Shape
from tfjs_magic.graph.tables import initializer
from tfjs_magic.graph.topology import graph_constants, graph_topology, shape_json
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import Backend
from tfjs_magic.weights.pack import pack_weights

#: Where models are run; ``make test-gpu`` names the GPU backends, which Chromium computes in software.
BACKENDS: tuple[Backend, ...] = tuple(os.environ.get("TFJS_MAGIC_BACKENDS", "cpu,wasm").split(","))  # type: ignore[assignment]

_FLOAT: dict[str, Attr] = {"T": DType("float32")}
_CONV: dict[str, Attr] = {
    **_FLOAT,
    "strides": (1, 1, 1, 1),
    "padding": b"VALID",
    "data_format": b"NHWC",
    "dilations": (1, 1, 1, 1),
}
_MATMUL: dict[str, Attr] = {**_FLOAT, "transpose_a": False, "transpose_b": False}
_FUSED: dict[str, Attr] = {"num_args": 1, "epsilon": 0.0}
_DEFAULTS: dict[str, dict[str, Attr]] = {
    "Conv2D": _CONV,
    "DepthwiseConv2dNative": _CONV,
    "Conv2DBackpropInput": _CONV,
    "MatMul": _MATMUL,
    "_FusedConv2D": {**_CONV, **_FUSED},
    "FusedDepthwiseConv2dNative": {**_CONV, **_FUSED},
    "_FusedMatMul": {**_MATMUL, **_FUSED},
    "BiasAdd": {**_FLOAT, "data_format": b"NHWC"},
    "LeakyRelu": {**_FLOAT, "alpha": 0.2},
    "Reshape": {**_FLOAT, "Tshape": DType("int32")},
    "Transpose": {**_FLOAT, "Tperm": DType("int32")},
    "Mean": {**_FLOAT, "Tidx": DType("int32"), "keep_dims": False},
    "GatherV2": {
        "Tparams": DType("float32"),
        "Tindices": DType("int32"),
        "Taxis": DType("int32"),
        "batch_dims": 0,
    },
    "ConcatV2": {**_FLOAT, "Tidx": DType("int32"), "N": 2},
    "Merge": {**_FLOAT, "N": 2},
    "NoOp": {},
    "LoopCond": {},
    "LogicalOr": {},
    "Placeholder": {},
}
_NODE = re.compile(r"(?P<name>\S+) = (?P<op>\w+)\((?P<inputs>[^)]*)\)(?P<attrs>.*)")
_INPUT = re.compile(r"(?P<name>\S+): (?P<dtype>\w+)\[(?P<dims>[^\]]*)\]")


def parse_graph(text: str, constants: Mapping[str, Array] | None = None) -> Graph:
    """Read a graph. ``constants`` are used as they are, not copied."""
    nodes: dict[str, Node] = {}
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("return "):
            pairs = (part.strip().rpartition("=") for part in line.removeprefix("return ").split(","))
            outputs = {name or ref: ref for name, _, ref in pairs}
        elif found := _INPUT.fullmatch(line):
            name = found["name"]
            dims = tuple(None if d.strip() == "?" else int(d) for d in found["dims"].split(",") if d.strip())
            attrs: dict[str, Attr] = {"dtype": DType(found["dtype"]), "shape": Shape(dims)}
            nodes[name] = Node(name, "Placeholder", attrs=attrs, shapes=(Shape(dims),))
            inputs[name] = name
        else:
            found = _NODE.fullmatch(line)
            assert found is not None, f"no line of a graph: {line!r}"
            nodes[found["name"]] = _parse_node(found)
    for name, value in (constants or {}).items():
        nodes[name] = Node(name, "Const", attrs={"dtype": DType(value.dtype.name)}, value=value)
    return Graph(nodes.values(), inputs=inputs, outputs=outputs)


def graph_text(graph: Graph) -> list[str]:
    """Write a graph, one line per node, sorted; constants are left out."""
    lines = [f"return {', '.join(f'{name}={ref}' for name, ref in graph.outputs.items())}"]
    for node in graph:
        if node.op == "Placeholder":
            dims = node.attrs["shape"].dims  # type: ignore[union-attr]
            shape = ",".join("?" if d is None else str(d) for d in dims or ())
            lines.append(f"{node.name}: {node.attrs['dtype']}[{shape}]")
        elif node.value is None:
            operands = ", ".join([*node.inputs, *(f"^{name}" for name in node.controls)])
            defaults = _DEFAULTS.get(node.op, _FLOAT)
            attrs = {k: v for k, v in sorted(node.attrs.items()) if k not in defaults or defaults[k] != v}
            shown = "".join(f" {key}={_attr_text(value)}" for key, value in attrs.items())
            lines.append(f"{node.name} = {node.op}({operands}){shown}")
    return sorted(lines)


def run_tensorflow(graph: Graph, feeds: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """Let TensorFlow compute the public outputs: v1 graph semantics, loops and conditions included."""
    values = tensorflow_values(graph, feeds, set(graph.outputs.values()))
    return [{name: value[ref] for name, ref in graph.outputs.items()} for value in values]


def tensorflow_values(
    graph: Graph, feeds: Sequence[Mapping[str, Array]], refs: Collection[str]
) -> list[dict[str, Array]]:
    """Let TensorFlow compute tensors of a graph; lists and resources, which are no arrays, are left out."""
    import tensorflow as tf
    from google.protobuf import json_format

    topology = graph_topology(graph)
    for row in topology["node"]:
        row["attr"].pop("value", None)  # TF.js's form has no numbers
    graph_def = json_format.Parse(json.dumps(topology), tf.compat.v1.GraphDef())
    for node in graph_def.node:
        if (value := graph[node.name].value) is not None:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    config = tf.compat.v1.ConfigProto()
    # TensorFlow's own folds are no better than ours: one turns an infinite factor into NaN.
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    config.graph_options.place_pruned_graph = True  # what is not asked for may have no kernel on this CPU
    with tf.Graph().as_default() as tf_graph, tf.compat.v1.Session(graph=tf_graph, config=config) as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        tensors = {ref: tf_graph.get_tensor_by_name(ref if ":" in ref else f"{ref}:0") for ref in refs}
        fetches = {ref: tensor for ref, tensor in tensors.items() if tensor.dtype not in {tf.variant, tf.resource}}
        placeholders = {name: f"{node}:0" for name, node in graph.inputs.items()}
        runs = (session.run(fetches, {placeholders[name]: x for name, x in feed.items()}) for feed in feeds)
        # A scalar text comes as bytes.
        return [{r: np.asarray(v, object) if isinstance(v, bytes) else v for r, v in run.items()} for run in runs]


def tfjs_model(graph: Graph) -> TfjsModel:
    """Assemble a model from a graph, for the Node harness."""
    graph.sort()
    filling = initializer(graph)
    parts = (graph,) if filling is None else (graph, filling)
    weights = [WeightEntry(name, array) for part in parts for name, array in graph_constants(part)]
    # Small shards cut through tensors; of large weights they would make ten thousands of files.
    shard_size_bytes = max(64, sum(entry.data.nbytes for entry in weights) // 16)
    group = pack_weights(weights, shard_size_bytes=shard_size_bytes)
    inputs = [_input_info(name, graph[node]) for name, node in graph.inputs.items()]
    outputs = [TensorInfo(name, "float32", None) for name in graph.outputs]
    refs = {**graph.inputs, **graph.outputs}
    rows = {
        info.name: {
            "name": refs[info.name] if ":" in refs[info.name] else f"{refs[info.name]}:0",
            "dtype": enum_name(info.dtype),
            "tensorShape": shape_json(Shape(info.shape)),
        }
        for info in (*inputs, *outputs)
    }
    return TfjsModel(
        format="graph-model",
        inputs=inputs,
        outputs=outputs,
        topology=graph_topology(graph),
        header=model_header(
            generated_by="graph text",
            signature={
                "inputs": {info.name: rows[info.name] for info in inputs},
                "outputs": {info.name: rows[info.name] for info in outputs},
            },
            initializer=None if filling is None else graph_topology(filling),
        ),
        groups=(group,),
        report=ConversionReport(source="graph text"),
    )


def _parse_node(found: re.Match[str]) -> Node:
    operands = [part.strip() for part in found["inputs"].split(",") if part.strip()]
    attrs = dict(_DEFAULTS.get(found["op"], _FLOAT))
    for pair in re.findall(r"(\S+)=(\[[^\]]*\]|\S+)", found["attrs"]):
        attrs[pair[0]] = _parse_attr(pair[1])
    return Node(
        found["name"],
        found["op"],
        inputs=[ref for ref in operands if not ref.startswith("^")],
        controls=[ref[1:] for ref in operands if ref.startswith("^")],
        attrs=attrs,
    )


def _parse_attr(text: str) -> Any:
    if text.startswith("["):
        return tuple(_parse_attr(part.strip()) for part in text[1:-1].split(",") if part.strip())
    if text in {"True", "False"}:
        return text == "True"
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"-?\d+\.\d*(e-?\d+)?", text):
        return float(text)
    if text in {"float32", "float64", "int32", "int64", "bool", "string", "resource"}:
        return DType(text)
    return text.encode()


def _attr_text(value: Attr) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_attr_text, value))}]"
    return value.decode() if isinstance(value, bytes) else str(value)


def _input_info(name: str, node: Node) -> TensorInfo:
    shape = node.attrs["shape"]
    assert isinstance(shape, Shape)
    return TensorInfo(name, str(node.attrs["dtype"]), shape.dims)
