"""Whole models: wiring, nesting, names, dtypes, and everything a topology tells about itself."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests import models
from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode, forwards
from tests.graph_text import BACKENDS
from tests.layers.cases import LINE, on
from tests.layers.other_backend import results
from tests.layers.packing import converted, packed
from tests.models import keras_outputs, layers, randomised, samples_of
from tfjs_magic.layers.topology import LayersTopology, Refused, layers_topology
from tfjs_magic.options import Backend

HOSTILE = "<img src=x onerror=alert(1)>"


def branch(name: str, *, units: int = 4) -> Any:
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(units, activation="tanh", name="leaf")(inputs), name=name)


def nested_three_deep() -> Any:
    inner = keras.Sequential([keras.Input((4,)), branch("deepest"), layers.Dense(4)], name="middle")
    outer_in = keras.Input((4,))
    outer = keras.Model(outer_in, [inner(outer_in), inner(branch("deepest")(outer_in))], name="outer")
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Add()(outer(inputs)))


def sequential_of_models() -> Any:
    return keras.Sequential([keras.Input((4,)), branch("a"), branch("b"), layers.Dense(2)])


def nested_with_pooling_rewritten() -> Any:
    inner = keras.Sequential([keras.Input((5, 5, 3)), layers.GlobalAveragePooling2D(keepdims=True)], name="inner")
    inputs = keras.Input((5, 5, 3))
    return keras.Model(inputs, layers.Multiply()([inputs, layers.Conv2D(3, 1)(inner(inputs))]))


def outputs_twice() -> Any:
    inputs = keras.Input((4,), name="x")
    y = layers.Dense(3, name="y")(inputs)
    return keras.Model(inputs, [y, y, inputs])


def nested_outputs_twice() -> Any:
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Concatenate()(keras.models.clone_model(outputs_twice())(inputs)))


def shared_layer_outputs() -> Any:
    """Both outputs are made by the same layer, so Keras gives both its name."""
    left, right, shared = keras.Input((4,), name="l"), keras.Input((4,), name="r"), layers.Dense(3, name="shared")
    return keras.Model([left, right], [shared(right), shared(left)])


def unused_input() -> Any:
    used, unused = keras.Input((4,), name="used"), keras.Input((3,), name="unused")
    return keras.Model([used, unused], layers.Dense(2)(used))


def transfer() -> Any:
    """Layers that have calls in other models too."""
    base = models.conv_bn_relu()
    layers.Dense(1)(base.output)  # a call that belongs to no model
    features = keras.Model(base.inputs, base.layers[3].output, name="features")
    return keras.Model(base.inputs, layers.Dense(2)(layers.Flatten()(features(base.inputs[0]))))


def shared_between_models() -> Any:
    shared = layers.Dense(4, name="shared")
    first_in, second_in, inputs = (keras.Input((4,)) for _ in range(3))
    first = keras.Model(first_in, shared(first_in), name="first")
    second = keras.Model(second_in, layers.ELU()(shared(second_in)), name="second")
    return keras.Model(inputs, second(first(shared(inputs))))


def dict_inputs_nested() -> Any:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Model({"b": b, "a": a}, {"sum": layers.Subtract()([a, b]), "first": layers.Dense(4)(a)}, name="inner")
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    made = inner({"a": left, "b": right})
    return keras.Model([left, right], layers.Subtract()([made["sum"], made["first"]]))


def hostile_names() -> Any:
    inputs = keras.Input((4,), name=HOSTILE)
    x = layers.Dense(4, name="_img_src_x_onerror_alert_1__")(layers.Dense(4, name=f"{HOSTILE}+")(inputs))
    return keras.Model(inputs, layers.Dense(2, name="über name")(x), name="a model: ü")


def encoder_decoder() -> Any:
    """Two recurrent layers on each side; the second pair starts from the first pair's states."""
    source, target = keras.Input((6, 3), name="source"), keras.Input((4, 3), name="target")
    x, *low = layers.LSTM(4, return_sequences=True, return_state=True)(source)
    _, *high = layers.LSTM(4, return_state=True)(x)
    y = layers.LSTM(4, return_sequences=True)(target, initial_state=low)
    return keras.Model([source, target], layers.LSTM(4, return_sequences=True)(y, initial_state=high))


def functional_subclass() -> Any:
    class Trainer(keras.Model):
        """Changes only how it is trained."""

        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    inputs = keras.Input((4,))
    return Trainer(inputs, layers.Dense(2)(inputs))


def fixed_batch() -> Any:
    inputs = keras.Input(batch_shape=(2, 7, 4))
    return keras.Model(inputs, layers.GRU(3, reset_after=False)(layers.Conv1D(4, 2)(inputs)))


def tokens_through_nested() -> Any:
    encoder = keras.Sequential(
        [keras.Input((None,), dtype="int32"), layers.Embedding(6, 3), layers.LSTM(3)], name="enc"
    )
    first, second = (keras.Input((5,), dtype="int32", name=name) for name in ("first", "second"))
    return keras.Model([first, second], layers.Concatenate()([encoder(second), encoder(first)]))


WHOLE_MODELS: list[Callable[[], Any]] = [
    models.dense,
    models.conv_bn_relu,
    models.prelu,
    models.depthwise,
    models.shared_weights,
    models.two_outputs,
    models.two_inputs_two_outputs,
    models.small_cnn,
    models.lstm_text,
    models.nested,
    nested_three_deep,
    sequential_of_models,
    nested_with_pooling_rewritten,
    outputs_twice,
    nested_outputs_twice,
    shared_layer_outputs,
    unused_input,
    transfer,
    shared_between_models,
    dict_inputs_nested,
    hostile_names,
    encoder_decoder,
    functional_subclass,
    fixed_batch,
    tokens_through_nested,
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("build", WHOLE_MODELS, ids=lambda build: build.__name__)
def test_model_gives_keras_numbers(build: Callable[[], Any], backend: Backend, tfjs_node: TfjsNode) -> None:
    model = randomised(build())
    result = converted(model)
    feeds = [samples_of(result.inputs, seed) for seed in (0, 1)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    if not result.backends.get(backend):
        got = tfjs_node.run_each(packed(result), feeds, backend, forward=forwards(backend)[-1])
        for actual, reference in zip(got, references, strict=True):
            assert_matches(actual, reference)


@pytest.mark.parametrize("build", WHOLE_MODELS, ids=lambda build: build.__name__)
def test_topology_is_json_and_the_same_each_time(build: Callable[[], Any]) -> None:
    model = build()
    first, second = converted(model), converted(model)
    assert json.dumps(first.topology, allow_nan=False) == json.dumps(second.topology, allow_nan=False)
    assert [entry.name for entry in first.weights] == [entry.name for entry in second.weights]


def test_names_are_those_that_the_user_sees() -> None:
    result = converted(models.two_inputs_two_outputs())
    assert [info.name for info in result.inputs] == ["image", "extra"]
    assert [info.name for info in result.outputs] == ["area", "label"]
    assert [info.name for info in converted(shared_layer_outputs()).outputs] == ["shared", "shared_1"]
    assert [info.name for info in converted(hostile_names()).inputs] == [HOSTILE]


def test_hostile_names_become_plain_and_unique_ones() -> None:
    result = converted(hostile_names())
    (renaming,) = result.notes
    config = result.topology["model_config"]["config"]
    assert [layer["name"] for layer in config["layers"]] == [
        "layer_img_src_x_onerror_alert_1__",
        "layer_img_src_x_onerror_alert_1___",
        "layer_img_src_x_onerror_alert_1___1",
        "layer_ber_name",
    ]
    assert config["name"] == "a_model___"
    assert HOSTILE in renaming


def test_embedding_inputs_know_their_bound() -> None:
    result = converted(tokens_through_nested())
    assert [info.upper_bound for info in result.inputs] == [6, 6]
    assert [info.dtype for info in result.inputs] == ["int32", "int32"]


def test_smaller_of_two_tables_bounds_an_input() -> None:
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    flat = layers.Flatten()(layers.RepeatVector(2)(tokens))
    both = [layers.Flatten()(layers.Embedding(rows, 2)(flat)) for rows in (9, 7)]
    result = converted(keras.Model(tokens, layers.Add()(both)))
    assert [info.upper_bound for info in result.inputs] == [7]


def test_classes_count_calls() -> None:
    assert converted(models.nested()).classes == {"Add": 1, "Dense": 4}
    assert converted(models.shared_weights()).classes == {"Concatenate": 1, "Dense": 5, "Multiply": 1}


def test_sequential_stays_sequential() -> None:
    entry = converted(models.small_cnn()).topology["model_config"]
    assert entry["class_name"] == "Sequential"
    assert [layer["class_name"] for layer in entry["config"]["layers"]][:3] == ["InputLayer", "Rescaling", "Conv2D"]


def test_trainable_flags_are_kept() -> None:
    model = models.dense()
    model.layers[0].trainable = False
    entries = converted(model).topology["model_config"]["config"]["layers"]
    assert [entry["config"].get("trainable") for entry in entries] == [None, False, True]


def test_copies_of_shared_weights_are_told() -> None:
    notes = converted(shared_between_models()).notes
    assert any("copy of the weights" in note and "'shared'" in note for note in notes)


def test_lora_is_merged(tfjs_node: TfjsNode) -> None:
    model = models.dense()
    model.layers[0].enable_lora(2)
    randomised(model, seed=3)
    result = converted(model)
    feed = samples_of(result.inputs)
    assert [entry.name for entry in result.weights] == [
        f"{layer.name}/{weight}" for layer in model.layers for weight in ("kernel", "bias")
    ]
    assert_matches(tfjs_node.run(packed(result), feed), keras_outputs(model, feed))


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16", "bfloat16", "float64"])
def test_other_float_policies_become_float32_with_a_note(policy: str, tfjs_node: TfjsNode) -> None:
    inputs = keras.Input((6,), name="x", dtype="float64" if policy == "float64" else "float32")
    x = layers.Dense(8, activation="relu", dtype=policy, name="one")(inputs)
    model = randomised(keras.Model(inputs, layers.Dense(3, dtype=policy, name="two")(x)))
    result = converted(model)
    assert {entry.data.dtype for entry in result.weights} == {np.dtype(np.float32)}
    assert f"Computed in float32 in TF.js instead of {policy}: 'one', 'two'." in result.notes
    feed = samples_of(result.inputs)
    # What is left is Keras's own rounding: 2⁻¹¹ for float16, 2⁻⁸ for bfloat16, per layer.
    tolerance = {"float64": 1e-5, "float16": 5e-3, "mixed_float16": 5e-3}.get(policy, 5e-2)
    assert_matches(tfjs_node.run(packed(result), feed), keras_outputs(model, feed), tolerance=tolerance)


def test_weights_are_views_that_training_does_not_touch() -> None:
    model = models.dense()
    result = converted(model)
    before = [entry.data.copy() for entry in result.weights]
    assert not any(entry.data.flags.owndata for entry in result.weights)
    model.compile(optimizer="adam", loss="mse")
    model.fit(np.ones((8, 6), np.float32), np.ones((8, 3), np.float32), epochs=2, verbose=0)
    assert np.abs(model.get_weights()[0] - before[0]).max() > 0
    for entry, kept in zip(result.weights, before, strict=True):
        np.testing.assert_array_equal(entry.data, kept)


def test_converting_changes_nothing_in_the_model() -> None:
    model = models.nested()
    config, weights = model.get_config(), model.get_weights()
    converted(model)
    assert model.get_config() == config
    assert all((old == new).all() for old, new in zip(weights, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        pytest.param(lambda: keras.Sequential([layers.Dense(2)]), "not built", id="unbuilt-sequential"),
        pytest.param(keras.Sequential, "not built", id="empty-sequential"),
        pytest.param(type("Own", (keras.Model,), {}), "subclassed model ('Own')", id="subclassed"),
        pytest.param(lambda: layers.Dense(2), "no Keras 3 model", id="layer"),
        pytest.param(dict, "no Keras 3 model", id="no-model"),
    ],
)
def test_what_is_no_functional_model_is_refused(build: Callable[[], Any], reason: str) -> None:
    result = layers_topology(build())
    assert isinstance(result, Refused)
    (refusal,) = result.refusals
    assert reason in refusal.reason


def test_subclass_with_its_own_call_is_refused() -> None:
    class Doubled(keras.Model):
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return 2 * super().call(inputs, training=training, mask=mask)

    inputs = keras.Input((4,))
    result = layers_topology(Doubled(inputs, layers.Dense(2)(inputs)))
    assert isinstance(result, Refused)
    assert "call method of its own" in result.refusals[0].reason


@pytest.mark.parametrize("option", ["sparse", "optional"])
def test_special_inputs_are_refused(option: str) -> None:
    inputs = keras.Input((4,), **{option: True})
    result = layers_topology(keras.Model(inputs, layers.Identity()(inputs)))
    assert isinstance(result, Refused)
    assert any(option in refusal.reason for refusal in result.refusals)


def test_nested_subclassed_model_is_refused_by_name() -> None:
    class Inner(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs * 2

    inputs = keras.Input((4,))
    result = layers_topology(keras.Model(inputs, Inner(name="inner")(inputs)))
    assert isinstance(result, Refused)
    assert ("inner", True) in [(r.layer, "subclassed" in r.reason) for r in result.refusals]


#: One of each family, for every day; the slow test takes all.
FEW = [
    *("Conv1D-same", "Conv2D-channels-first", "Resizing-height-width-interpolation-5", "GroupNormalization-2"),
    *("EinsumDense-abcd,dce->abe", "Bidirectional-hard_sigmoid", "RNN-StackedRNNCells", "ops-get_item-slice"),
    *("mask-LSTM", "TimeDistributed-Conv1D-causal", "Attention-concat"),
]


@pytest.mark.parametrize("cases", [FEW, pytest.param([], marks=pytest.mark.slow)], ids=["few", "all"])
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_another_keras_backend_gives_the_same_without_tensorflow(cases: list[str], tmp_path: Path) -> None:
    file = tmp_path / "jax.pickle"
    command = [sys.executable, "-m", "tests.layers.other_backend", str(file), *cases]
    subprocess.run(command, env={**os.environ, "KERAS_BACKEND": "jax"}, check=True, capture_output=True)
    on_jax, on_tensorflow = pickle.loads(file.read_bytes()), results(cases)
    assert on_jax.keys() == on_tensorflow.keys()
    failed = [case for case, found in on_jax.items() if isinstance(found, str)]
    assert len(failed) <= len(on_jax) // 50, failed
    for case in on_jax.keys() - set(failed):
        (topology, weights), (expected, same) = on_jax[case], on_tensorflow[case]
        assert topology == expected, case
        assert list(weights) == list(same), case
        assert all(np.allclose(weights[name], same[name], atol=1e-5) for name in same), case


def test_result_is_one_of_two_types() -> None:
    assert isinstance(layers_topology(models.dense()), LayersTopology)


def test_a_constraint_stays_where_the_weights_meet_it(tfjs_node: TfjsNode) -> None:
    """TF.js applies it while it loads: NonNeg leaves such weights as they are, MaxNorm rounds them."""
    options = {"kernel_constraint": "non_neg", "bias_constraint": "max_norm"}
    model = on(LINE, layers.Dense(4, name="met", **options), layers.Dense(3, name="broken", **options))
    randomised(model)
    kernel = model.get_layer("met").kernel
    kernel.assign(np.abs(np.asarray(kernel)))
    result = converted(model)
    met, broken = (layer["config"] for layer in result.topology["model_config"]["config"]["layers"][1:])
    assert met["kernel_constraint"] == {"class_name": "NonNeg", "config": {}}
    assert "bias_constraint" not in met
    assert "kernel_constraint" not in broken
    assert result.notes == ("Weight constraints are left out (they matter only for training): 'broken', 'met'.",)
    feed = samples_of(result.inputs)
    assert_matches(tfjs_node.run(packed(result), feed), keras_outputs(model, feed))
