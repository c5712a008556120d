"""``convert``: the one straight way from a source to a model in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tfjs_magic.artifacts import (
    Array,
    ConversionReport,
    ManifestGroup,
    PassReport,
    TensorInfo,
    WeightEntry,
    WeightRow,
    model_header,
)
from tfjs_magic.collector import collected_afterwards
from tfjs_magic.errors import ConversionError, UnsupportedModelError, quoted_list
from tfjs_magic.graph.ir import Graph
from tfjs_magic.layers.mapping import USE_GRAPH, Refusal
from tfjs_magic.model import TfjsModel, op_report, with_verbs
from tfjs_magic.ops.advice import advise
from tfjs_magic.ops.check import missing_per_backend
from tfjs_magic.options import DEFAULT_SHARD_SIZE_BYTES, AutoQuantize, ConvertOptions, Format, Progress, Target
from tfjs_magic.sources.boundary import one_sentence
from tfjs_magic.sources.eagerly import eagerly
from tfjs_magic.sources.resolve import resolve
from tfjs_magic.sources.source import FixedSource, FunctionSource, GraphSource, KerasSource, TfjsSource
from tfjs_magic.sources.tfjs_graph import decoded_notes
from tfjs_magic.weights.pack import pack_weights, unpack_groups
from tfjs_magic.weights.quantize import quantization_of
from tfjs_magic.weights.rows import weight_rows, worthless_note


def convert(
    source: object,
    *,
    format: Format = "auto",  # noqa: A002 - the field's word, and the interface
    signature: str | None = None,
    tags: Sequence[str] = ("serve",),
    inputs: Mapping[str, Any] | None = None,
    outputs: Sequence[str] | None = None,
    quantize: str | Mapping[str, Any] | AutoQuantize | None = None,
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE_BYTES,
    skip_op_check: bool = False,
    official_codes: bool = False,
    metadata: Mapping[str, Any] | None = None,
    unroll: bool | Literal["auto"] = "auto",
    target: Target = "auto",
    inference: bool = False,
    trust: bool = False,
    progress: Progress | None = None,
) -> TfjsModel:
    """Convert a model to the TensorFlow.js web format, in memory.

    Args:
        source: A Keras 3 model, a ``tf.function``, a concrete function, a ``tf.Module`` or a loaded SavedModel in
            memory; a ``.keras`` or ``.h5`` file; a SavedModel directory; a TF.js model in memory, its ``model.json``
            or the directory with it, whose weights are packed again and whose graph is optimised again.
        format: "layers" for ``tf.loadLayersModel`` (trainable), "graph" for ``tf.loadGraphModel`` (faster for
            most layers, not for LSTM: ``report.speed``); "auto" takes layers where every layer of a Keras model is
            exact there, else graph. To compare both: ``benchmark({"layers": a, "graph": b})``.
        signature: Signature of a SavedModel, or method of a ``tf.Module``; the default one otherwise.
        tags: Tags of the SavedModel's meta graph.
        inputs: Input name → shape (None or -1 for a free dimension) or ``tf.TensorSpec``, of which the shape counts;
            static dimensions remove shape arithmetic. The name of a Keras layer or of a tensor inside, as messages
            call it, lets the model begin there; None keeps its shape.
        outputs: Names of the outputs to keep, in this order; all of them otherwise.
        quantize: "float16", "uint8" or "uint16" for every kernel, or dtype → patterns (``fnmatch``) for a
            weight's name or what follows a slash in it; a pattern takes biases too, and "**" every weight but single
            numbers. Or ``AutoQuantize(samples=x, max_error=0.01)``: the smallest download that stays within a bound.
        weight_shard_size_bytes: Length of the weight files.
        official_codes: Quantize as the official converter does, bit for bit, where closer codes exist.
        skip_op_check: Keep ops that TF.js lacks; the model will not run as it is.
        metadata: Goes to ``userDefinedMetadata`` of ``model.json``.
        unroll: "auto": loops of known length unless they are long, for ``predict``; True: every loop, or refuse; False.
        target: What a graph model is made fast for: "auto", good on every backend; "wasm", "webgl" or "webgpu", while
            the others may take longer.
        inference: Fold batch norms into the layers before them in a layers model, too, which then runs faster; it can
            be trained further, but not as the Keras model can. A graph model has them folded in any case.
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
        tags=tags,
        inputs=inputs,
        outputs=outputs,
        quantize=quantize,
        weight_shard_size_bytes=weight_shard_size_bytes,
        skip_op_check=skip_op_check,
        official_codes=official_codes,
        metadata=metadata,
        unroll=unroll,
        target=target,
        inference=inference,
        trust=trust,
        progress=progress,
    )
    from_file = isinstance(source, (str, os.PathLike, TfjsModel))
    what = source.report.source if isinstance(source, TfjsModel) else f"'{source}'"
    with one_sentence(what) if from_file else contextlib.nullcontext():
        clock = _Clock(options)
        return eagerly(lambda: _quantized(_converted(source, options, clock), options, clock))


@collected_afterwards()
def _converted(source: object, options: ConvertOptions, clock: _Clock) -> TfjsModel:
    """Take the straight way: what the user handed us, layers if they may be, else a graph."""
    with clock.stage("load"):
        resolved = resolve(source, options)
    if isinstance(resolved, FixedSource):
        return _packed_again(resolved, options, clock)
    reasons = _why_graph(resolved, options)
    refusals: tuple[Refusal, ...] = ()
    if not reasons and isinstance(resolved, KerasSource):
        found = _layers_model(resolved, options, clock)
        if isinstance(found, TfjsModel):
            return found
        refusals = found
        reasons = _in_sentences(resolved.description, refusals, lambda _: "")
    if options.format == "layers" and not refusals:
        raise UnsupportedModelError(" ".join(reasons), stage="layers")
    try:
        model = _graph_model(resolved.to_graph(options, clock.stage), reasons, options, clock)
    except ConversionError as error:
        if not refusals:
            raise
        refused = " ".join(_in_sentences(resolved.description, refusals, _but_graph))
        if options.format == "layers":
            message = f"{refused} Nor can it become a graph model: {error}"
            raise UnsupportedModelError(message, stage="layers") from error
        error.args = (f"{error} {refused}",)
        raise
    if options.format == "layers":
        raise UnsupportedModelError(" ".join(_in_sentences(resolved.description, refusals, str)), stage="layers")
    return model


def _why_graph(source: KerasSource | FunctionSource | TfjsSource, options: ConvertOptions) -> tuple[str, ...]:
    """Return why it becomes a graph model whatever its layers are; nothing where the layers decide."""
    if options.format == "graph":
        return ("Graph format was asked for.",)
    if isinstance(source, KerasSource):
        if not options.inputs and options.outputs is None:
            return ()
        return (f"{source.description} is asked for with other inputs or outputs; only a graph model has them.",)
    if source.reason:
        return (source.reason,)
    if options.format == "layers":
        holds = "it holds a graph, not Keras layers"
        way = "Use format='graph', or convert the Keras model that it was saved from."
        return (f"{source.description} cannot become a layers model: {holds}. {way}",)
    return (f"{source.description} is a graph.",)


def _quantized(model: TfjsModel, options: ConvertOptions, clock: _Clock) -> TfjsModel:
    """Quantize the finished model under a bound, if that was asked for."""
    if not isinstance(options.quantize, AutoQuantize):
        return model
    from tfjs_magic.quantization.search import search  # noqa: PLC0415 - runs the model

    with clock.stage("quantize"):
        found = search(model, options.quantize, shard_size_bytes=options.weight_shard_size_bytes, step=options.step)
    report = dataclasses.replace(
        model.report,
        notes=(*model.report.notes, found.note),
        weights=found.rows,
        advice=tuple(hint for hint in model.report.advice if not hint.startswith("quantize=")),
        seconds=clock.seconds,
    )
    return dataclasses.replace(model, groups=(found.group,), report=report)


# ---------------------------------------------------------------------- layers


def _layers_model(source: KerasSource, options: ConvertOptions, clock: _Clock) -> TfjsModel | tuple[Refusal, ...]:
    """Return the layers model, or why TF.js's layers cannot hold it."""
    from tfjs_magic.layers.topology import Refused, layers_topology  # noqa: PLC0415 - graph models need none of it

    with clock.stage("layers"):
        found = layers_topology(source.model, inference=options.inference)
    if isinstance(found, Refused):
        return found.refusals
    with clock.stage("pack"):
        group, rows = _pack(found.weights, options)
    asked = "Layers format was asked for." if options.format == "layers" else "Every layer is exact in TF.js layers."
    return TfjsModel(
        format="layers-model",
        inputs=found.inputs,
        outputs=found.outputs,
        topology=found.topology,
        header=model_header(
            generated_by=f"keras v{found.topology['keras_version']}",
            metadata=options.metadata,
            training=found.training,
        ),
        groups=(group,),
        report=ConversionReport(
            source=source.description,
            reasons=(asked,),
            trainable=True,
            ops=found.classes,
            backends={**missing_per_backend(), **found.backends},  # in one order for both formats
            notes=(*found.notes, *_lossy_notes(found.weights), *worthless_note(rows), *_no_target_note(options)),
            weights=rows,
            speed=found.speed,
            advice=advise(group, graph=None, inputs=found.inputs),
            seconds=clock.seconds,
        ),
        reference=None if found.stateful else source.reference,
        layers=found.layers,
    )


def _in_sentences(what: str, refusals: Sequence[Refusal], remedy_of: Callable[[str], str]) -> tuple[str, ...]:
    """Return one sentence per reason, with what to do."""
    layers: dict[str, list[str]] = {}
    for refusal in refusals:
        layers.setdefault(f"{refusal.reason} {remedy_of(refusal.remedy)}".strip(), []).append(refusal.layer)
    return (
        f"{what} cannot become a layers model.",
        *(
            f"{'Layer' if len(names) == 1 else f'{len(names)} layers,'} {quoted_list(names, limit=3)}: {sentence}"
            for sentence, names in layers.items()
        ),
    )


def _but_graph(remedy: str) -> str:
    """Return what to do other than to convert to a graph model."""
    if remedy == USE_GRAPH:
        return ""
    other = remedy.removesuffix(f", or {USE_GRAPH[0].lower()}{USE_GRAPH[1:]}")
    return remedy if other == remedy else f"{other}."


# ---------------------------------------------------------------------- weights alone


def _packed_again(source: FixedSource, options: ConvertOptions, clock: _Clock) -> TfjsModel:
    """Pack the weights of a TF.js model again; its topology and its signature stay as they are."""
    model = source.artifacts
    with clock.stage("pack"):
        group, rows = _pack([*unpack_groups(model.groups)], options)
    layers = model.format == "layers-model"
    header = dict(model.header)
    if options.metadata:
        header["userDefinedMetadata"] = {**(header.get("userDefinedMetadata") or {}), **options.metadata}
    report = ConversionReport(
        source=source.description,
        reasons=(source.reason,),
        trainable=layers,
        backends=model.report.backends,
        notes=(
            *model.report.notes,
            *decoded_notes(model.groups, group),
            *(() if layers else (_PACKED_AGAIN,)),
            *worthless_note(rows),
        ),
        weights=rows,
        advice=advise(group, graph=None, inputs=model.inputs),
        seconds=clock.seconds,
    )
    again = dataclasses.replace(with_verbs(model), header=header, groups=(group,), report=report)
    return dataclasses.replace(again, report=op_report(again))


# ---------------------------------------------------------------------- graph


def _graph_model(source: GraphSource, reasons: tuple[str, ...], options: ConvertOptions, clock: _Clock) -> TfjsModel:
    """Run the passes over the graph and take what is left."""
    from tfjs_magic.graph.index_bounds import index_bounds  # noqa: PLC0415 - layers models need none of it
    from tfjs_magic.graph.provenance import layer_tensors, next_layers  # noqa: PLC0415
    from tfjs_magic.graph.tables import initializer  # noqa: PLC0415
    from tfjs_magic.graph.topology import graph_constants, graph_topology  # noqa: PLC0415
    from tfjs_magic.graph.vocabularies import vocabularies  # noqa: PLC0415
    from tfjs_magic.ops.caveats import caveats  # noqa: PLC0415
    from tfjs_magic.ops.check import check_ops, count_ops, refuse_missing_ports  # noqa: PLC0415
    from tfjs_magic.passes import PIPELINE, run_passes  # noqa: PLC0415

    graph = source.graph
    refuse_missing_ports(graph)
    named = {node.name for node in graph} if source.may_begin_inside else set()
    following = next_layers(graph)
    codes = {id(entry.data): entry.codes for entry in source.weights}
    notes: tuple[str, ...] = ()
    passes: tuple[PassReport, ...] = ()
    with clock.stage("passes"):
        for name, members in PIPELINE.items():
            if name == "split activations":
                notes = _equalized(graph, codes, options)
            passes += run_passes(graph, members, target=options.target)
        graph.sort()
    if not options.skip_op_check:
        check_ops(graph, passes, named=named)
    with clock.stage("pack"):
        filling = initializer(graph)
        graphs = (graph,) if filling is None else (graph, filling)
        constants = [row for part in graphs for row in graph_constants(part)]
        entries = [WeightEntry(name, array, codes.get(id(array))) for name, array in constants]
        group, rows = _pack(entries, options)
    bounds, words = index_bounds(graph), vocabularies(graph)
    inputs = tuple(
        dataclasses.replace(info, upper_bound=bounds.get(info.name), vocabulary=words.get(info.name, ()))
        for info in source.inputs
    )
    return TfjsModel(
        format="graph-model",
        inputs=inputs,
        outputs=source.outputs,
        topology=graph_topology(graph),
        header=model_header(
            generated_by=source.generated_by,
            signature={
                "inputs": {info.name: _signature_row(info, graph.inputs[info.name]) for info in inputs},
                "outputs": {info.name: _signature_row(info, graph.outputs[info.name]) for info in source.outputs},
            },
            metadata=_metadata(source, options),
            initializer=None if filling is None else graph_topology(filling),
        ),
        groups=(group,),
        report=ConversionReport(
            source=source.description,
            reasons=reasons,
            ops=count_ops(graph),
            backends=missing_per_backend(graph),
            caveats=caveats(graph),
            passes=passes,
            notes=(
                *source.notes,
                *decoded_notes(source.groups, group),
                *_lossy_notes(entries),
                *_graph_notes(graph),
                *_target_note(options),
                *notes,
                *worthless_note(rows),
            ),
            weights=rows,
            advice=advise(group, graph=graph, inputs=inputs, passes=passes),
            seconds=clock.seconds,
        ),
        reference=source.reference,
        layers=layer_tensors(source.layers, graph, following),
    )


def _equalized(graph: Graph, codes: Collection[int], options: ConvertOptions) -> tuple[str, ...]:
    """Equalise the kernels that get one step each for all their channels; say so.

    Args:
        graph: Its activations are not fused yet.
        codes: Identities of the arrays that have their codes already, and keep them.
        options: Say how weights are quantized.
    """
    searched = isinstance(options.quantize, AutoQuantize)
    if options.official_codes or not (searched or "uint8" in options.patterns):
        return ()
    from tfjs_magic.quantization.equalize import equalize  # noqa: PLC0415 - as above

    def is_rounded(name: str, data: Array) -> bool:
        return id(data) not in codes and (searched or quantization_of(name, data, options.patterns) == "uint8")

    if not (count := equalize(graph, is_rounded)):
        return ()
    return (f"{count} kernels and the next one were scaled against each other by powers of two: no output changes.",)


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


def _target_note(options: ConvertOptions) -> Iterator[str]:
    if options.target != "auto":
        yield f"The graph is made fast for {options.target}; other backends compute the same, and may take longer."


def _no_target_note(options: ConvertOptions) -> Iterator[str]:
    if options.target != "auto":
        yield f"target='{options.target}' changes graph models only."


_PACKED_AGAIN = "Only the weights were packed again: the graph was not optimised."
_ASYNC_NOTE = (
    "The graph holds loops, conditions or shapes that depend on values: call 'await model.executeAsync(inputs)', not "
    "'model.predict(inputs)'."
)


def _signature_row(info: TensorInfo, ref: str) -> dict[str, Any]:
    from tfjs_magic.graph.dtypes import enum_name  # noqa: PLC0415
    from tfjs_magic.graph.ir import Shape  # noqa: PLC0415
    from tfjs_magic.graph.topology import shape_json  # noqa: PLC0415

    name = ref if ":" in ref else f"{ref}:0"
    return {"name": name, "dtype": enum_name(info.dtype), "tensorShape": shape_json(Shape(info.shape))}


def _pack(entries: Sequence[WeightEntry], options: ConvertOptions) -> tuple[ManifestGroup, tuple[WeightRow, ...]]:
    group = pack_weights(
        entries,
        patterns=options.patterns,
        shard_size_bytes=options.weight_shard_size_bytes,
        official=options.official_codes,
    )
    return group, weight_rows(group, entries)


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
