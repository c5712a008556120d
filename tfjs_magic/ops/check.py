"""Check a graph against the ops that TF.js has (``supported.json``), and what its kernels do (``kernels.json``)."""

from __future__ import annotations

import collections
import functools
import importlib.resources
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tfjs_magic.artifacts import PassReport
from tfjs_magic.errors import UnsupportedModelError, UnsupportedOpsError
from tfjs_magic.graph import conditions
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.outputs import number_of_outputs
from tfjs_magic.graph.refs import NodeName, node_of, port_of
from tfjs_magic.ops.kernels import failing_calls
from tfjs_magic.ops.ways_out import fixed_sizes, ways_out
from tfjs_magic.options import BACKENDS

_REQUESTS = "https://github.com/tensorflow/tfjs/issues"
_MOST_NODES = 3


@functools.cache
def supported() -> dict[str, Any]:
    """Load the table: "ops", "missing" per backend, "fused_activations", "wrong"."""
    text = importlib.resources.files(__package__).joinpath("supported.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def check_ops(graph: Graph, passes: Sequence[PassReport] = (), *, named: Collection[str] = ()) -> None:
    """Refuse a graph that TF.js cannot run, or would run wrongly on every backend.

    What only some backends lack or compute wrongly is no reason: :func:`missing_per_backend` says it.

    Args:
        graph: After the passes.
        passes: What they did: why they left an op is said with it.
        named: The nodes at which the model could begin, as its source calls them.

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
        elif {backend for _, backends in _wrong_ways(graph, node) for backend in backends} == set(BACKENDS):
            wrong[node.op].append(node.name)
            reasons.update(what for what, _ in _wrong_ways(graph, node))
    if not unknown and not wrong:
        return
    version = supported()["tfjs_version"]
    sentences, why = [], _why_they_stay(passes, {*unknown, *wrong})
    if unknown:
        sentences.append(f"TensorFlow.js {version} does not have {_listed(unknown, why)}.")
    if wrong:
        sentences += [f"It would compute {_listed(wrong, why)} wrongly.", *sorted(reasons)]
    if named and any("unknown" in reason for found in why.values() for reason in found):
        sentences += fixed_sizes(graph)
    bad = [NodeName(name) for names in (*unknown.values(), *wrong.values()) for name in names]
    sentences += ways_out(graph, bad, named)
    sentences.append(
        "Replace the layers that these nodes are named after, or ask for the ops at " + _REQUESTS + "; skip_op_check "
        "writes the model all the same."
    )
    raise UnsupportedOpsError(" ".join(sentences), ops={**unknown, **wrong})


def refuse_missing_ports(graph: Graph) -> None:
    """Refuse a use of an output that the op does not have; of an op that TF.js lacks, nothing is known.

    Raises:
        UnsupportedModelError: Names the tensor.
    """
    table = supported()["ops"]
    for ref in (*(ref for node in graph for ref in node.inputs), *graph.outputs.values()):
        node = graph[node_of(ref)]
        if port_of(ref) and node.op in table and port_of(ref) >= (number := number_of_outputs(node.op, node.attrs)):
            raise UnsupportedModelError(
                f"'{ref}' is used, but '{node.name}' ({node.op}) has {number} outputs, counted from 0: the graph is "
                "damaged. Convert its source again.",
                stage="graph",
                node=node.name,
            )


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


def _why_they_stay(passes: Sequence[PassReport], ops: Collection[str]) -> dict[str, list[str]]:
    mending = [report for report in passes if not report.name.startswith(_FOLDS)]
    return {op: sorted({reason for report in mending for reason in report.declined.get(op, ())}) for op in ops}


def _listed(ops: dict[str, list[str]], reasons: Mapping[str, Sequence[str]]) -> str:
    parts = []
    for op, nodes in sorted(ops.items()):
        shown = ", ".join(f"'{name}'" for name in sorted(nodes)[:_MOST_NODES])
        more = f" … and {len(nodes) - _MOST_NODES} more" if len(nodes) > _MOST_NODES else ""
        why = reasons[op]
        parts.append(f"{op} (node {shown}{more}{'; it stays, because ' if why else ''}{', or '.join(why)})")
    return ", ".join(parts)


#: How passes are called that make a graph smaller: why they leave an op is no reason for a refusal.
_FOLDS = ("fold_", "fuse_", "merge_", "remove_", "swap_")
_RANDOM = frozenset("Multinomial RandomStandardNormal RandomUniform RandomUniformInt TruncatedNormal".split())
#: Source: tfjs-converter ``src/executor/model_analysis.ts``, 4.22.
_ASYNC = frozenset(
    "Switch Merge Enter Exit NextIteration LoopCond StatelessIf If StatelessWhile While Where NonMaxSuppressionV2 "
    "NonMaxSuppressionV3 NonMaxSuppressionV5 HashTable HashTableV2 LookupTableImport LookupTableImportV2 "
    "LookupTableFind LookupTableFindV2 LookupTableSize LookupTableSizeV2".split()
)
#: Arithmetic that overflows, and the dtypes that overflow before int32 does.
_WRAPPING = frozenset("Add AddN AddV2 Cumprod Cumsum Mul Neg Pow Prod Square Sub Sum".split())
_NARROW = frozenset("int8 int16 uint8 uint16 uint32 uint64".split())
#: What wasm leaves to XNNPACK, which refuses more than six axes, so that the result is what the memory held.
_SIX_ON_WASM = frozenset("Add AddV2 BiasAdd Div DivNoNan Mul RealDiv SquaredDifference Sub".split())


@functools.cache
def _wrong_rows() -> dict[str, list[dict[str, Any]]]:
    """Return op type → its rows among the wrong kernels."""
    rows: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for row in supported()["wrong"]:
        rows[row["op"]].append(row)
    return dict(rows)


def _wrong_ways(graph: Graph, node: Node) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what TF.js would do wrongly with a node, and on which backends."""
    if conditions.has_over_six_axes(graph, node):
        yield "More than six axes are refused.", ("webgl", "webgpu")
        if node.op in _SIX_ON_WASM:
            yield "Of more than six axes nothing is computed; six are right.", ("wasm",)
    if conditions.is_channels_first(graph, node):
        yield "Only channels-last data is computed rightly.", BACKENDS
    elif node.op in _WRAPPING and node.attrs.get("T") in _NARROW:
        yield "It keeps 8- and 16-bit integers as int32, which does not wrap: cast to int32 before.", BACKENDS
    else:
        told: set[str] = set()
        for row in _wrong_rows().get(node.op, ()):
            if getattr(conditions, row["when"])(graph, node):
                told.update(row["backends"])
                yield row["what"], row["backends"]
        for what, backends in failing_calls(graph, node):
            if untold := [backend for backend in backends if backend not in told]:
                yield what, untold
