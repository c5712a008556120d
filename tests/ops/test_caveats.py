"""What depends on values is said of the backends that it concerns, and of no node that cannot meet it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tfjs_magic import convert, load
from tfjs_magic.model import TfjsModel


def _model(function: object, *shape: int | None, dtype: str = "float32") -> TfjsModel:
    return convert(tf.function(function).get_concrete_function(tf.TensorSpec(shape, dtype, "x")))


TIES = "On webgpu, ArgMax and ArgMin may find another than the first of values that are equal."
DIGITS = "webgl and webgpu keep integers as float32: beyond 2^24 (16777216) digits may be lost (node '{}')."
TWICE = "webgl adds up what TensorScatterUpdate writes to one place (node '{}')."
NOTHING = "If an axis of unknown size is empty, what is reduced along it is not Python's result, or fails (node '{}')."
GPUS = dict.fromkeys(("webgl", "webgpu"), DIGITS)
NOT_ON_CPU = dict.fromkeys(("wasm", "webgl", "webgpu"), NOTHING)


@pytest.mark.parametrize(
    ("function", "shape", "dtype", "expected"),
    [
        pytest.param(lambda x: tf.argmax(x, 1), (3, 4), "float32", {"webgpu": TIES}, id="ties"),
        pytest.param(lambda x: tf.argmin(x > 0, 1), (3, 4), "float32", {}, id="truths"),
        pytest.param(lambda x: tf.argmax(x > 0, 0), (4,), "float32", {}, id="truths-of-a-vector"),
        pytest.param(lambda x: x + 1, (3,), "int32", GPUS, id="integers"),
        pytest.param(lambda x: tf.tensor_scatter_nd_update(x, [[0], [2]], [1.0, 2]), (3,), "float32", {}, id="once"),
        pytest.param(
            lambda x: tf.tensor_scatter_nd_update(x, [[2], [2]], x[:2]), (3,), "float32", {"webgl": TWICE}, id="twice"
        ),
        pytest.param(
            lambda x: tf.tensor_scatter_nd_update(tf.ones(9), x, [1.0, 2]), (2, 1), "int32", {"webgl": TWICE}, id="fed"
        ),
        pytest.param(lambda x: tf.reduce_sum(x, 1), (3, None), "float32", NOT_ON_CPU, id="sum"),
        pytest.param(lambda x: tf.reduce_max(x, 1), (3, None), "float32", {"cpu": NOTHING, **NOT_ON_CPU}, id="largest"),
        pytest.param(lambda x: tf.reduce_sum(x, 1), (None, 3), "float32", {}, id="sum-of-each-row"),
        pytest.param(lambda x: tf.reduce_sum(tf.pad(x, [[1, 0], [0, 0]]), 0), (None, 3), "float32", {}, id="padded"),
        pytest.param(lambda x: tf.matmul(x, x, transpose_a=True), (None, 3), "float32", NOT_ON_CPU, id="product"),
        pytest.param(lambda x: x @ tf.ones((3, 2)), (None, 3), "float32", {}, id="product-of-each-row"),
    ],
)
def test_caveats(
    function: object, shape: tuple[int | None, ...], dtype: str, expected: dict[str, str], tmp_path: Path
) -> None:
    """They stand in the summary, and come back with the files."""
    model = _model(function, *shape, dtype=dtype)
    node = next((n["name"] for n in model.topology["node"][::-1] if n["op"] not in {"Const", "Reshape"}), "")
    assert model.report.caveats == {backend: (said.format(node),) for backend, said in expected.items()}
    model.save(tmp_path / "web")
    assert load(tmp_path / "web").report.caveats == model.report.caveats
    assert all(sentence in str(model) for said in model.report.caveats.values() for sentence in said)


def test_a_dense_model_of_any_batch_has_none() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Softmax()])
    assert convert(model, format="graph").report.caveats == {}


def test_only_what_is_named_is_otherwise(tfjs_node: TfjsNode) -> None:
    """What webgl writes twice is added up there, and nowhere else."""
    model = _model(lambda x: tf.tensor_scatter_nd_update(x, [[2], [2]], x[:2] + 1), 3)
    feed = {"x": np.float32([1, 2, 3])}
    assert model.reference is not None
    for backend in ("cpu", "wasm", "webgpu"):
        assert_matches(tfjs_node.run(model, feed, backend), model.reference(feed))
    assert tfjs_node.run(model, feed, "webgl")["output_0"].tolist() == [1, 2, 5]


def test_files_say_of_backends_what_the_conversion_said(tmp_path: Path) -> None:
    """They say no shapes: of an unknown number of axes, webgpu would be said to permute integers wrongly."""
    for rank, lacks in ((2, ()), (5, ("Sum",))):
        model = _model(lambda x: tf.reduce_sum(tf.cast(tf.tanh(x * 2), tf.int32), 0), *range(2, 2 + rank))
        model.save(tmp_path / f"{rank}")
        assert load(tmp_path / f"{rank}").report.backends == model.report.backends
        assert set(model.report.backends["webgpu"]).issuperset(lacks)


@pytest.mark.parametrize(("interpolation", "told"), [("nearest", True), ("bilinear", False)])
def test_pixels_picked_by_a_computed_transform_may_be_their_neighbours(interpolation: str, *, told: bool) -> None:
    corners = tf.constant([[[0.0, 0], [5, 0], [0, 5], [5, 5]]])

    def moved(x: tf.Tensor) -> tf.Tensor:
        ends = corners + x[:, 0, 0, :1, None]
        return keras.ops.image.perspective_transform(x, corners, ends, interpolation=interpolation)

    found = _model(moved, 1, 6, 6, 3).report.caveats
    said = {name for name, lines in found.items() if any(line.startswith("Half way between two") for line in lines)}
    assert said == ({"wasm", "webgl"} if told else set())
