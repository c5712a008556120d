"""SavedModels of TensorFlow 1: variables by the checkpoint, and only what the signature needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.published import published, published_sample
from tests.sources.v1_models import (
    check,
    feeds_of,
    normal,
    save_v1,
    v1,
    without_control_flow_v2,
)
from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError

FEEDS = feeds_of(x=(3, 8))
Tensors = Mapping[str, Any]


def _x(*shape: int | None) -> Any:
    return v1.placeholder(tf.float32, shape or (None, 8), name="features")


def _variable(name: str, *shape: int, resource: bool = False, **options: Any) -> Any:
    start = v1.constant_initializer(normal(*shape, seed=sum(name.encode())))
    return v1.get_variable(name, shape, initializer=start, use_resource=resource, **options)


@pytest.fixture
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def control_flow_v1() -> Iterator[None]:
    yield from without_control_flow_v2()


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_variables_that_the_signature_needs(tfjs_node: TfjsNode, tmp_path: Path, *, resource: bool) -> None:
    """The graph also trains, looks words up and saves itself."""
    x = _x()
    linear = x @ _variable("kernel", 8, 64, resource=resource) + _variable("bias", 64, resource=resource)
    hidden = tf.nn.tanh(linear / 8)  # far from ±1, where several would be the largest
    ids = tf.argmax(hidden, axis=1)
    embedded = tf.nn.embedding_lookup(_variable("table", 64, 5, resource=resource), ids)
    step = v1.train.get_or_create_global_step()
    v1.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(embedded) + tf.reduce_sum(hidden), step)
    keys = tf.lookup.KeyValueTensorInitializer(["a"], [1])
    tf.lookup.StaticHashTable(keys, 0).lookup(tf.constant("a"))
    expected = save_v1(
        tmp_path / "net",
        {"serving_default": ({"x": x}, {"z": embedded, "a": hidden}), "other": ({"x": x}, {"ids": ids})},
        feeds=FEEDS,
        main_op=v1.tables_initializer(),
    )
    model = convert(tmp_path / "net")
    assert [info.name for info in model.outputs] == ["a", "z"]
    assert {"kernel", "table"} <= model.weights.keys()
    assert not [name for name in model.weights if "Momentum" in name or "step" in name]
    assert model.report.source == "SavedModel 'net', signature 'serving_default'"
    assert model.inputs[0].shape == (None, 8)
    check(tfjs_node, model, FEEDS, expected)
    assert [info.name for info in convert(tmp_path / "net", signature="other").outputs] == ["ids"]
    assert convert(tmp_path / "net", inputs={"x": (3, 8)}).outputs[0].shape == (3, 64)


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_partitioned_variables(tfjs_node: TfjsNode, tmp_path: Path, *, resource: bool) -> None:
    x = _x()
    parts = v1.fixed_size_partitioner(3, axis=0)
    start = v1.random_normal_initializer(seed=1)
    kernel = v1.get_variable("kernel", (8, 7), initializer=start, partitioner=parts, use_resource=resource)
    signature = {"serving_default": ({"x": x}, {"y": x @ tf.convert_to_tensor(kernel)})}
    expected = save_v1(tmp_path / "net", signature, feeds=FEEDS)
    check(tfjs_node, convert(tmp_path / "net"), FEEDS, expected)


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_the_saver_says_which_value_is_whose(tfjs_node: TfjsNode, tmp_path: Path, *, resource: bool) -> None:
    """As with moving averages, which are restored into the variables that they average."""
    x = _x()
    one, two = (_variable(name, 8, resource=resource) for name in ("one", "two"))
    saver = v1.train.Saver({"two": one, "one": two})
    expected = save_v1(
        tmp_path / "net", {"serving_default": ({"x": x}, {"y": x * one - two})}, feeds=FEEDS, saver=saver
    )
    check(tfjs_node, convert(tmp_path / "net"), FEEDS, expected)


def _loop(x: Any, *, resource: bool) -> Any:
    """Compute a simple recurrent network over the second axis, with its weights read in the loop's body."""
    kernel, bias = _variable("kernel", 8, 8, resource=resource), _variable("bias", 8, resource=resource)
    steps = tf.shape(x)[1]
    sequence = tf.TensorArray(tf.float32, size=steps).unstack(tf.transpose(x, (1, 0, 2)))

    def body(i: Any, state: Any, states: Any) -> Any:
        state = tf.tanh(sequence.read(i) + state @ (0.3 * kernel) + bias)
        return i + 1, state, states.write(i, state)

    start = 0, tf.zeros((tf.shape(x)[0], 8)), tf.TensorArray(tf.float32, size=steps)
    states = v1.while_loop(lambda i, *_: i < steps, body, start)[2]
    return tf.transpose(states.stack(), (1, 0, 2))


def _invariant(x: Any, *, resource: bool) -> Any:
    """Compute something in the loop's body that is the same in every iteration."""
    kernel = _variable("kernel", 8, 8, resource=resource)

    def body(i: Any, state: Any) -> Any:
        return i + 1, tf.tanh(tf.tensordot(state, kernel, 1) + tf.exp(-tf.square(x)))

    return v1.while_loop(lambda i, _: i < 4, body, (0, x))[1]


def _nested(x: Any, *, resource: bool) -> Any:
    kernel = _variable("kernel", 8, 8, resource=resource)

    def inner(i: Any, state: Any) -> Any:
        return i + 1, tf.tanh(tf.tensordot(state, 2 * kernel, 1))

    def body(i: Any, state: Any) -> Any:
        return i + 1, state + v1.while_loop(lambda j, _: j < 2, inner, (0, state))[1]

    return v1.while_loop(lambda i, _: i < 3, body, (0, x))[1]


def _branch(x: Any, *, resource: bool) -> Any:
    one, two = (_variable(name, 8, 8, resource=resource) for name in ("one", "two"))
    return v1.cond(tf.reduce_sum(x) > 0, lambda: tf.tensordot(x, one, 1), lambda: tf.tensordot(x, two, 1) - 1)


@pytest.mark.usefixtures("control_flow_v1", "graph")
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("build", [_loop, _nested, _branch])
def test_control_flow(tfjs_node: TfjsNode, tmp_path: Path, build: Callable[..., Any], *, resource: bool) -> None:
    x = _x(None, None, 8)
    feeds = [{"x": normal(2, 5, 8, seed=3) + 1}, {"x": normal(2, 5, 8, seed=4) - 1}]
    signature = {"serving_default": ({"x": x}, {"y": build(x, resource=resource)})}
    expected = save_v1(tmp_path / "net", signature, feeds=feeds)
    check(tfjs_node, convert(tmp_path / "net"), feeds, expected)


@pytest.mark.usefixtures("graph")
def test_functional_control_flow(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    """As TensorFlow 1.15 writes it where it was asked to."""
    x = _x(None, None, 8)
    feeds = feeds_of(x=(2, 5, 8))
    expected = save_v1(tmp_path / "net", {"serving_default": ({"x": x}, {"y": _loop(x, resource=True)})}, feeds=feeds)
    check(tfjs_node, convert(tmp_path / "net"), feeds, expected)


@pytest.mark.usefixtures("graph")
def test_inputs_in_the_middle_of_the_graph(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    """As with iterators: what is fed is no placeholder, and what is before it means nothing."""
    examples = v1.placeholder(tf.string, (None,), name="examples")
    parsed = v1.io.parse_example(examples, {"x": tf.io.FixedLenFeature((8,), tf.float32)})["x"]
    keep = v1.placeholder_with_default(tf.constant(0.25), ())
    output = keep * parsed @ _variable("kernel", 8, 4)
    expected = save_v1(tmp_path / "net", {"serving_default": ({"x": parsed}, {"y": output})}, feeds=FEEDS)
    model = convert(tmp_path / "net")
    assert [info.name for info in model.inputs] == ["x"]
    check(tfjs_node, model, FEEDS, expected)


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_counts_that_no_output_reads_are_dropped(tfjs_node: TfjsNode, tmp_path: Path, *, resource: bool) -> None:
    x = _x()
    count = _variable("count", resource=resource)
    with v1.control_dependencies([v1.assign_add(count, 1.0)]):
        output = x @ _variable("kernel", 8, 4, resource=resource)
    expected = save_v1(tmp_path / "net", {"serving_default": ({"x": x}, {"y": output})}, feeds=FEEDS)
    model = convert(tmp_path / "net")
    assert not [name for name in model.weights if "count" in name]
    check(tfjs_node, model, FEEDS, expected)


# ---- refused


def _counted(x: Any, *, resource: bool) -> Any:
    count = _variable("count", resource=resource)
    with v1.control_dependencies([v1.assign_add(count, 1.0)]):
        return x + (count.read_value() if resource else tf.identity(count))


def _assigned(x: Any, *, resource: bool) -> Any:
    return x + v1.assign_add(_variable("count", resource=resource), 1.0)


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("build", [_counted, _assigned])
def test_refuses_a_variable_that_the_graph_writes(tmp_path: Path, build: Callable[..., Any], *, resource: bool) -> None:
    x = _x()
    save_v1(tmp_path / "net", {"serving_default": ({"x": x}, {"y": build(x, resource=resource)})})
    with pytest.raises(UnsupportedModelError, match=r"The variable 'count' of SavedModel 'net'.* is written while"):
        convert(tmp_path / "net")


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("read", [True, False])
def test_refuses_a_variable_that_a_loops_body_writes(tmp_path: Path, *, read: bool) -> None:
    x, count = _x(), _variable("count", resource=True)

    def body(i: Any, state: Any) -> Any:
        added = count.assign_add(1.0)
        with v1.control_dependencies([added]):
            return i + 1, state + (count.read_value() if read else added)

    output = v1.while_loop(lambda i, _: i < 3, body, (0, x), shape_invariants=(tf.TensorShape([]), x.shape))[1]
    save_v1(tmp_path / "net", {"serving_default": ({"x": x}, {"y": output})})
    with pytest.raises(UnsupportedModelError, match=r"writes the variable 'count' while"):
        convert(tmp_path / "net")


@pytest.mark.usefixtures("control_flow_v1", "graph")
def test_refuses_what_tfjs_computes_in_the_first_iteration_only(tmp_path: Path) -> None:
    x = _x(None, 8)
    save_v1(tmp_path / "net", {"serving_default": ({"x": x}, {"y": _invariant(x, resource=False)})})
    with pytest.raises(UnsupportedModelError, match=r"computes .*while/Square.* from values that stay the same"):
        convert(tmp_path / "net")


@pytest.mark.usefixtures("graph")
def test_outputs_that_are_not_wanted_do_not_disturb(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    x, unused = _x(), v1.placeholder(tf.bool, (), name="training")
    outputs = {"plain": x * _variable("scale", 8), "counted": _counted(x, resource=False)}
    save_v1(tmp_path / "net", {"serving_default": ({"x": x, "training": unused}, outputs)})
    model = convert(tmp_path / "net", outputs=["plain"])
    assert [info.name for info in model.inputs] == ["training", "x"]
    feeds = [{**feed, "training": np.zeros((), bool)} for feed in FEEDS]
    scale = normal(8, seed=sum(b"scale"))
    check(tfjs_node, model, feeds, [{"plain": feed["x"] * scale} for feed in FEEDS])
    with pytest.raises(UnsupportedModelError, match="'count'"):
        convert(tmp_path / "net")


@pytest.mark.usefixtures("graph")
def test_refuses_a_variable_without_a_value(tmp_path: Path) -> None:
    x, kept = _x(), _variable("kept", 8)
    signature = {"serving_default": ({"x": x}, {"y": x * kept + _variable("lost", 8)})}
    save_v1(tmp_path / "net", signature, saver=v1.train.Saver([kept]))
    with pytest.raises(UnsupportedModelError, match=r"variable 'lost' of SavedModel 'net'.* is not in the checkpoint"):
        convert(tmp_path / "net")


@pytest.mark.usefixtures("graph")
def test_refuses_a_variable_that_loading_assigns(tmp_path: Path) -> None:
    x, scale = _x(), _variable("scale", 8)
    signature = {"serving_default": ({"x": x}, {"y": x * scale})}
    save_v1(tmp_path / "net", signature, main_op=tf.group(v1.assign(scale, tf.ones(8))))
    with pytest.raises(UnsupportedModelError, match=r"variable 'scale' .* from an operation that runs when the model"):
        convert(tmp_path / "net")


@pytest.mark.usefixtures("graph")
@pytest.mark.usefixtures("graph")
def test_refuses_endpoints_and_names_that_do_not_fit(tmp_path: Path) -> None:
    x, other = _x(), v1.placeholder(tf.float32, (), name="other")
    sparse = v1.sparse_placeholder(tf.float32, (None, 8))
    unused = _variable("unused", 1)
    save_v1(
        tmp_path / "net",
        {
            "unfed": ({"x": x}, {"y": x * other + unused}),
            "twice": ({"x": x, "again": x}, {"y": x + 1}),
            "sparse": ({"x": sparse}, {"y": tf.sparse.to_dense(sparse)}),
        },
        tags=("serve", "gpu"),
    )
    for options, message in (
        ({}, r"has no graph with the tags \('serve'\); it has \('gpu', 'serve'\)"),
        ({"tags": ("gpu", "serve")}, "has no signature 'serving_default'; it has 'sparse', 'twice', 'unfed'"),
        ({"tags": ("gpu", "serve"), "signature": "unfed"}, "need the placeholder 'other', which is none of its inputs"),
        ({"tags": ("gpu", "serve"), "signature": "twice"}, "Inputs 'again', 'x' .* are one and the same tensor"),
        ({"tags": ("gpu", "serve"), "signature": "sparse"}, "Tensor 'x' .* is sparse or composite"),
    ):
        with pytest.raises(UnsupportedModelError, match=message):
            convert(tmp_path / "net", **options)


@pytest.mark.usefixtures("graph")
def test_refuses_a_missing_checkpoint(tmp_path: Path) -> None:
    x = _x()
    save_v1(tmp_path / "net", {"serving_default": ({"x": x}, {"y": x * _variable("scale", 8)})})
    (tmp_path / "net" / "variables" / "variables.index").unlink()
    with pytest.raises(UnsupportedModelError, match="cannot read the checkpoint") as caught:
        convert(tmp_path / "net")
    assert "\n" not in str(caught.value)


# ---- published models

SERVING = "tf_serving_testdata_savedmodels"


@pytest.mark.parametrize(
    ("path", "signature", "sample"),
    [
        ("saved_model_half_plus_two_cpu/00000123", "serving_default", ""),
        ("saved_model_half_plus_two_cpu/00000123", "regress_x2_to_y3", ""),
        ("saved_model_half_plus_three/00000123", "serving_default", "(TF1 session)"),
        ("tf2onnx_regression_saved_model", "serving_default", ""),
    ],
)
def test_published_models(tfjs_node: TfjsNode, path: str, signature: str, sample: str) -> None:
    folder = published(SERVING)
    feed, expected = published_sample(SERVING, f"{path.replace('/', '|')}#{signature}{sample}")
    assert expected
    model = convert(folder / "original" / path, signature=signature)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), expected)


def test_published_models_that_tfjs_cannot_run() -> None:
    counter = published(SERVING) / "original" / "saved_model_counter" / "00000123"
    with pytest.raises(UnsupportedModelError, match=r"The variable 'counter' .* is written while"):
        convert(counter, signature="incr_counter_by")


def test_published_segmentation(tfjs_node: TfjsNode) -> None:
    """The part of TensorFlow: an iterator's results as inputs, loops, and a graph that also trains."""
    name = "thai_wordseg_tf1_savedmodel"
    model = convert(published(name) / "original" / "saved_model")
    feed, expected = published_sample(name, "")
    assert model.reference is not None
    assert np.array_equal(model.reference(feed)["outputs"], expected["outputs"])
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), expected)


def test_the_newest_of_several_versions(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    for version, factor in (("9", 2.0), ("00000010", 3.0)):
        with tf.Graph().as_default():
            x = v1.placeholder(tf.float32, (None, 2), name="x")
            save_v1(tmp_path / "net" / version, {"serving_default": ({"x": x}, {"y": x * factor})})
    (tmp_path / "net" / "11").mkdir()
    model = convert(tmp_path / "net")
    assert model.report.source == "SavedModel '00000010', signature 'serving_default'"
    feed = {"x": np.float32([[1, -2]])}
    assert_matches(tfjs_node.run(model, feed), {"y": feed["x"] * 3})
