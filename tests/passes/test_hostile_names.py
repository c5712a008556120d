"""The names of a user's nodes are nothing to the passes: whatever they are, TF.js computes the same numbers."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.node import JsError, TfjsNode
from tests.graph_text import BACKENDS, tfjs_model
from tests.hostile_names import copied, endings, hostile_names, renamed
from tests.sweep import functions
from tfjs_magic.errors import UnsupportedModelError, UnsupportedOpsError, WeightError
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.trace import graph_def_function, trace
from tfjs_magic.graph.unroll import unroll_loops
from tfjs_magic.ops.check import check_ops, random_ops
from tfjs_magic.options import Backend
from tfjs_magic.passes import PIPELINE, run_passes

FUNCTIONS = {
    name: (function, specs)
    for name, function, specs in functions._FUNCTIONS
    if not isinstance(function, type) and all(spec.shape.rank is not None for spec in specs)
}


@functools.cache
def _traced(name: str) -> Graph | None:
    """Trace a function of the sweep; None for what is refused, holds a table or draws random numbers."""
    function, specs = FUNCTIONS[name]
    tf.random.set_seed(1)
    try:
        concrete = tf.function(function).get_concrete_function(*specs)
        inputs = {spec.name: tensor.op.name for spec, tensor in zip(specs, concrete.inputs, strict=False)}
        outputs = {f"out{i}": tensor.name for i, tensor in enumerate(concrete.outputs)}
        keep = [*inputs.values(), *(tensor.op.name for tensor in concrete.outputs)]
        unrolled, _ = unroll_loops(graph_def_function(concrete), keep=keep, mode="auto")
        graph = trace(unrolled, inputs=inputs, outputs=outputs)
        plain = _optimised(copied(graph))
        check_ops(plain)
        tfjs_model(plain)
    except (UnsupportedModelError, UnsupportedOpsError, WeightError):
        return None
    return None if random_ops(graph) or graph.tables else graph


def _optimised(graph: Graph) -> Graph:
    for group in PIPELINE.values():
        run_passes(graph, group)
    return graph


def _check(node: TfjsNode, name: str, backend: Backend, rng: random.Random) -> None:
    graph = _traced(name)
    if graph is None:
        return
    plain = _optimised(copied(graph))
    names = hostile_names([node.name for node in graph], rng.choice(endings(graph, plain)), rng)
    other = _optimised(renamed(graph, names))
    feeds = functions._feeds(FUNCTIONS[name][1])
    try:
        wanted = node.run_each(tfjs_model(plain), feeds, backend)
    except JsError:
        return  # complex numbers on wasm, indices out of range
    for got, want in zip(node.run_each(tfjs_model(other), feeds, backend), wanted, strict=True):
        assert got.keys() == want.keys()
        for output, value in want.items():
            np.testing.assert_array_equal(got[output], value, err_msg=f"{output} of {name}, with {names}")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(FUNCTIONS)), rng=st.randoms(use_true_random=False))
def test_names_do_not_matter(tfjs_node: TfjsNode, name: str, rng: random.Random) -> None:
    _check(tfjs_node, name, "cpu", rng)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_names_do_not_matter_for_any_function(tfjs_node: TfjsNode, name: str) -> None:
    for seed in range(5):
        for backend in BACKENDS:
            _check(tfjs_node, name, backend, random.Random(seed))
