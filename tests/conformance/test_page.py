"""The page runs models on webgl and webgpu, and hides no fault of a shader."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.compare import assert_matches
from tests.conformance.handmade import graph_model, node
from tests.conformance.node import GPU_BACKENDS, JsError, SyncReadError, TfjsNode
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


def test_what_a_gpu_in_software_cannot_do_is_said(tfjs_node: TfjsNode) -> None:
    """Of five axes WebGPU tiles on the cpu, so it reads what it has just computed."""
    repeats = np.array([1, 2, 1, 1, 1], np.int32)
    nodes = [node("x", "Placeholder"), node("r", "Const", dtype="int32"), node("n", "Exp", "x")]
    model = graph_model([*nodes, node("y", "Tile", "n", "r")], {"r": repeats}, y="float32")
    with pytest.raises(SyncReadError):
        tfjs_node.run_each(model, [{"x": np.ones((1, 2, 3, 2, 2), np.float32)}], "webgpu", forward=False)
    assert_runs(tfjs_node, "webgpu")


def test_sizes_stay_on_the_cpu(tfjs_node: TfjsNode) -> None:
    """Also a constant that the GPU has been given."""
    nodes = [node("x", "Placeholder"), node("two", "Const", dtype="int32"), node("n", "Cast", "x", DstT="DT_INT32")]
    nodes += [node("s", "Shape", "x"), node("m", "Mul", "n", "two", dtype="int32")]
    nodes += [node("t", "Mul", "s", "two", dtype="int32"), node("y", "Tile", "m", "t", dtype="int32")]
    model = graph_model(nodes, {"two": np.array([2], np.int32)}, y="int32")
    got = tfjs_node.run_each(model, [{"x": np.float32([1, 3])}] * 2, "webgpu", forward=False)
    assert_matches(got[1], {"y": np.int32([2, 6] * 4)})


@pytest.mark.parametrize("kind", ["gpu-process", "renderer"])
def test_a_process_that_dies_is_an_error_and_the_next_model_runs(tfjs_node: TfjsNode, kind: str) -> None:
    assert_runs(tfjs_node, "webgpu")
    for process in browser_processes(kind):
        os.kill(process, signal.SIGKILL)
    with pytest.raises(JsError):
        assert_runs(tfjs_node, "webgpu")
    assert_runs(tfjs_node, "webgpu")


def assert_runs(tfjs_node: TfjsNode, backend: Backend) -> None:
    model = graph_model([node("x", "Placeholder"), node("y", "Exp", "x")], y="float32")
    feed = {"x": np.float32([1, 3])}
    (got,) = tfjs_node.run_each(model, [feed], backend, forward=False)
    assert_matches(got, {"y": np.exp(feed["x"])})


def browser_processes(kind: str) -> list[int]:
    """Return those of the page's browser, which descends from this process."""
    parents, found = {}, []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    for process in parents:
        line = parents_of(process, parents)
        with contextlib.suppress(OSError):
            if os.getpid() in line and f"--type={kind}" in Path(f"/proc/{process}/cmdline").read_text():
                found.append(process)
    return found


def parents_of(process: int, parents: dict[int, int]) -> list[int]:
    line = []
    while process := parents.get(process, 0):
        line.append(process)
    return line
