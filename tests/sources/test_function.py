"""Functions and modules in memory, by the names that the user gave, in real TF.js."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.model import TfjsModel

F32 = tf.float32
Spec = tf.TensorSpec


def _sample(model: TfjsModel, seed: int) -> dict[str, Array]:
    """Draw one array per input, of any dtype and rank."""
    rng = np.random.default_rng(seed)
    draw: dict[str, Callable[[Any], Any]] = {
        "float32": lambda shape: rng.normal(size=shape).astype(np.float32),
        "int32": lambda shape: rng.integers(0, 9, shape),
        "bool": lambda shape: rng.integers(0, 2, shape).astype(bool),
        "string": lambda shape: rng.choice(np.array(["ä", "b", ""], object), shape),
    }
    return {info.name: np.asarray(draw[info.dtype]([n or 2 for n in info.shape or ()])) for info in model.inputs}


def _check(tfjs_node: TfjsNode, model: TfjsModel) -> None:
    assert model.reference is not None
    feeds = [_sample(model, seed) for seed in (1, 2)]
    for backend in BACKENDS:
        for feed, got in zip(feeds, tfjs_node.run_each(model, feeds, backend), strict=True):
            assert list(got) == [info.name for info in model.outputs]
            assert_matches(got, model.reference(feed))


def _names(model: TfjsModel) -> tuple[list[str], list[str]]:
    return [info.name for info in model.inputs], [info.name for info in model.outputs]


def _of(function: Callable[..., Any], *specs: Any) -> Any:
    return tf.function(function, autograph=False, input_signature=specs)


class _Scaler(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable(np.random.default_rng(0).normal(size=(4,)).astype(np.float32))
        self.shift = tf.Variable(np.random.default_rng(1).normal(size=(4,)).astype(np.float32))

    @tf.function(input_signature=[Spec((None, 4), F32)])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x * self.scale, lambda: x + self.shift)

    @tf.function(input_signature=[Spec((None, 4), F32), Spec((), tf.int32)])  # type: ignore[untyped-decorator]
    def repeat(self, x: Any, times: Any) -> Any:
        body = lambda i, y: (i + 1, y * self.scale)  # noqa: E731
        return tf.while_loop(lambda i, _: i < times, body, (0, x))[1]


CASES = [
    pytest.param(_of(lambda b, a: b - 2 * a, Spec((3,)), Spec((3,))), ["b", "a"], ["output_0"], id="lookalikes"),
    pytest.param(_of(lambda x: {"x": x + 1.0, "y": x}, Spec((3,))), ["x"], ["x", "y"], id="names-collide"),
    pytest.param(_of(lambda x: (x, x, x), Spec((2,))), ["x"], ["output_0", "output_1", "output_2"], id="passed-on"),
    pytest.param(
        _of(lambda x: (x * 2.0, tf.constant([1.5])), Spec(())), ["x"], ["output_0", "output_1"], id="constant-rank-0"
    ),
    pytest.param(
        _of(lambda m, n: (tf.logical_not(m), n + 1), Spec((3,), tf.bool), Spec((3,), tf.int64)),
        ["m", "n"],
        ["output_0", "output_1"],
        id="bool-int64",
    ),
    pytest.param(
        _of(lambda image: tf.cast(image, F32) / 255.0, Spec((2, 2), tf.uint8)), ["image"], ["output_0"], id="uint8"
    ),
    pytest.param(_of(lambda text: text, Spec((2,), tf.string)), ["text"], ["output_0"], id="string"),
    pytest.param(
        _of(
            lambda batch, last: {"both": {"sum": batch["v"] + batch["u"][0], "diff": batch["v"] - last}, "none": None},
            {"v": Spec((3,)), "u": [Spec((3,))]},
            Spec((3,), name="own"),
        ),
        ["batch/u/0", "batch/v", "own"],
        ["both/diff", "both/sum"],
        id="nested",
    ),
]


@pytest.mark.parametrize(("function", "inputs", "outputs"), CASES)
def test_functions_keep_the_users_names(
    tfjs_node: TfjsNode, function: Any, inputs: list[str], outputs: list[str]
) -> None:
    model = convert(function)
    assert _names(model) == (inputs, outputs)
    assert model.report.source == "Function '<lambda>'"
    assert model.model_json == convert(function.get_concrete_function()).model_json
    _check(tfjs_node, model)


def test_inputs_that_look_alike_are_not_swapped(tfjs_node: TfjsNode) -> None:
    """Against numbers worked out by hand: the reference would swap the same way."""
    specs = {"v": Spec((1,)), "u": Spec((1,))}, Spec((1,)), Spec((1,), name="own")
    model = convert(_of(lambda d, b, a: {"y": d["u"] - 10 * d["v"], "x": b - 100 * a}, *specs))
    values = {"d/u": 1.0, "d/v": 2.0, "b": 3.0, "own": 4.0}
    assert list(values) == _names(model)[0]
    feed = {name: np.array([value], np.float32) for name, value in reversed(values.items())}
    expected = {"x": np.array([-397.0], np.float32), "y": np.array([-19.0], np.float32)}
    assert model.reference is not None
    assert_matches(model.reference(feed), expected)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), expected)


def test_a_module_reads_its_variables_in_branches(tfjs_node: TfjsNode) -> None:
    module = _Scaler()
    model = convert(module)
    feeds: list[dict[str, Array]] = [{"x": np.full((2, 4), value, np.float32)} for value in (1.0, -1.0)]
    assert model.reference is not None
    for backend in BACKENDS:
        for feed, got in zip(feeds, tfjs_node.run_each(model, feeds, backend), strict=True):
            assert_matches(got, model.reference(feed))
    assert not model.reference.changed()
    module.scale.assign_add(tf.ones(4))
    assert model.reference.changed()


def test_a_method_with_a_loop_is_named_by_signature(tfjs_node: TfjsNode) -> None:
    model = convert(_Scaler(), signature="repeat")
    assert _names(model) == (["x", "times"], ["output_0"])
    assert model.reference is not None
    for times in (0, 3):
        feed: dict[str, Array] = {"x": np.full((1, 4), 0.5, np.float32), "times": np.int32(times)}  # type: ignore[dict-item]
        for backend in BACKENDS:
            assert_matches(tfjs_node.run(model, feed, backend), model.reference(feed))


def test_inputs_trace_a_function_without_a_signature(tfjs_node: TfjsNode) -> None:
    function = tf.function(lambda x, y: x @ y, autograph=False)
    model = convert(function, inputs={"y": Spec((3, 2)), "x": Spec((None, 3))})
    assert _names(model)[0] == ["x", "y"]
    _check(tfjs_node, model)


def test_the_only_trace_of_a_function_is_taken_with_its_python_arguments(tfjs_node: TfjsNode) -> None:
    function = tf.function(lambda x, power=2, *, half=False: x**power / (2 if half else 1), autograph=False)
    function(tf.ones((2, 3)), 3, half=True)
    _check(tfjs_node, convert(function))


def test_shapes_make_dimensions_static() -> None:
    model = convert(_Scaler(), inputs={"x": (2, 4)})
    assert model.inputs[0].shape == (2, 4)
    with pytest.raises(UnsupportedModelError, match=r"Input 'x' has shape \(None, 4\)"):
        convert(_Scaler(), inputs={"x": (2, 5)})


def test_a_loaded_saved_model_gives_its_signature(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    signature = _of(lambda b, a: {"out": b - 3 * a}, Spec((3,)), Spec((3,))).get_concrete_function()
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures={"odd": signature})
    model = convert(tf.saved_model.load(str(tmp_path)))
    assert _names(model)[1] == ["out"]
    assert "signature 'odd'" in model.report.source
    _check(tfjs_node, model)


def _two_functions() -> tf.Module:
    module = tf.Module()
    module.first = _of(lambda x: x, Spec((1,)))
    module.second = _of(lambda x: x, Spec((1,)))
    return module


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        pytest.param(tf.function(lambda x: x), {}, "never traced .* Pass inputs=", id="untraced"),
        pytest.param(_of(lambda: tf.constant(1.0)), {}, "has no tensor inputs", id="no-inputs"),
        pytest.param(_of(lambda x: None, Spec((1,))), {}, "returns no tensors", id="no-outputs"),  # noqa: ARG005
        pytest.param(_of(tf.RaggedTensor.from_tensor, Spec((2, 2))), {}, "returns a RaggedTensor", id="ragged"),
        pytest.param(
            _of(lambda x: x, tf.RaggedTensorSpec((2, None))), {}, "ragged or sparse inputs 'x'", id="ragged-in"
        ),
        pytest.param(_of(lambda x: x, Spec((1,))), {"inputs": {"y": (1,)}}, "inputs names 'y'", id="unknown-input"),
        pytest.param(tf.Module(), {}, "has no tf.function", id="empty-module"),
        pytest.param(_two_functions(), {}, "several functions .* 'first', 'second'", id="ambiguous"),
        pytest.param(
            _Scaler(), {"signature": "fit"}, "no signature or function 'fit'; it has '__call__', 'repeat'", id="unknown"
        ),
        pytest.param(_Scaler(), {"format": "layers"}, "cannot become a layers model", id="layers"),
    ],
)
def test_refusals_say_what_to_do(source: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        convert(source, **arguments)
    assert re.search(message, str(caught.value))


@pytest.mark.parametrize("keys", [(9, 10), (-1, 2), ("a", "b")])
def test_keys_that_are_numbers_keep_their_outputs(tfjs_node: TfjsNode, keys: tuple[Any, Any]) -> None:
    """As text 10 comes before 9: names and values must be sorted alike."""
    first, second = keys
    function = tf.function(
        lambda x: {second: x * 10, first: {second: x + 1, first: x - 1}}, input_signature=[tf.TensorSpec([2], name="x")]
    )
    model = convert(function)
    assert _names(model)[1] == [f"{first}/{first}", f"{first}/{second}", str(second)]
    feed = {"x": np.array([1, 2], np.float32)}
    expected = {f"{first}/{first}": feed["x"] - 1, f"{first}/{second}": feed["x"] + 1, str(second): feed["x"] * 10}
    assert model.reference is not None
    assert_matches(model.reference(feed), expected)
    assert_matches(tfjs_node.run(model, feed), expected)


def test_samples_of_another_precision_are_taken() -> None:
    function = tf.function(lambda x: x * 2, input_signature=[tf.TensorSpec([2], name="x")])
    reference = convert(function).reference
    assert reference is not None
    (output,) = reference({"x": tf.ones([2], tf.float64)}).values()
    assert output.tolist() == [2, 2]
