"""The page runs models on webgl and webgpu, and hides no fault of a shader."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.compare import assert_matches
from tests.conformance.handmade import graph_model, node
from tests.conformance.node import GPU_BACKENDS, JsError, TfjsNode
from tfjs_magic.options import Backend


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("backend", GPU_BACKENDS)
def test_runs_model_after_model(tfjs_node: TfjsNode, backend: Backend, *, forward: bool) -> None:
    rng = np.random.default_rng(0)
    for size in (3, 5):
        weight = rng.normal(size=(size, 2)).astype(np.float32)
        model = graph_model(
            [node("x", "Placeholder"), node("w", "Const"), node("y", "MatMul", "x", "w")], {"w": weight}, y="float32"
        )
        feeds = [{"x": rng.normal(size=(batch, size)).astype(np.float32)} for batch in (1, 4, 1)]
        for feed, got in zip(feeds, tfjs_node.run_each(model, feeds, backend, forward=forward), strict=True):
            assert_matches(got, {"y": feed["x"] @ weight})
            assert (got.leaked_tensors, got.leaked_per_run) == (0, 0)


@pytest.mark.parametrize(("backend", "words"), [("webgl", "Failed to compile"), ("webgpu", "WGSL")])
def test_a_shader_that_does_not_compile_is_an_error(tfjs_node: TfjsNode, backend: Backend, words: str) -> None:
    """On webgpu nothing but the device knows: TF.js goes on with zeros."""
    paddings = np.array([[0, 0], [1, 1], [1, 0], [0, 2], [0, 0]], np.int32)
    nodes = [node("x", "Placeholder"), node("p", "Const", dtype="int32"), node("y", "Pad", "x", "p")]
    model = graph_model(nodes, {"p": paddings}, y="float32")
    with pytest.raises(JsError, match=words):
        tfjs_node.run(model, {"x": np.ones((1, 2, 3, 2, 2), np.float32)}, backend)


def test_text_and_booleans(tfjs_node: TfjsNode) -> None:
    nodes = [node("s", "Placeholder", dtype="string"), node("b", "Placeholder", dtype="bool")]
    nodes += [node("t", "Identity", "s", dtype="string"), node("n", "LogicalNot", "b", dtype="bool")]
    model = graph_model(nodes, t="string", n="bool")
    feed = {"s": np.array([b"\xc3\xa9", b"\x00x"], object), "b": np.array([True, False])}
    assert_matches(tfjs_node.run(model, feed, "webgl"), {"t": feed["s"], "n": ~feed["b"]})
