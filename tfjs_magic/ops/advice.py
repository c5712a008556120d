"""What would make a model smaller or faster: counted in the model itself, at most four sentences."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence

from tfjs_magic.artifacts import ManifestGroup, PassReport, TensorInfo
from tfjs_magic.graph.ir import Graph
from tfjs_magic.ops.check import needs_async
from tfjs_magic.ops.ways_out import example_dims
from tfjs_magic.tables import size_text

#: Below it nobody waits for the download.
_WORTH_ADVICE_BYTES = 1_000_000
_WORTH_ADVICE_SHARE = 0.5
_WORTH_ADVICE_NODES = 3
#: Ops that tell or compute shapes; static dimensions leave none of them. Source: TensorFlow's grappler, constfold.
_SHAPE_OPS = frozenset({"Shape", "ShapeN", "Size", "Rank"})


def advise(
    group: ManifestGroup, *, graph: Graph | None, inputs: Sequence[TensorInfo], passes: Sequence[PassReport] = ()
) -> tuple[str, ...]:
    """Return at most four hints, each with the numbers behind it.

    Args:
        group: The weights as they are written.
        graph: The graph of a graph model.
        inputs: The model's inputs.
        passes: What the passes did.
    """
    of_graph = () if graph is None else (*_free_dimensions(graph, inputs), *_target(passes))
    return (*_largest_layer(group), *_float16(group), *of_graph)


def _largest_layer(group: ManifestGroup) -> Iterator[str]:
    if group.nbytes < _WORTH_ADVICE_BYTES:
        return
    layers: collections.Counter[str] = collections.Counter()
    for spec, part in zip(group.specs, group.parts, strict=True):
        layers[spec.name.rpartition("/")[0] or spec.name] += part.nbytes
    (name, nbytes) = layers.most_common(1)[0]
    if len(layers) > 1 and nbytes >= _WORTH_ADVICE_SHARE * group.nbytes:
        share = f"{nbytes / group.nbytes:.0%}".replace("%", " %")
        yield f"'{name}' alone holds {share} of the {size_text(group.nbytes)} of weights: begin there to shrink it."


def _float16(group: ManifestGroup) -> Iterator[str]:
    wide = [
        part.nbytes
        for spec, part in zip(group.specs, group.parts, strict=True)
        if spec.dtype == "float32" and spec.quantization is None and len(spec.shape) > 1
    ]
    if sum(wide) >= _WORTH_ADVICE_BYTES:
        smaller = group.nbytes - sum(wide) // 2
        yield f"quantize='float16' would download {size_text(smaller)} instead of {size_text(group.nbytes)}."


def _free_dimensions(graph: Graph, inputs: Sequence[TensorInfo]) -> Iterator[str]:
    fixed = [
        f"'{info.name}': ({example_dims(info.shape)})"
        for info in inputs
        if info.shape is not None and None in info.shape
    ]
    nodes = _computing_shapes(graph)
    # In loops other nodes take their place, so that nothing is known before it is tried.
    if not fixed or nodes < _WORTH_ADVICE_NODES or needs_async(graph):
        return
    executed = sum(node.op not in {"Const", "Placeholder"} for node in graph)
    yield (
        f"{nodes} of the {executed} executed nodes only compute shapes; inputs={{{', '.join(fixed)}}}, or whatever "
        "sizes they always have, would remove them."
    )


def _target(passes: Sequence[PassReport]) -> Iterator[str]:
    held = [f"{report.name} ({report.held_back})" for report in passes if report.held_back]
    if held:
        yield f"target='wasm' would take less time on wasm, and more on webgl and webgpu: {', '.join(held)}."


def _computing_shapes(graph: Graph) -> int:
    """Count the nodes whose values come from shapes and constants only; the graph is in order."""
    found: set[str] = set()
    for node in graph:
        if node.op in _SHAPE_OPS:
            found.add(node.name)
        elif node.inputs and node.value is None:
            computed = [ref for ref in node.inputs if graph.constant(ref) is None]
            if computed and all(graph.producer(ref).name in found for ref in computed):
                found.add(node.name)
    return len(found)
