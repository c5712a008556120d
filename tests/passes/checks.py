"""The checks that every pass has to stand: real TensorFlow before it, real TF.js after it, on cpu and wasm.

A graph is checked as it is and in two variants, made by themselves: every tensor in it feeds one more node, or every
node in it is a public output. A pass may then decline, but must not change what the others see.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests.conformance.compare import FLOAT32_TOLERANCE, assert_matches, assert_telling
from tests.conformance.node import GPU_BACKENDS, SyncReadError, TfjsNode, forwards
from tests.graph_text import BACKENDS, graph_text, parse_graph, run_tensorflow, tensorflow_values, tfjs_model
from tests.hostile_names import assert_names_do_not_matter, copied
from tests.traced import python_outputs, traced
from tfjs_magic.artifacts import Array, PassReport
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.graph.ir import DType, Graph, Node, Shape
from tfjs_magic.graph.refs import Ref, node_of, port_of
from tfjs_magic.ops.check import check_ops, missing_per_backend
from tfjs_magic.passes import PIPELINE
from tfjs_magic.passes.rewrite import Pass, run_passes

#: What TF.js has as it is. Halves it rounds otherwise, complex numbers wasm lacks.
_WATCHED_DTYPES = frozenset({"bool", "float32", "float64", "int32", "int64"})
#: Where these are, a tensor may be dead: it has no value to compare.
_BRANCHING = frozenset({"Enter", "Merge", "Switch", "_SwitchN"})
_DATA = frozenset({"Const", "Placeholder"})


@dataclasses.dataclass(frozen=True)
class _Case:
    """What every variant of a graph is checked with: ``expected`` are the outputs of the graph itself, per feed."""

    node: TfjsNode
    passes: Sequence[Pass]
    feeds: Sequence[Mapping[str, Array]]
    expected: Sequence[Mapping[str, Array]]
    tolerance: float


def check_pass(
    node: TfjsNode,
    before: str,
    after: str | None,
    passes: Sequence[Pass],
    constants: Mapping[str, Array],
    *,
    tolerance: float = FLOAT32_TOLERANCE,
    feeds: Sequence[Mapping[str, Array]] | None = None,
) -> tuple[PassReport, ...]:
    """Run passes on a graph and check all that must hold; ``after=None`` means that nothing may change.

    Checked: the text afterwards, and what :func:`_check_each` does.
    """
    for value in constants.values():
        value.flags.writeable = False
    graph = parse_graph(before, constants)
    feeds = feeds or [draw_feed(graph, seed) for seed in (1, 2)]
    case = _Case(node, passes, feeds, run_tensorflow(graph, feeds), tolerance)
    reports = _check_each(case, graph, watches_all=True)
    run_passes(graph, passes)
    assert graph_text(graph) == graph_text(parse_graph(before if after is None else after))
    return reports


def check_lowering(
    node: TfjsNode,
    passes: Sequence[Pass],
    function: Callable[..., Any],
    *specs: tf.TensorSpec,
    after: Sequence[Pass] = (),
    reference: Callable[..., Any] | None = None,
    tolerance: float = FLOAT32_TOLERANCE,
    feeds: Sequence[Mapping[str, Array]] | None = None,
) -> None:
    """Run passes on a traced function and check all that must hold; the first pass must apply, and none may refuse.

    Checked: what :func:`_check_each` does, and that the whole pipeline leaves what TF.js computes rightly.

    Args:
        node: Runs TF.js.
        passes: The pass, and those that it needs.
        function: Takes and gives tensors.
        specs: What the function takes.
        after: Passes whose work the pass wants to find done.
        reference: A function of the same tensors that every CPU can compute, where some lack a kernel for this one.
        tolerance: Allowed error relative to the largest reference value.
        feeds: Drawn where not given.
    """
    graph = traced(function, *specs)
    feeds = feeds or [draw_feed(graph, seed) for seed in (1, 2)]
    if reference is None:
        expected = run_tensorflow(graph, feeds)
    else:
        expected = [python_outputs(reference, feed, *specs) for feed in feeds]
    run_passes(graph, after)
    case = _Case(node, passes, feeds, expected, tolerance)
    reports = _check_each(case, graph, watches_all=reference is None)
    assert reports[0].applied
    assert not misses(reports)
    for group in PIPELINE.values():
        run_passes(graph, group)
    check_ops(graph)
    exact = set(BACKENDS) - set(GPU_BACKENDS)  # check_on_gpu asks for those
    assert not {missing for backend in exact for missing in missing_per_backend(graph)[backend]}
    _compare(case, graph, expected)


def check_on_gpu(
    node: TfjsNode,
    function: Callable[..., Any],
    *specs: tf.TensorSpec,
    reads_at_once: bool = False,
    tolerance: float = FLOAT32_TOLERANCE,
    feeds: Sequence[Mapping[str, Array]] | None = None,
) -> None:
    """Check that the whole pipeline leaves what webgl and webgpu compute rightly, also without forwarding to the cpu.

    Args:
        node: Runs TF.js.
        function: Takes and gives tensors.
        specs: What the function takes.
        reads_at_once: Whether it reads what it computed, which a WebGPU in software can do on the cpu only.
        tolerance: Allowed error relative to the largest reference value.
        feeds: Drawn where not given.
    """
    graph = traced(function, *specs)
    feeds = feeds or [draw_feed(graph, seed) for seed in (1, 2)]
    for group in PIPELINE.values():
        run_passes(graph, group)
    check_ops(graph)
    assert not any(missing_per_backend(graph).values())
    model, expected = tfjs_model(graph), [python_outputs(function, feed, *specs) for feed in feeds]
    for backend in GPU_BACKENDS:
        ways = forwards(backend)[: 1 if backend == "webgpu" and reads_at_once else 2]
        runs = [(way, i) for way in ways for i in range(len(feeds))]
        got = node.run_each(model, [feeds[i] for _, i in runs], backend, forward=[way for way, _ in runs])
        for result, (_, i) in zip(got, runs, strict=True):
            assert_matches(result, expected[i], tolerance=tolerance)


def refusals(
    passes: Sequence[Pass], function: Callable[..., Any], *specs: tf.TensorSpec, lacking: bool = True
) -> set[str]:
    """Return the sentences with which passes refuse a traced function; nothing may change.

    Args:
        passes: They run alone.
        function: Takes and gives tensors.
        specs: What the function takes.
        lacking: Whether TF.js cannot do what is refused: the op check must say so behind the whole pipeline.
    """
    graph = traced(function, *specs)
    before = graph_text(graph)
    reports = run_passes(graph, passes)
    assert graph_text(graph) == before
    for group in PIPELINE.values():
        run_passes(graph, group)
    try:
        check_ops(graph)
    except UnsupportedOpsError:
        assert lacking
    else:
        assert lacking == any(missing_per_backend(graph).values())
    return misses(reports)


def misses(reports: Sequence[PassReport]) -> set[str]:
    """Return the sentences of all refusals."""
    return {reason for report in reports for reason in report.misses}


def draw_feed(graph: Graph, seed: int) -> dict[str, Array]:
    """Draw one array per input; unknown sizes are 2."""
    rng = np.random.default_rng(seed)
    feed: dict[str, Array] = {}
    for name, placeholder in graph.inputs.items():
        attrs = graph[placeholder].attrs
        dims, dtype = attrs["shape"], str(attrs["dtype"])
        assert isinstance(dims, Shape)
        shape = tuple(size or 2 for size in dims.dims or ())
        if dtype == "bool":
            feed[name] = np.full(shape, seed % 2 == 1)
        elif dtype == "int32":
            feed[name] = rng.integers(0, 4, shape).astype(np.int32)
        else:
            feed[name] = rng.normal(size=shape).astype(dtype)
    return feed


def _check_each(case: _Case, graph: Graph, *, watches_all: bool) -> tuple[PassReport, ...]:
    """Check a graph and its variants; return the reports of the graph itself, which is not edited.

    Checked: names and order of inputs and outputs; that a second run changes nothing, and other names of the nodes
    nothing else; that no source array was written to; that TF.js computes on cpu and wasm what TensorFlow computed
    before.
    """
    assert_telling(*case.expected, tolerance=case.tolerance)
    originals = [(n.value, n.value.copy()) for n in graph if n.value is not None]
    found = []
    branches = any(node.op in _BRANCHING for node in graph)
    values = [] if branches else _watched_values(case, graph, watches_all=watches_all)
    for variant, expected in _variants(case, graph, values):
        signature = (list(variant.inputs.items()), list(variant.outputs))
        found.append(run_passes(variant, case.passes))
        variant.check()
        if len(found) == 1:
            assert_names_do_not_matter(graph, case.passes, variant)
        assert (list(variant.inputs.items()), list(variant.outputs)) == signature
        again = run_passes(variant, case.passes)
        assert not any(report.applied for report in again), "not idempotent"
        assert all(np.array_equal(now, then, equal_nan=now.dtype.kind in "fc") for now, then in originals)
        _compare(case, variant, expected)
    if values:
        _check_layers(case, graph, values)
    return found[0]


def _check_layers(case: _Case, graph: Graph, values: Sequence[Mapping[str, Array]]) -> None:
    """Check that a tensor that was a layer's output before the passes still is, or is forgotten."""
    noted = copied(graph)
    for ref in values[0]:
        if graph.producer(ref).op not in _DATA:
            noted.set_layer(ref, ref)
    run_passes(noted, case.passes)
    names: dict[str, str] = {}
    for label, ref in noted.layers.items():
        dtype = DType(str(values[0][label].dtype))
        names[noted.add(Node(noted.fresh_name("layer"), "Identity", [ref], {"T": dtype})).name] = label
    for name in names:
        noted.set_output(name, Ref(name))
    if names:
        results = case.node.run_each(tfjs_model(noted), case.feeds, "cpu")
        for got, want in zip(results, values, strict=True):
            inside = {name: got[name] for name in names}
            assert_matches(inside, {name: want[label] for name, label in names.items()}, tolerance=case.tolerance)


def _compare(case: _Case, graph: Graph, expected: Sequence[Mapping[str, Array]]) -> None:
    """Run the graph on every backend that the op check does not name; on a GPU with and without the cpu's help.

    What only a real WebGPU can do proves nothing: :func:`check_on_gpu` wants to know of it.
    """
    model = tfjs_model(graph)
    lacking = missing_per_backend(graph)
    for backend in BACKENDS:
        if backend in GPU_BACKENDS and lacking[backend]:
            continue
        for forward in forwards(backend):
            with contextlib.suppress(SyncReadError):
                results = case.node.run_each(model, case.feeds, backend, forward=forward)
                for got, want in zip(results, expected, strict=True):
                    assert_matches(got, want, tolerance=case.tolerance)


def _variants(
    case: _Case, graph: Graph, values: Sequence[Mapping[str, Array]]
) -> Iterator[tuple[Graph, Sequence[Mapping[str, Array]]]]:
    """Yield the graph, the one whose tensors all feed one more node, and the one whose nodes are all outputs."""
    yield copied(graph), case.expected
    if not values:
        return
    dtypes = {ref: str(value.dtype) for ref, value in values[0].items()}
    watched, names = copied(graph), {}
    for ref, dtype in dtypes.items():
        watcher = Node(watched.fresh_name("watched"), "Identity", [ref], {"T": DType(dtype)})
        names[watched.add(watcher).name] = ref
    for name in names:
        watched.set_output(name, Ref(name))
    yield watched, _with(case.expected, values, names)
    shown, taken = copied(graph), set(map(node_of, graph.outputs.values()))
    names = {
        ref: ref for ref in dtypes if not port_of(ref) and graph.producer(ref).op not in _DATA and ref not in taken
    }
    for name in names:
        shown.set_output(name, Ref(name))
    if names:
        yield shown, _with(case.expected, values, names)


def _watched_values(case: _Case, graph: Graph, *, watches_all: bool) -> list[dict[str, Array]]:
    """Return TensorFlow's values of the tensors inside a graph that TF.js has as they are, per feed."""
    refs = {ref for node in graph for ref in node.inputs}
    if not watches_all:
        refs -= _behind(graph, case.passes[0])
    values = tensorflow_values(graph, case.feeds, refs)
    known = [ref for ref, value in values[0].items() if str(value.dtype) in _WATCHED_DTYPES]
    return [{ref: value[ref] for ref in known} for value in values]


def _with(
    expected: Sequence[Mapping[str, Array]], values: Sequence[Mapping[str, Array]], names: Mapping[str, str]
) -> list[dict[str, Array]]:
    return [
        {**outputs, **{name: value[ref] for name, ref in names.items()}}
        for outputs, value in zip(expected, values, strict=True)
    ]


def _behind(graph: Graph, first: Pass) -> set[str]:
    """Return the refs that come out of what a pass looks at, or depend on it."""
    graph.sort()
    found: set[str] = set()
    for node in graph:
        if node.op in getattr(first, "anchors", ()) or any(node_of(ref) in found for ref in node.inputs):
            found.add(node.name)
    return {ref for node in graph for ref in node.inputs if node_of(ref) in found}
