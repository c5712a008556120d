"""Random small models of what is mapped whatever stands beside it: each converts, and is exact in TF.js."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode, forwards
from tests.graph_text import BACKENDS
from tests.layers.packing import converted, packed
from tests.models import keras_outputs, layers, randomised, samples_of
from tfjs_magic.options import Backend

ops = keras.ops
ACTIVATIONS = st.sampled_from(["relu", "tanh", "hard_sigmoid", "softmax", "gelu", "leaky_relu", "hard_silu", None])
PADDING = st.sampled_from(["same", "valid"])
SMALL = st.integers(1, 3)
Draw = Callable[[Any], Any]

#: For a tensor of so many dimensions beside the batch: functions that draw a layer's options and call it.
STEPS: Mapping[int, list[Callable[[Draw, Any], Any]]] = {
    1: [
        lambda draw, x: layers.Dense(draw(SMALL) + 1, draw(ACTIVATIONS))(x),
        lambda _, x: layers.BatchNormalization()(x),
        lambda _, x: layers.LayerNormalization()(x),
        lambda _, x: layers.UnitNormalization()(x),
        lambda draw, x: layers.ReLU(draw(st.sampled_from([None, 0.5])), draw(st.sampled_from([0.0, 0.2])))(x),
        lambda draw, x: x * draw(st.floats(-2, 2, width=16)) + 1,
        lambda _, x: ops.maximum(x, 0.1) - abs(x),
        lambda draw, x: layers.RepeatVector(draw(SMALL))(x),
        lambda _, x: x[:, :2],
    ],
    2: [
        lambda draw, x: layers.Conv1D(
            draw(SMALL) + 1,
            draw(SMALL),
            strides=draw(st.integers(1, 2)),
            padding=draw(st.sampled_from(["same", "valid", "causal"])),
            activation=draw(ACTIVATIONS),
        )(x),
        lambda draw, x: layers.SeparableConv1D(draw(SMALL), 2, padding=draw(PADDING))(x),
        lambda draw, x: layers.DepthwiseConv1D(2, padding=draw(PADDING), depth_multiplier=draw(st.integers(1, 2)))(x),
        lambda draw, x: layers.Conv1DTranspose(2, draw(SMALL), strides=draw(st.integers(1, 2)), padding=draw(PADDING))(
            x
        ),
        lambda draw, x: layers.MaxPooling1D(draw(st.integers(1, 2)), padding=draw(PADDING))(x),
        lambda draw, x: layers.LSTM(2, return_sequences=draw(st.booleans()))(x),
        lambda draw, x: layers.Bidirectional(layers.SimpleRNN(2, return_sequences=draw(st.booleans())))(x),
        lambda draw, x: layers.GRU(
            2, reset_after=False, recurrent_activation=draw(st.sampled_from(["sigmoid", "hard_sigmoid"]))
        )(x),
        lambda draw, x: layers.GRU(
            2, return_sequences=draw(st.booleans()), go_backwards=draw(st.booleans()), use_bias=draw(st.booleans())
        )(x),
        lambda draw, x: layers.TimeDistributed(layers.Dense(2, draw(ACTIVATIONS)))(x),
        lambda draw, x: layers.Softmax(axis=draw(st.sampled_from([1, 2])))(x),
        lambda draw, x: layers.GlobalAveragePooling1D(keepdims=draw(st.booleans()))(x),
        lambda _, x: layers.Attention()([x, x]),
        lambda draw, x: layers.MultiHeadAttention(draw(SMALL), 2)(x, x, use_causal_mask=draw(st.booleans())),
        lambda draw, x: layers.ZeroPadding1D((draw(SMALL), draw(SMALL)))(x),
        lambda draw, x: layers.UpSampling1D(draw(SMALL))(x),
        lambda _, x: layers.Flatten()(x),
        lambda _, x: ops.transpose(x, (0, 2, 1)),
        lambda _, x: layers.RMSNormalization()(x),
        lambda _, x: ops.mean(x, axis=-1),
        lambda _, x: ops.expand_dims(x, -1),
    ],
    3: [
        lambda draw, x: layers.Conv2D(
            draw(SMALL) + 1, draw(SMALL), padding=draw(PADDING), strides=draw(SMALL), activation=draw(ACTIVATIONS)
        )(x),
        lambda draw, x: layers.DepthwiseConv2D(2, padding=draw(PADDING), dilation_rate=draw(st.integers(1, 2)))(x),
        lambda draw, x: layers.Conv2DTranspose(2, draw(SMALL), strides=draw(st.integers(1, 2)), padding=draw(PADDING))(
            x
        ),
        lambda draw, x: layers.Conv2D(2 * x.shape[-1], 2, groups=x.shape[-1], padding=draw(PADDING))(x),
        lambda draw, x: layers.AveragePooling2D(draw(st.integers(1, 2)), padding=draw(PADDING))(x),
        lambda draw, x: layers.BatchNormalization(axis=draw(st.sampled_from([1, 2, 3])))(x),
        lambda _, x: layers.GroupNormalization(groups=1)(x),
        lambda draw, x: layers.GlobalMaxPooling2D(keepdims=draw(st.booleans()))(x),
        lambda draw, x: layers.AdaptiveAveragePooling2D((draw(SMALL), draw(SMALL)))(x),
        lambda draw, x: layers.Resizing(draw(st.integers(2, 6)), draw(st.integers(2, 6)))(x),
        lambda draw, x: layers.UpSampling2D(2, interpolation=draw(st.sampled_from(["nearest", "bilinear"])))(x),
        lambda draw, x: layers.Permute(tuple(draw(st.permutations([1, 2, 3]))))(x),
        lambda draw, x: layers.Activation(draw(ACTIVATIONS.filter(bool)))(x),
        lambda _, x: layers.Flatten()(x),
        lambda _, x: layers.Reshape((-1, x.shape[-1]))(x),
        lambda _, x: layers.PReLU(shared_axes=[1, 2])(x),
    ],
}
STARTS = st.sampled_from([(6,), (7, 4), (8, 7, 3)])


def built(draw: Draw) -> Any:
    """Chain layers, join some with an earlier tensor of the same shape, and let one tensor inside be an output too."""
    keras.backend.clear_session()
    inputs = x = keras.Input(draw(STARTS), name="x")
    seen = [x]
    for _ in range(draw(st.integers(1, 5))):
        steps = STEPS.get(len(x.shape) - 1)
        if not steps:
            break
        try:
            x = draw(st.sampled_from(steps))(draw, x)
        except ValueError:  # Keras has no such layer on this shape, like a window beyond the data
            break
        if any(size == 0 for size in x.shape[1:]):
            x = seen[-1]
            break
        alike = [one for one in seen if one.shape == x.shape]
        if alike and draw(st.booleans()):
            x = draw(st.sampled_from([layers.Add(), layers.Multiply(), layers.Maximum()]))([x, alike[-1]])
        seen.append(x)
    outputs = {"end": x}
    if len(seen) > 2 and draw(st.booleans()):
        outputs["inside"] = seen[-2]
    return randomised(keras.Model(inputs, outputs))


def compare(data: st.DataObject, backend: Backend, tfjs_node: TfjsNode) -> None:
    model = built(data.draw)
    result = converted(model)
    feed = samples_of(result.inputs)
    if not result.backends.get(backend):
        (got,) = tfjs_node.run_each(packed(result), [feed], backend, forward=forwards(backend)[-1])
        assert_matches(got, keras_outputs(model, feed), tolerance=5e-5)


ANYHOW = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@pytest.mark.filterwarnings("ignore")  # Keras warns of a softmax over one value
@given(data=st.data(), backend=st.sampled_from(BACKENDS))
@settings(max_examples=15, **ANYHOW)
def test_random_models_give_keras_numbers(data: st.DataObject, backend: Backend, tfjs_node: TfjsNode) -> None:
    compare(data, backend, tfjs_node)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore")
@given(data=st.data(), backend=st.sampled_from(BACKENDS))
@settings(max_examples=1000, **ANYHOW)
def test_many_random_models_give_keras_numbers(data: st.DataObject, backend: Backend, tfjs_node: TfjsNode) -> None:
    compare(data, backend, tfjs_node)
