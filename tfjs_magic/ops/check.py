"""Check a graph against the ops and kernels of the TF.js that we ship (``supported.json``, generated)."""

from __future__ import annotations

import collections
import functools
import importlib.resources
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.tensor_lists import is_shared
from tfjs_magic.options import BACKENDS

_REQUESTS = "https://github.com/tensorflow/tfjs/issues"
_MOST_NODES = 3


@functools.cache
def supported() -> dict[str, Any]:
    """Load the table: "ops", "missing" per backend, "wrong"."""
    text = importlib.resources.files(__package__).joinpath("supported.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def check_ops(graph: Graph) -> None:
    """Refuse a graph that TF.js cannot run, or would run wrongly on every backend.

    What only some backends lack or compute wrongly is no reason: :func:`missing_per_backend` says it.

    Raises:
        UnsupportedOpsError: Names every such op at once, with its nodes.
    """
    table = supported()["ops"]
    unknown: dict[str, list[str]] = collections.defaultdict(list)
    wrong: dict[str, list[str]] = collections.defaultdict(list)
    reasons: set[str] = set()
    for node in graph:
        if node.op not in table and node.op != "Placeholder":
            unknown[node.op].append(node.name)
        elif found := [what for what, backends in _wrong_ways(graph, node) if set(backends) == set(BACKENDS)]:
            wrong[node.op].append(node.name)
            reasons.update(found)
    if not unknown and not wrong:
        return
    version = supported()["tfjs_version"]
    sentences = []
    if unknown:
        sentences.append(f"TensorFlow.js {version} does not have {_listed(unknown)}.")
    if wrong:
        sentences += [f"It would compute {_listed(wrong)} wrongly.", *sorted(reasons)]
    sentences.append(
        "Replace the layers that these nodes are named after, or ask for the ops at " + _REQUESTS + "; skip_op_check "
        "writes the model all the same."
    )
    raise UnsupportedOpsError(" ".join(sentences), ops={**unknown, **wrong})


def missing_per_backend(*graphs: Graph) -> dict[str, tuple[str, ...]]:
    """Return backend → the graphs' ops that it has no kernel for, or computes wrongly."""
    ops = {node.op for graph in graphs for node in graph}
    unknown = ops - set(supported()["ops"]) - {"Placeholder"}
    lacking = {backend: ops.intersection(lacks) | unknown for backend, lacks in supported()["missing"].items()}
    for graph in graphs:
        for node in graph:
            for _, backends in _wrong_ways(graph, node):
                for backend in backends:
                    lacking[backend].add(node.op)
    return {backend: tuple(sorted(names)) for backend, names in lacking.items()}


def needs_async(graph: Graph) -> bool:
    """Whether TF.js refuses ``predict`` and ``execute``: loops, conditions, and shapes that depend on values."""
    return any(node.op in _ASYNC or node.op.startswith(("TensorList", "EmptyTensorList")) for node in graph)


def random_ops(graph: Graph) -> tuple[str, ...]:
    """Return the op types that draw random numbers, sorted."""
    return tuple(sorted({node.op for node in graph if node.op in _RANDOM}))


def count_ops(*graphs: Graph) -> dict[str, int]:
    """Count the executed nodes per op type, most frequent first: constants and inputs are not executed."""
    ops = (node.op for graph in graphs for node in graph)
    counts = collections.Counter(op for op in ops if op not in {"Const", "Placeholder"})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _listed(ops: dict[str, list[str]]) -> str:
    parts = []
    for op, nodes in sorted(ops.items()):
        shown = ", ".join(f"'{name}'" for name in sorted(nodes)[:_MOST_NODES])
        more = f" … and {len(nodes) - _MOST_NODES} more" if len(nodes) > _MOST_NODES else ""
        parts.append(f"{op} (node {shown}{more})")
    return ", ".join(parts)


_RANDOM = frozenset({"Multinomial", "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal"})
#: Source: tfjs-converter ``src/executor/model_analysis.ts``, 4.22.
_ASYNC = frozenset(
    {
        *("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"),
        *("StatelessIf", "If", "StatelessWhile", "While", "Where"),
        *("NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV5"),
        *("HashTable", "HashTableV2", "LookupTableImport", "LookupTableImportV2", "LookupTableFind"),
        *("LookupTableFindV2", "LookupTableSize", "LookupTableSizeV2"),
    }
)


def _wrong_ways(graph: Graph, node: Node) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what TF.js would do wrongly with a node, and on which backends."""
    if _is_channels_first(graph, node):
        yield "Only channels-last data is computed rightly.", BACKENDS
    elif node.attrs.get("T") == "complex64" and node.op not in _COMPLEX:
        yield (
            "Complex numbers can only be added, subtracted, multiplied, reshaped and transformed; take Real and Imag.",
            BACKENDS,
        )
    elif node.op in _WRAPPING and node.attrs.get("T") in _NARROW:
        yield "It keeps 8- and 16-bit integers as int32, which does not wrap: cast to int32 before.", BACKENDS
    elif node.op in _WRONG:
        rows = [row for row in supported()["wrong"] if row["op"] == node.op]
        for row, applies in zip(rows, _WRONG[node.op], strict=True):
            if applies(graph, node):
                yield row["what"], row["backends"]


def _is_channels_first(_: Graph, node: Node) -> bool:
    data_format = node.attrs.get("data_format", b"")
    return isinstance(data_format, bytes) and data_format.startswith(b"NC")


def _is_grouped(_: Graph, node: Node) -> bool:
    return node.attrs.get("groups", 1) != 1


def _is_dilated(_: Graph, node: Node) -> bool:
    dilations = node.attrs.get("dilations", ())
    return isinstance(dilations, tuple) and any(rate != 1 for rate in dilations)


def _steps_and_dilates(graph: Graph, node: Node) -> bool:
    strides = node.attrs.get("strides", ())
    return _is_dilated(graph, node) and isinstance(strides, tuple) and any(step != 1 for step in strides)


def _leaves_data_out(graph: Graph, node: Node) -> bool:
    """Whether padding is SAME and a stride longer than the window, or may be."""
    strides, window = node.attrs.get("strides"), node.attrs.get("ksize")
    if node.attrs.get("padding") != b"SAME" or not isinstance(strides, tuple):
        return False
    kernel = graph.shape(node.inputs[1]) if window is None else window[1:]  # type: ignore[index]
    rates = node.attrs.get("dilations", (1,) * len(strides))
    if kernel is None or not isinstance(rates, tuple):
        return True
    axes = zip(strides[1:-1], kernel, rates[1:-1], strict=False)
    return any(stride > ((side or 1) - 1) * rate + 1 for stride, side, rate in axes)  # type: ignore[operator]


def _has_negative_axis(graph: Graph, node: Node) -> bool:
    axis = graph.constant(node.inputs[1])
    return axis is None or int(axis) < 0


def _axis_is_not_last(_: Graph, node: Node) -> bool:
    return node.attrs.get("axis", -1) != -1


def _is_training(_: Graph, node: Node) -> bool:
    return node.attrs.get("is_training", True) is True


def _has_batch_dims(_: Graph, node: Node) -> bool:
    return node.attrs.get("batch_dims", 0) != 0


def _type(attribute: str, *dtypes: str) -> _Condition:
    return lambda _, node: node.attrs.get(attribute) in dtypes


def _cuts_to_bool(_: Graph, node: Node) -> bool:
    return node.attrs.get("DstT") == "bool" and node.attrs.get("SrcT") != "bool"


def _strides_over_integers(graph: Graph, node: Node) -> bool:
    strides = graph.constant(node.inputs[3])
    steps = strides is None or bool((strides != 1).any())
    return steps and node.attrs.get("T") in (*_INTEGERS, "bool")


def _drops_and_steps(graph: Graph, node: Node) -> bool:
    strides = graph.constant(node.inputs[3])
    return node.attrs.get("shrink_axis_mask", 0) != 0 and (strides is None or bool((strides != 1).any()))


def _is_no_product(_: Graph, node: Node) -> bool:
    equation = node.attrs["equation"]
    assert isinstance(equation, bytes)
    inputs, *outputs = equation.decode().replace(" ", "").split("->")
    out = "".join(outputs)
    terms = inputs.split(",")
    alone = len(terms) > 1 and any(sum(x in term for term in terms) == 1 and x not in out for x in "".join(terms))
    return alone or "..." in inputs + out or any(len(set(term)) != len(term) for term in terms)


def _has_vector_condition(graph: Graph, node: Node) -> bool:
    condition, data = (graph.shape(ref) for ref in node.inputs[:2])
    return condition is None or (len(condition) == 1 and (data is None or len(data) != 1))


def _always(_: Graph, __: Node) -> bool:
    return True


_Condition = Callable[[Graph, Node], bool]
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
#: Arithmetic that overflows, and the dtypes that overflow before int32 does.
_WRAPPING = frozenset(
    {"Add", "AddN", "AddV2", "Cumprod", "Cumsum", "Mul", "Neg", "Pow", "Prod", "Square", "Sub", "Sum"}
)
#: What TF.js does with complex numbers; its other kernels refuse them.
_COMPLEX = frozenset(
    {
        *(
            "Add",
            "AddN",
            "AddV2",
            "Complex",
            "ComplexAbs",
            "ConcatV2",
            "Enter",
            "Exit",
            "ExpandDims",
            "Fill",
            "Identity",
        ),
        *("Imag", "LoopCond", "Merge", "Mul", "NextIteration", "Pack", "Real", "Reshape", "Squeeze", "Sub"),
        *("Shape", "Switch", "Transpose", "ZerosLike"),
    }
)
_NARROW = ("int8", "int16", "uint8", "uint16", "uint32", "uint64")
_UNKNOWN_DTYPES = ("bfloat16", "int16", "uint16", "uint32", "uint64")

#: Op type → for each of its rows in ``supported.json``, in that order, whether a node meets the row's condition.
_WRONG: dict[str, tuple[_Condition, ...]] = {
    "AvgPool3D": (_leaves_data_out,),
    "BiasAdd": (_is_channels_first,),
    "BitwiseAnd": (_always,),
    "Cast": (_type("DstT", *_UNKNOWN_DTYPES), _cuts_to_bool),
    "Conv2D": (_is_channels_first, _is_grouped, _steps_and_dilates, _leaves_data_out),
    "Conv2DBackpropInput": (_is_dilated,),
    "Conv3D": (_is_grouped, _steps_and_dilates, _leaves_data_out),
    "Cumprod": (_has_negative_axis,),
    "Cumsum": (_has_negative_axis,),
    "DepthwiseConv2dNative": (_steps_and_dilates, _leaves_data_out),
    "Dilation2D": (_always,),
    "Div": (_type("T", *_INTEGERS),),
    "Einsum": (_is_no_product,),
    "Equal": (_type("T", "string"),),
    "FakeQuantWithMinMaxVars": (_always,),
    "FloorDiv": (_type("T", "float32"),),
    "FusedBatchNorm": (_is_training,),
    "FusedBatchNormV2": (_is_training,),
    "FusedBatchNormV3": (_is_training,),
    "FusedDepthwiseConv2dNative": (_leaves_data_out,),
    "GatherV2": (_has_batch_dims,),
    "ImageProjectiveTransformV3": (_always,),
    "MatrixBandPart": (_always,),
    "MaxPool3D": (_always, _leaves_data_out),
    "MaxPoolWithArgmax": (_always, _always),
    "Mean": (_type("T", *_INTEGERS),),
    "Mod": (_always,),
    "NotEqual": (_type("T", "string"),),
    "OneHot": (_axis_is_not_last, _type("T", "float16", "float32", "float64", "bool")),
    "ReverseV2": (_type("T", "bool"),),
    "Select": (_has_vector_condition, _type("T", "bool")),
    "SelectV2": (_type("T", "bool"),),
    "StatelessWhile": (_always,),
    "StridedSlice": (_strides_over_integers, _drops_and_steps),
    "TensorListConcatV2": (_always,),
    "TensorListPopBack": (_always,),
    "TensorListPushBack": (is_shared,),
    "TensorListResize": (is_shared,),
    "TensorListSetItem": (is_shared,),
    "TensorListSplit": (_always,),
    "While": (_always,),
    "_FusedConv2D": (_is_grouped, _leaves_data_out),
}
