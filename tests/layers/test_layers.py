"""Every layer and option that is converted gives Keras's numbers in real TF.js; every other one is refused."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode, forwards
from tests.graph_text import BACKENDS
from tests.layers.cases import CASES, FAMILIES, IMAGE, LINE, SEQUENCE, TOKENS, masked, on, on_two
from tests.layers.packing import converted, packed
from tests.models import keras_outputs, layers, randomised, samples_of
from tfjs_magic import convert
from tfjs_magic.layers.registry import MAPPINGS, OPERATION_MAPPINGS
from tfjs_magic.layers.topology import Refused, layers_topology
from tfjs_magic.options import Backend

INITIALIZERS = (
    *("glorot_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal", "random_normal", "random_uniform"),
    *("truncated_normal", "ones", "identity", keras.initializers.Constant(0.5)),
    keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=3),
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_layer_gives_keras_numbers(case: str, backend: Backend, tfjs_node: TfjsNode) -> None:
    model = randomised(CASES[case]())
    result = converted(model)
    feeds = [samples_of(result.inputs, seed) for seed in (0, 1)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    for forward in forwards(backend) if not result.backends.get(backend) else ():
        got = tfjs_node.run_each(packed(result), feeds, backend, forward=forward)
        for actual, reference in zip(got, references, strict=True):
            assert_matches(actual, reference)
    assert [info.shape for info in result.outputs] == [tuple(tensor.shape) for tensor in model.outputs]


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=str)
def test_any_initializer_loads(initializer: Any, tfjs_node: TfjsNode) -> None:
    model = randomised(on((4,), layers.Dense(4, kernel_initializer=initializer)))
    result = converted(model)
    feed = samples_of(result.inputs)
    assert_matches(tfjs_node.run(packed(result), feed), keras_outputs(model, feed))


def test_masked_steps_are_skipped_as_in_keras(tfjs_node: TfjsNode) -> None:
    """Padding must matter here, or the cases above would pass without any mask."""
    model = randomised(on(SEQUENCE, layers.Masking(0.5), layers.LSTM(3, return_sequences=True), layers.LSTM(3)))
    result = converted(model)
    feed = samples_of(result.inputs)
    unpadded = keras_outputs(model, feed)
    feed["x"][0, :2], feed["x"][1, 4:] = 0.5, 0.5
    without_mask = randomised(on(SEQUENCE, layers.LSTM(3, return_sequences=True), layers.LSTM(3)))
    without_mask.set_weights(model.get_weights())
    (plain,) = keras_outputs(without_mask, feed).values()
    reference = keras_outputs(model, feed)
    (masked_output,) = reference.values()
    assert np.abs(masked_output - plain).max() > 1e-2
    assert_telling(unpadded, reference)
    for backend in set(BACKENDS) - {"webgpu"}:  # it computes masks wrongly, and the report says so
        assert_matches(tfjs_node.run(packed(result), feed, backend), reference)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "layer", [lambda: layers.LSTM(3, stateful=True), lambda: layers.GRU(3, stateful=True, reset_after=False)]
)
def test_state_is_kept_from_call_to_call(layer: Callable[[], Any], backend: Backend, tfjs_node: TfjsNode) -> None:
    inputs = keras.Input(batch_shape=(2, 7, 4), name="x")
    model = randomised(keras.Model(inputs, layer()(inputs)))
    result = converted(model)
    assert result.stateful
    model.reset_states() if hasattr(model, "reset_states") else model.layers[1].reset_states()
    feeds = [samples_of(result.inputs, seed) for seed in (0, 1, 0)]
    references = [{name: np.array(value) for name, value in keras_outputs(model, feed).items()} for feed in feeds]
    assert_telling(references[0], references[2])
    got = tfjs_node.run_each(packed(result), feeds, backend, forward=forwards(backend)[-1])
    for actual, reference in zip(got, references, strict=True):
        assert_matches(actual, reference)
    stateful = convert(model)
    assert stateful.format == "layers-model"
    assert stateful.reference is None
    assert "Keeps its state from call to call" in stateful.report.notes[0]


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_what_a_causal_mask_hides_stays_hidden_in_a_quantized_model(dtype: str, tfjs_node: TfjsNode) -> None:
    model = convert(randomised(CASES["MultiHeadAttention-causal"]()), quantize=dtype)
    feed = samples_of(model.inputs)
    later = {"x": feed["x"] + np.eye(7, 4, -6, dtype=np.float32)}
    (name,) = (info.name for info in model.outputs)
    got, other = (outputs[name] for outputs in tfjs_node.run_each(model, [feed, later]))
    assert np.array_equal(got[:, :-1], other[:, :-1])
    assert not np.array_equal(got[:, -1], other[:, -1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "case",
    [
        *("Attention-causal", "GroupedQueryAttention-causal", "MultiHeadAttention-causal"),
        *("MultiHeadAttention-causal-crossed", "MultiHeadAttention-window"),
    ],
)
def test_scores_beyond_what_masks_take_away_are_hidden_as_in_keras(
    case: str, backend: Backend, tfjs_node: TfjsNode
) -> None:
    model = randomised(CASES[case]())
    result = converted(model)
    feed = {name: values * np.float32(1e7) for name, values in samples_of(result.inputs).items()}
    assert_matches(tfjs_node.run(packed(result), feed, backend), keras_outputs(model, feed))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_every_mapping_has_a_case_under_the_name_of_its_module(family: str) -> None:
    """A layer or an operation is not converted before a case above has compared it."""
    module = importlib.import_module(f"tfjs_magic.layers.{family}")
    found = [one for build in FAMILIES[family].values() for one in build().operations]
    cells = [cell for one in found if (cell := getattr(one, "cell", None)) is not None]
    seen = {type(one).__name__ for one in [*found, *cells, *(c for cell in cells for c in getattr(cell, "cells", []))]}
    assert set(OPERATION_MAPPINGS if family == "operations" else getattr(module, "LAYERS", ())) <= seen


def test_every_module_with_mappings_has_cases() -> None:
    modules = [importlib.import_module(f"tfjs_magic.layers.{family}") for family in FAMILIES]
    assert {name for module in modules for name in getattr(module, "LAYERS", ())} == set(MAPPINGS)
    assert len(CASES) == sum(map(len, FAMILIES.values())), "two cases have one name"


class Dense(layers.Dense):
    """A user's own layer that bears a builtin's name."""


def relu(x: Any) -> Any:
    """A user's own function that bears a builtin's name."""
    return x * 2


class OwnCell(layers.LSTMCell):
    """A user's own cell."""


def heads(query: Any, value: Any = None, *, sliding_window: int | None = None, **arguments: Any) -> Any:
    layer = layers.MultiHeadAttention(2, 3, sliding_window=sliding_window, name="bad")
    return layer(query, query if value is None else value, **arguments)


def stateful_gru() -> Any:
    x = keras.Input(batch_shape=(2, 7, 4))
    return keras.Model(x, layers.GRU(3, stateful=True, name="bad")(x))


def some_initial_states() -> Any:
    x, state, layer = keras.Input(SEQUENCE), keras.Input((3,)), layers.GRU(3, name="bad")
    return keras.Model([x, state], [layer(x), layer(x, initial_state=state)])


def stale_mask() -> Any:
    return masked(layers.LSTM(3), layers.RepeatVector(7), layers.LSTM(3))


def mask_from_nested() -> Any:
    encoder = keras.Sequential([keras.Input(TOKENS, dtype="int32"), layers.Embedding(5, 4, mask_zero=True)], name="bad")
    return on(TOKENS, encoder, layers.LSTM(3), dtype="int32")


def mask_into_nested() -> Any:
    return masked(keras.Sequential([keras.Input((7, 4)), layers.LSTM(3)], name="bad"))


def own_mask() -> Any:
    x, mask = keras.Input(SEQUENCE), keras.Input((7,), dtype="int32", name="mask")
    return keras.Model([x, mask], layers.LSTM(3, name="bad")(x, mask=mask))


def initial_state_beside_mask() -> Any:
    tokens, sequence = keras.Input(TOKENS, dtype="int32"), keras.Input(SEQUENCE)
    encoded = layers.LSTM(3)(layers.Embedding(5, 4, mask_zero=True)(tokens))
    decoded = layers.SimpleRNN(3, name="bad")(sequence, initial_state=encoded)
    return keras.Model([tokens, sequence], decoded)


class UnwrittenCell(layers.Layer):  # type: ignore[misc]
    """A cell that takes an array, so that Keras cannot write its options down."""

    def __init__(self, factor: Any) -> None:
        super().__init__()
        self.factor, self.state_size, self.output_size = factor, 4, 4

    def call(self, x: Any, states: Any, **_: Any) -> Any:
        made = x * self.factor + states[0]
        return made, [made]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "not-a-number": (lambda: on(SEQUENCE, layers.Masking(float("nan"), name="bad")), "mask_value is infinite or not"),
    "infinite": (lambda: on(LINE, layers.ReLU(float("inf"), name="bad")), "max_value is infinite or not"),
    "infinite-scale": (lambda: on(LINE, layers.Rescaling(float("inf"), name="bad")), "scale is infinite or not"),
    "initializer-of-no-number": (
        lambda: on(LINE, layers.Dense(3, kernel_initializer=keras.initializers.Constant(float("nan")), name="bad")),
        "kernel_initializer is infinite or not",
    ),
    "own-class": (lambda: on(LINE, Dense(3, name="bad")), "is your own"),
    "own-function": (lambda: on(LINE, layers.Dense(3, activation=relu, name="bad")), "a function of your own"),
    "activation-unbuilt": (lambda: on(LINE, layers.Dense(3, activation=layers.PReLU(name="bad"))), "not built"),
    "channels-first-bias": (
        lambda: on((3, 8, 7), layers.Conv2D(5, 3, data_format="channels_first", name="bad")),
        "along the width",
    ),
    "activation-unknown": (lambda: on(LINE, layers.Dense(3, "exponential", name="bad")), "powers of e"),
    "LSTM-activation": (lambda: on(SEQUENCE, layers.LSTM(3, "hard_sigmoid", name="bad")), "hard_sigmoid"),
    "glu-odd": (lambda: on(LINE, layers.Dense(3, "glu", name="bad")), "cannot halve 3 channels"),
    "ops-max-initial": (lambda: on(SEQUENCE, lambda x: keras.ops.max(x, axis=1, initial=5.0)), "initial=5.0"),
    "ops-maximum-wider": (lambda: on(LINE, lambda x: keras.ops.maximum(x, np.ones((1, 1, 1)))), "more dimensions"),
    "ops-power-of-tensor": (lambda: on(LINE, lambda x: 2.0**x), "can only square"),
    "ops-softmax-all": (lambda: on(LINE, lambda x: keras.ops.softmax(x, axis=None)), "takes in the batch"),
    "ops-stack-constant": (
        lambda: on(LINE, lambda x: keras.ops.stack([x, 2 * x, np.ones((1, 6), np.float32)])[0]),
        "constants among tensors",
    ),
    "ops-threshold": (lambda: on(LINE, lambda x: keras.ops.threshold(x, 0.3, 1.0)), "default_value=1.0"),
    "ops-glu": (lambda: on((4, 6), lambda x: keras.ops.glu(x, axis=1)), "axis=1"),
    "Conv2D-strides-any-size": (
        lambda: on((None, None, 3), layers.Conv2D(3, 2, strides=3, padding="same", name="bad")),
        "unknown size",
    ),
    "Conv2DTranspose-any-size": (
        lambda: on((None, None, 3), layers.Conv2DTranspose(3, 2, dilation_rate=2, name="bad")),
        "unknown size",
    ),
    "EinsumDense-batch": (
        lambda: on(SEQUENCE, layers.EinsumDense("abc,bcd->abd", (7, 3), name="bad")),
        "no Dense with moved dimensions",
    ),
    "EinsumDense-ellipsis": (
        lambda: on(IMAGE, layers.EinsumDense("...x,xy->...y", 6, name="bad")),
        "stands for several dimensions",
    ),
    "ConvLSTM1D-state": (
        lambda: on((4, *SEQUENCE), layers.ConvLSTM1D(2, 3, return_state=True, name="bad")),
        "returns its state",
    ),
    "ConvLSTM2D-channels-first": (
        lambda: on((4, 3, 8, 7), layers.ConvLSTM2D(2, 3, data_format="channels_first", name="bad")),
        "wasm",
    ),
    "Resizing-fill": (
        lambda: on(IMAGE, layers.Resizing(4, 9, pad_to_aspect_ratio=True, fill_value=1.0, name="bad")),
        "fill_value=1.0",
    ),
    "Attention-scores": (
        lambda: on(SEQUENCE, lambda x: layers.Attention(name="bad")([x, x], return_attention_scores=True)[0]),
        "returns its scores",
    ),
    "Attention-masked": (lambda: masked(lambda x: layers.Attention(name="bad")([x, x])), "ignores"),
    "Bidirectional-RNN": (
        lambda: on(SEQUENCE, layers.Bidirectional(layers.RNN(layers.LSTMCell(3)), name="bad")),
        "cannot build twice",
    ),
    "RNN-own-cell": (lambda: on(SEQUENCE, layers.RNN(OwnCell(3), name="bad")), "is your own"),
    "operation-unknown": (lambda: on(LINE, keras.ops.exp), "keras.ops 'Exp'"),
    "BatchNormalization-renorm": (lambda: on(LINE, layers.BatchNormalization(renorm=True, name="bad")), "renorm"),
    "Cropping2D-any-size": (lambda: on((None, None, 3), layers.Cropping2D(1, name="bad")), "unknown size"),
    "Dot-4d": (lambda: on_two(IMAGE, layers.Dot(axes=3, name="bad")), "rank [4]"),
    "Dot-ranks": (lambda: on_two(SEQUENCE, layers.Dot(axes=1, name="bad"), second=(7,)), "rank [2, 3]"),
    "Concatenate-unknown": (lambda: on_two((None, 4), layers.Concatenate(name="bad"), second=(7, 4)), "known alike"),
    "Concatenate-batch": (lambda: on_two(LINE, layers.Concatenate(axis=0, name="bad")), "batch axis"),
    "GRU-reset-after-any-length": (lambda: on((None, 4), layers.GRU(3, name="bad")), "own layers, is unknown"),
    "GRU-reset-after-other-lengths": (
        lambda: on_two((4, 2), lambda pair: layers.add(list(map(layers.GRU(3, name="bad"), pair))), second=(6, 2)),
        "not the same in all its calls",
    ),
    "GRU-reset-after-long": (lambda: on((65, 4), layers.GRU(3, name="bad")), "own layers, is 65"),
    "GRU-reset-after-state": (
        lambda: on(SEQUENCE, lambda x: layers.GRU(3, return_state=True, name="bad")(x)[0]),
        "return_state=True, which layers for",
    ),
    "GRU-reset-after-stateful": (
        stateful_gru,
        "stateful=True, which layers for",
    ),
    "GRU-reset-after-recurrent-dropout": (
        lambda: on(SEQUENCE, layers.GRU(3, recurrent_dropout=0.2, name="bad")),
        "recurrent_dropout=0.2, which layers for",
    ),
    "GRU-reset-after-some-states": (some_initial_states, "only some of its calls"),
    "GRU-reset-after-masked": (lambda: masked(layers.GRU(3, name="bad")), "ignores"),
    "TimeDistributed-GRU": (
        lambda: on((2, *SEQUENCE), layers.TimeDistributed(layers.GRU(3), name="bad")),
        "wraps a GRU",
    ),
    "Bidirectional-GRU": (
        lambda: on(SEQUENCE, lambda x: layers.Bidirectional(layers.GRU(3), merge_mode=None, name="bad")(x)[0]),
        "two outputs",
    ),
    "Bidirectional-GRU-any-length": (
        lambda: on((None, 4), layers.Bidirectional(layers.GRU(3, name="bad"))),
        "reset_after=True",
    ),
    "Bidirectional-unlike": (
        lambda: on(
            SEQUENCE,
            layers.Bidirectional(
                layers.LSTM(3), backward_layer=layers.LSTM(3, activation="relu", go_backwards=True), name="bad"
            ),
        ),
        "other options",
    ),
    "Bidirectional-stateful": (
        lambda: keras.Model(
            i := keras.Input(batch_shape=(2, 7, 4)), layers.Bidirectional(layers.LSTM(3, stateful=True), name="bad")(i)
        ),
        "stateful=True",
    ),
    "TimeDistributed-LSTM": (
        lambda: on((3, *SEQUENCE), layers.TimeDistributed(layers.LSTM(3), name="bad")),
        "wraps a LSTM",
    ),
    "AdditiveAttention-matrices": (
        lambda: on((3, 5, 4), lambda x: layers.AdditiveAttention(name="bad")([x, x])),
        "on data of 4 axes",
    ),
    "Resizing-one-image": (lambda: on((5, 3), layers.Resizing(4, 4, name="bad")), "on data of 3 axes"),
    "UnitNormalization-batch": (
        lambda: on((5, 3), layers.UnitNormalization(axis=(0, 1), name="bad")),
        "over the batch",
    ),
    "Flatten-any-size": (
        lambda: on((None, 4), layers.Flatten(data_format="channels_first", name="bad")),
        "data_format",
    ),
    "Lambda": (lambda: on(LINE, layers.Lambda(lambda x: x * 2, name="bad")), "Lambda"),
    "several-arguments": (
        lambda: on_two(
            SEQUENCE, lambda pair: layers.MultiHeadAttention(1, 2, name="bad")(*pair, attention_mask=pair[0])
        ),
        "called with attention_mask",
    ),
    "MultiHeadAttention-scores": (
        lambda: on(SEQUENCE, lambda x: heads(x, return_attention_scores=True)[0]),
        "its scores",
    ),
    "MultiHeadAttention-masked": (lambda: masked(heads), "ignores"),
    "MultiHeadAttention-masked-values": (
        lambda: masked(lambda x: heads(layers.Dense(4)(layers.Reshape((7, 4))(x)), x)),
        "ignores",
    ),
    "MultiHeadAttention-causal-any-length": (
        lambda: on((None, 4), lambda x: heads(x, use_causal_mask=True)),
        "whose length is unknown",
    ),
    "MultiHeadAttention-images": (lambda: on((3, *SEQUENCE), heads), "on data of 4 axes"),
    "MultiHeadAttention-window-past-the-end": (
        lambda: on_two(SEQUENCE, lambda pair: heads(pair[0], pair[1][:, :2], sliding_window=2)),
        "see none of its key",
    ),
    "GroupedQueryAttention-masked": (
        lambda: masked(lambda x: layers.GroupQueryAttention(2, 4, 2, name="bad")(x, x)),
        "ignores",
    ),
    "training": (lambda: on(LINE, lambda x: layers.Dropout(0.5, name="bad")(x, training=True)), "training=True"),
    "Dense-integers": (lambda: on(LINE, layers.Dense(3, name="bad"), dtype="int32"), "int32 tensors"),
    "input-strings": (lambda: on(LINE, layers.Identity(), dtype="string"), "string"),
    "input-scalars": (lambda: on((), layers.Identity()), "single value"),
    "unwritten-cell": (
        lambda: on(SEQUENCE, layers.RNN(UnwrittenCell(np.ones(4, np.float32)), name="bad")),
        "cannot say what its options are (NotImplementedError)",
    ),
    "quantized": (lambda: on(LINE, layers.Dense(3, dtype="int8_from_float32", name="bad")), "int8_from_float32"),
    "mask-GlobalAveragePooling1D": (lambda: masked(layers.GlobalAveragePooling1D(name="bad")), "ignores"),
    "mask-Multiply": (lambda: masked(lambda x: layers.Multiply(name="bad")([x, layers.Dense(4)(x)])), "ignores"),
    "mask-lost-in-tfjs": (lambda: masked(layers.LeakyReLU(), layers.LSTM(3, name="bad")), "another than"),
    "mask-TimeDistributed-Softmax": (lambda: masked(layers.TimeDistributed(layers.Softmax(), name="bad")), "ignores"),
    "mask-Softmax": (lambda: masked(layers.Softmax(name="bad")), "ignores"),
    "mask-merged": (lambda: masked(lambda x: layers.Add()([x, x]), layers.LSTM(3, name="bad")), "another than"),
    "mask-Bidirectional-output": (
        lambda: masked(
            layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="rnn"), name="bad"), layers.Dense(2)
        ),
        "masked steps to zero",
    ),
    "mask-Bidirectional-flattened": (
        lambda: masked(layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="bad"), layers.Flatten()),
        "masked steps to zero",
    ),
    "mask-LSTM-zeroed": (
        lambda: masked(layers.LSTM(3, return_sequences=True, zero_output_for_mask=True, name="bad")),
        "masked steps to zero",
    ),
    "mask-stale": (stale_mask, "that layer's mask"),
    "mask-from-nested": (mask_from_nested, "leaves this nested model"),
    "mask-into-nested": (mask_into_nested, "enters this nested model"),
    "mask-own": (own_mask, "another than"),
    "initial-state-beside-mask": (initial_state_beside_mask, "also give to other layers"),
    "initial-state-masked": (
        lambda: masked(
            lambda x: layers.LSTM(3, name="bad")(x, initial_state=list(layers.LSTM(3, return_state=True)(x)[1:]))
        ),
        "a mask and an initial state",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_what_tfjs_cannot_hold_is_refused(case: str) -> None:
    build, reason = REFUSED[case]
    result = layers_topology(build())
    assert isinstance(result, Refused)
    assert any(reason in refusal.reason for refusal in result.refusals), result.refusals
    assert all(refusal.reason.endswith(".") and refusal.remedy.endswith(".") for refusal in result.refusals)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: on(IMAGE, layers.AutoContrast(name="bad")), "no layer that computes"),  # Keras sets training=True
        (lambda: on((None, 4), layers.Bidirectional(layers.GRU(3), name="bad")), "reset_after=True"),
        (lambda: on(SEQUENCE, layers.RNN(layers.StackedRNNCells([layers.GRUCell(3)]))), "reset_after=True"),
    ],
)
def test_a_refusal_has_one_reason_where_there_is_one(build: Callable[[], Any], reason: str) -> None:
    result = layers_topology(build())
    assert isinstance(result, Refused)
    assert {reason in refusal.reason for refusal in result.refusals} == {True}


def test_an_option_that_no_mapping_knows_is_refused_unless_it_is_off() -> None:
    class FutureConfig:
        """Stands for a Keras release with new options."""

        def __init__(self, options: dict[str, Any]) -> None:
            self.options = options

    for options, refused in (({"new": 2}, True), ({"new": None, "other": False}, False)):
        model = on(LINE, layers.Dense(3, name="bad"))
        original = model.get_layer("bad").get_config()
        object.__setattr__(model.get_layer("bad"), "get_config", lambda o=original, n=options: {**o, **n})
        assert isinstance(layers_topology(model), Refused) is refused


def test_every_refusal_is_told_at_once() -> None:
    model = on(
        IMAGE,
        Dense(3, name="first"),
        layers.Conv2D(4, 3, activation="exponential", name="second"),
        layers.Reshape((30, 4)),
        layers.LSTM(4, activation="squareplus", recurrent_activation="sparsemax", name="third"),
        keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x, name="fourth")]),
    )
    result = layers_topology(model)
    assert isinstance(result, Refused)
    assert [refusal.layer for refusal in result.refusals] == ["first", "second", "third", "third", "fourth"]
