"""``convert``: the one straight way from a source to a model in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tfjs_magic.artifacts import ConversionReport, TensorInfo, TfjsModel, WeightEntry
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.ir import Graph
from tfjs_magic.layers.mapping import Refusal
from tfjs_magic.ops.advice import advise
from tfjs_magic.options import (
    DEFAULT_SHARD_SIZE_BYTES,
    ConvertOptions,
    Format,
    Progress,
    quantize_patterns,
)
from tfjs_magic.sources.kinds import FunctionSource, GraphSource, KerasSource, Source, TfjsSource
from tfjs_magic.sources.resolve import resolve
from tfjs_magic.weights.pack import pack_weights
from tfjs_magic.writers.model_json import model_json


def convert(
    source: object,
    *,
    format: Format = "auto",  # noqa: A002 - the field's word, and the interface
    signature: str | None = None,
    tags: Sequence[str] = ("serve",),
    inputs: Mapping[str, Any] | None = None,
    outputs: Sequence[str] | None = None,
    quantize: str | Mapping[str, Any] | None = None,
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE_BYTES,
    strip_debug_ops: bool = True,
    skip_op_check: bool = False,
    metadata: Mapping[str, Any] | None = None,
    unroll: bool | Literal["auto"] = "auto",
    trust: bool = False,
    progress: Progress | None = None,
) -> TfjsModel:
    """Convert a model to the TensorFlow.js web format, in memory.

    Args:
        source: A Keras 3 model, a ``tf.function``, a concrete function, a ``tf.Module`` or a loaded SavedModel in
            memory; a ``.keras`` or ``.h5`` file; a SavedModel directory; a TF.js model in memory, its ``model.json``
            or the directory with it, whose weights are packed again and whose graph is optimised again.
        format: "layers" for ``tf.loadLayersModel`` (trainable), "graph" for ``tf.loadGraphModel`` (usually faster);
            "auto" takes layers where every layer of a Keras model is exact there, else graph.
        signature: Signature of a SavedModel, or method of a ``tf.Module``; the default one otherwise.
        tags: Tags of the SavedModel's meta graph.
        inputs: Input name → shape (None or -1 for a free dimension) or ``tf.TensorSpec``, of which the shape counts;
            static dimensions remove shape arithmetic.
        outputs: Names of the outputs to keep, in this order; all of them otherwise.
        quantize: "float16", "uint8" or "uint16" for every kernel, or dtype → patterns (``fnmatch``) for a
            weight's name or what follows a slash in it; a pattern takes biases too.
        weight_shard_size_bytes: Length of the weight files.
        strip_debug_ops: Taken for compatibility: TF.js has no assertions and prints, so they are always dropped.
        skip_op_check: Keep ops that TF.js lacks; the model will not run as it is.
        metadata: Goes to ``userDefinedMetadata`` of ``model.json``.
        unroll: "auto" unrolls loops of known length unless they are long, so that TF.js runs the model with
            ``predict``; True unrolls every loop, or refuses; False none.
        trust: Allow code that a model file brings along (Lambda layers, custom classes) to run.
        progress: Called with the name of each step that begins.

    Returns:
        A snapshot: training the source afterwards changes nothing in it.

    Raises:
        ConversionError: The model cannot be converted exactly; the message says where and what to do.
        ValueError: An argument has a value that does not exist.
    """
    options = ConvertOptions(
        format=format,
        signature=signature,
        tags=(tags,) if isinstance(tags, str) else tuple(tags),
        inputs=inputs,
        outputs=(outputs,) if isinstance(outputs, str) else None if outputs is None else tuple(outputs),
        quantize=quantize_patterns(quantize),
        weight_shard_size_bytes=weight_shard_size_bytes,
        strip_debug_ops=strip_debug_ops,
        skip_op_check=skip_op_check,
        metadata=metadata,
        unroll=unroll,
        trust=trust,
        progress=progress,
    )
    clock = _Clock(options)
    with clock.stage("load"):
        resolved = resolve(source, options)
    if isinstance(resolved, TfjsSource) and resolved.unchanged is not None:
        return _repacked(resolved, resolved.unchanged, options, clock)
    if isinstance(resolved, KerasSource) and options.format != "graph":
        model, reasons = _layers_model(resolved, options, clock)
        if model is not None:
            return model
        if options.format == "layers":
            raise UnsupportedModelError(" ".join(reasons), stage="layers")
        return _graph_model(resolved, options, clock, reasons)
    known = getattr(resolved, "reason", "")
    if options.format == "layers":
        raise UnsupportedModelError(
            known
            or f"{resolved.description} cannot become a layers model: it holds a graph, not Keras layers. Use "
            "format='graph', or convert the Keras model that it was saved from.",
            stage="layers",
        )
    asked = "Graph format was asked for." if options.format == "graph" else ""
    reasons = (asked or known or f"{resolved.description} is a graph.",)
    return _graph_model(resolved, options, clock, reasons)


# ---------------------------------------------------------------------- layers


def _layers_model(
    source: KerasSource, options: ConvertOptions, clock: _Clock
) -> tuple[TfjsModel | None, tuple[str, ...]]:
    """Return the layers model, or None and why TF.js's layers cannot hold it."""
    if options.inputs or options.outputs is not None:
        return None, (f"{source.description} is asked for with other inputs or outputs; only a graph model has them.",)
    from tfjs_magic.layers.topology import Refused, layers_topology  # noqa: PLC0415 - loads no TensorFlow

    with clock.stage("layers"):
        found = layers_topology(source.model)
    if isinstance(found, Refused):
        return None, (f"{source.description} cannot become a layers model.", *_refusals(found.refusals, options))
    with clock.stage("pack"):
        group = pack_weights(found.weights, patterns=options.quantize, shard_size_bytes=options.weight_shard_size_bytes)
    asked = "Layers format was asked for." if options.format == "layers" else "Every layer is exact in TF.js layers."
    report = ConversionReport(
        source=source.description,
        reasons=(asked,),
        trainable=True,
        ops=found.classes,
        backends=dict.fromkeys(("cpu", "wasm", "webgl", "webgpu"), ()),
        notes=(*found.notes, *_lossy_notes(found.weights)),
        advice=advise(group, graph=None, inputs=found.inputs),
        seconds=clock.seconds,
    )
    document = model_json(
        "layers-model",
        topology=found.topology,
        groups=(group,),
        generated_by=f"keras v{found.topology['keras_version']}",
        metadata=options.metadata,
        training=found.training,
    )
    return (
        TfjsModel(
            format="layers-model",
            inputs=found.inputs,
            outputs=found.outputs,
            model_json=document,
            groups=(group,),
            report=report,
            reference=None if found.stateful else source.reference,
        ),
        (),
    )


def _refusals(refusals: Sequence[Refusal], options: ConvertOptions) -> Iterator[str]:
    """Yield one sentence per reason; what to do only if layers were asked for, since auto does it."""
    layers: dict[str, list[str]] = {}
    for refusal in refusals:
        remedy = refusal.remedy if options.format == "layers" else ""
        layers.setdefault(f"{refusal.reason} {remedy}".strip(), []).append(refusal.layer)
    for sentence, names in layers.items():
        yield f"{'Layer' if len(names) == 1 else f'{len(names)} layers,'} {quoted_list(names, limit=3)}: {sentence}"


# ---------------------------------------------------------------------- weights alone


def _repacked(source: TfjsSource, reason: str, options: ConvertOptions, clock: _Clock) -> TfjsModel:
    """Pack the weights of a TF.js model again; its topology and its signature stay as they are."""
    from tfjs_magic.sources.tfjs_graph import decoded_notes, executed, unpacked  # noqa: PLC0415

    model = source.model
    with clock.stage("pack"):
        group = pack_weights(
            unpacked(model), patterns=options.quantize, shard_size_bytes=options.weight_shard_size_bytes
        )
    document = {**model.model_json, "weightsManifest": [group.to_json()]}
    if options.metadata:
        document["userDefinedMetadata"] = {**(document.get("userDefinedMetadata") or {}), **options.metadata}
    layers = model.format == "layers-model"
    report = ConversionReport(
        source=source.description,
        reasons=(reason,),
        trainable=layers,
        ops=executed(model),
        backends=dict.fromkeys(("cpu", "wasm", "webgl", "webgpu"), ()) if layers else {},
        notes=(*model.report.notes, *decoded_notes(model.groups), *(() if layers else (_UNCHECKED_NOTE,))),
        advice=advise(group, graph=None, inputs=model.inputs),
        seconds=clock.seconds,
    )
    return dataclasses.replace(model, model_json=document, groups=(group,), report=report)


_UNCHECKED_NOTE = "Only the weights were packed again: the ops were neither optimised nor checked."


# ---------------------------------------------------------------------- graph


def _graph_model(source: Source, options: ConvertOptions, clock: _Clock, reasons: tuple[str, ...]) -> TfjsModel:
    if isinstance(source, TfjsSource):
        from tfjs_magic.sources.tfjs_graph import graph_of_tfjs  # noqa: PLC0415

        with clock.stage("graph"):
            read = graph_of_tfjs(source, _kept(source.description, source.model.outputs, options.outputs))
        return _optimised(read, options, clock, reasons)
    return _optimised(_traced(source, options, clock), options, clock, reasons)


def _traced(source: KerasSource | FunctionSource, options: ConvertOptions, clock: _Clock) -> GraphSource:
    import tensorflow as tf  # noqa: PLC0415 - layers models need none of it

    from tfjs_magic.graph.ir import node_of  # noqa: PLC0415
    from tfjs_magic.graph.trace import graph_def_function, trace  # noqa: PLC0415
    from tfjs_magic.graph.unroll import unroll_loops  # noqa: PLC0415

    with clock.stage("trace"):
        function = source.to_function() if isinstance(source, KerasSource) else source
        kept = _kept(function.description, function.outputs, options.outputs)
    outputs = tuple(function.outputs[i] for i in kept)
    inputs = dict(zip((info.name for info in function.inputs), function.placeholders, strict=True))
    results = {function.outputs[i].name: function.results[i] for i in kept}
    with clock.stage("grappler"):
        keep = [*inputs.values(), *map(node_of, results.values())]
        flat, unrolled = unroll_loops(graph_def_function(function.function), keep=keep, mode=options.unroll)
        graph = trace(flat, inputs=inputs, outputs=results)
    return GraphSource(
        graph=graph,
        inputs=function.inputs,
        outputs=outputs,
        description=function.description,
        reference=function.reference,
        generated_by=tf.__version__,
        structured_keys=tuple(info.name for info in outputs) if function.dict_output else None,
        notes=unrolled,
    )


def _optimised(source: GraphSource, options: ConvertOptions, clock: _Clock, reasons: tuple[str, ...]) -> TfjsModel:
    """Run the passes over the graph and write it."""
    from tfjs_magic.graph.index_bounds import index_bounds  # noqa: PLC0415 - layers models need none of it
    from tfjs_magic.graph.tables import initializer  # noqa: PLC0415
    from tfjs_magic.graph.topology import graph_constants, graph_topology  # noqa: PLC0415
    from tfjs_magic.ops.check import check_ops, count_ops, missing_per_backend  # noqa: PLC0415
    from tfjs_magic.passes import PIPELINE, run_passes  # noqa: PLC0415

    graph = source.graph
    with clock.stage("passes"):
        passes = tuple(report for passes in PIPELINE.values() for report in run_passes(graph, passes))
        graph.sort()
    if not options.skip_op_check:
        check_ops(graph)
    with clock.stage("pack"):
        filling = initializer(graph)
        graphs = (graph,) if filling is None else (graph, filling)
        entries = [WeightEntry(name, array) for part in graphs for name, array in graph_constants(part)]
        group = pack_weights(entries, patterns=options.quantize, shard_size_bytes=options.weight_shard_size_bytes)
    bounds = index_bounds(graph)
    inputs = [dataclasses.replace(info, upper_bound=bounds.get(info.name)) for info in source.inputs]
    document = model_json(
        "graph-model",
        topology=graph_topology(graph),
        groups=(group,),
        generated_by=source.generated_by,
        signature={
            "inputs": {info.name: _signature_row(info, graph.inputs[info.name]) for info in inputs},
            "outputs": {info.name: _signature_row(info, graph.outputs[info.name]) for info in source.outputs},
        },
        metadata=_metadata(source, options),
        initializer=None if filling is None else graph_topology(filling),
    )
    return TfjsModel(
        format="graph-model",
        inputs=tuple(inputs),
        outputs=source.outputs,
        model_json=document,
        groups=(group,),
        report=ConversionReport(
            source=source.description,
            reasons=reasons,
            ops=count_ops(graph),
            backends=missing_per_backend(graph),
            passes=passes,
            notes=(*source.notes, *_lossy_notes(entries), *_graph_notes(graph)),
            advice=advise(group, graph=graph, inputs=inputs),
            seconds=clock.seconds,
        ),
        reference=source.reference,
    )


def _metadata(source: GraphSource, options: ConvertOptions) -> dict[str, Any]:
    metadata = {**source.metadata, **(options.metadata or {})}
    if source.structured_keys is not None:
        metadata["structuredOutputKeys"] = list(source.structured_keys)
    return metadata


def _graph_notes(graph: Graph) -> Iterator[str]:
    from tfjs_magic.ops.check import needs_async, random_ops  # noqa: PLC0415 - as above

    if needs_async(graph):
        yield _ASYNC_NOTE
    if found := random_ops(graph):
        yield f"The graph draws random numbers ({', '.join(found)}): no two runs agree, nor TF.js with Python."


_ASYNC_NOTE = (
    "The graph holds loops, conditions or shapes that depend on values: call 'await model.executeAsync(inputs)', not "
    "'model.predict(inputs)'."
)


def _kept(description: str, outputs: Sequence[TensorInfo], wanted: tuple[str, ...] | None) -> tuple[int, ...]:
    """Return the positions of the outputs that were asked for, in the order asked for; "y:0" asks for "y"."""
    positions = {info.name: i for i, info in enumerate(outputs)}
    if wanted is None:
        return tuple(range(len(outputs)))
    wanted = tuple(name if name in positions else name.removesuffix(":0") for name in wanted)
    if unknown := [name for name in wanted if name not in positions]:
        raise UnsupportedModelError(f"{description} has no output '{unknown[0]}'; it has {quoted_list(positions)}.")
    if not wanted or len(set(wanted)) < len(wanted):
        raise UnsupportedModelError(
            f"outputs names {list(wanted)}; expected each of {quoted_list(positions)} at most once."
        )
    return tuple(positions[name] for name in wanted)


def _signature_row(info: TensorInfo, ref: str) -> dict[str, Any]:
    from tfjs_magic.graph.ir import Shape  # noqa: PLC0415
    from tfjs_magic.graph.topology import enum_name, shape_json  # noqa: PLC0415

    name = ref if ":" in ref else f"{ref}:0"
    return {"name": name, "dtype": enum_name(info.dtype), "tensorShape": shape_json(Shape(info.shape))}


def _lossy_notes(entries: Sequence[WeightEntry]) -> tuple[str, ...]:
    """Say once per dtype which weights TF.js stores less precisely."""
    wide = {np.dtype("float64"): "float32", np.dtype("complex128"): "complex64"}
    counts = {dtype: sum(entry.data.dtype == dtype for entry in entries) for dtype in wide}
    return tuple(f"{n} weights in {dtype} are stored as {wide[dtype]}." for dtype, n in counts.items() if n)


class _Clock:
    """Times the stages and tells the caller's progress callback about them."""

    def __init__(self, options: ConvertOptions) -> None:
        self.seconds: dict[str, float] = {}
        self._options = options

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._options.step(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
