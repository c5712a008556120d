"""``inference=True`` folds batch norms into the layers before them, exactly, and says which stay and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode, forwards
from tests.graph_text import BACKENDS
from tests.layers.cases import IMAGE, SEQUENCE, on
from tests.models import keras_outputs, layers, randomised, samples_of
from tfjs_magic import TfjsModel, convert
from tfjs_magic.options import Backend

Norm = layers.BatchNormalization


def nested() -> Any:
    inner = keras.Sequential([keras.Input(IMAGE), layers.Conv2D(4, 3), Norm(), layers.ReLU()], name="inner")
    inputs = keras.Input(IMAGE, name="x")
    return keras.Model(inputs, layers.Add()([inner(inputs), inner(layers.Conv2D(IMAGE[-1], 1)(inputs))]))


def mixed_precision() -> Any:
    return on(IMAGE, layers.Conv2D(4, 3, dtype="mixed_float16"), Norm(dtype="mixed_float16"))


def norm_is_an_output() -> Any:
    inputs = keras.Input(IMAGE, name="x")
    normal = Norm()(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, [normal, layers.ReLU()(normal)])


def frozen() -> Any:
    model = on(IMAGE, layers.Conv2D(4, 3), Norm(), layers.Dense(3))
    model.layers[1].trainable = model.layers[2].trainable = False
    return model


#: What is folded → the classes that are left of it.
FOLDED: dict[str, tuple[Callable[[], Any], dict[str, int]]] = {
    "Conv2D": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm()), {"Conv2D": 1}),
    "Conv2D-without-bias": (lambda: on(IMAGE, layers.Conv2D(4, 3, use_bias=False), Norm()), {"Conv2D": 1}),
    "Conv2D-groups": (lambda: on((7, 6, 4), layers.Conv2D(6, 3, groups=2), Norm()), {"Conv2D": 1}),
    "Conv2D-relu": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm(), layers.ReLU()), {"Conv2D": 1}),
    "Conv2D-elu": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm(), layers.Activation("elu")), {"Conv2D": 1}),
    "Conv2D-relu6": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm(), layers.ReLU(6)), {"Conv2D": 1, "ReLU": 1}),
    "Conv2D-non-negative": (
        lambda: on(IMAGE, layers.Conv2D(4, 3, kernel_constraint="non_neg", kernel_initializer="ones"), Norm()),
        {"Conv2D": 1},
    ),
    "DepthwiseConv2D": (
        lambda: on(IMAGE, layers.DepthwiseConv2D(3, depth_multiplier=2), Norm()),
        {"DepthwiseConv2D": 1},
    ),
    "SeparableConv2D": (lambda: on(IMAGE, layers.SeparableConv2D(5, 3), Norm()), {"SeparableConv2D": 1}),
    "Conv2DTranspose": (lambda: on(IMAGE, layers.Conv2DTranspose(5, 3, 2), Norm()), {"Conv2DTranspose": 1}),
    "Conv1D": (lambda: on(SEQUENCE, layers.Conv1D(5, 3), Norm()), {"Conv1D": 1}),
    "Conv1D-causal": (
        lambda: on(SEQUENCE, layers.Conv1D(5, 3, padding="causal"), Norm()),
        {"Conv1D": 1, "Reshape": 2, "ZeroPadding2D": 1},
    ),
    "Dense": (lambda: on((6,), layers.Dense(5), Norm(), layers.Activation("relu")), {"Dense": 1}),
    "Dense-of-sequence": (lambda: on(SEQUENCE, layers.Dense(5), Norm()), {"Dense": 1}),
    "no-scale": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm(scale=False)), {"Conv2D": 1}),
    "no-center": (lambda: on(IMAGE, layers.Conv2D(4, 3, use_bias=False), Norm(center=False)), {"Conv2D": 1}),
    "neither": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm(scale=False, center=False)), {"Conv2D": 1}),
    "twice": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm(), Norm()), {"Conv2D": 1}),
    "padded": (lambda: on((8, 8, 3), layers.ZeroPadding2D(1), layers.Conv2D(4, 3), Norm()), {"Conv2D": 1}),
    "frozen": (frozen, {"Conv2D": 1, "Dense": 1}),
    "mixed-precision": (mixed_precision, {"Conv2D": 1}),
    "nested": (nested, {"Conv2D": 3, "Add": 1}),
    "norm-is-an-output": (norm_is_an_output, {"Conv2D": 1, "ReLU": 1}),
}


def second_consumer() -> Any:
    inputs = keras.Input(IMAGE, name="x")
    conv = layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, layers.Add()([conv, Norm()(conv)]))


def conv_is_an_output() -> Any:
    inputs = keras.Input(IMAGE, name="x")
    conv = layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, [conv, Norm()(conv)])


def shared_conv() -> Any:
    inputs, conv = keras.Input(IMAGE, name="x"), layers.Conv2D(IMAGE[-1], 3, padding="same")
    return keras.Model(inputs, Norm()(conv(conv(inputs))))


def shared_norm() -> Any:
    inputs, norm = keras.Input(IMAGE, name="x"), Norm()
    return keras.Model(inputs, norm(layers.Conv2D(4, 3, padding="same")(norm(layers.Conv2D(4, 3)(inputs)))))


def infinite() -> Any:
    return on(IMAGE, layers.Conv2D(4, 3), Norm(epsilon=0))


STAYS: dict[str, tuple[Callable[[], Any], str]] = {
    "second-consumer": (second_consumer, "what it normalises is used elsewhere, too"),
    "conv-is-an-output": (conv_is_an_output, "what it normalises is used elsewhere, too"),
    "activation": (lambda: on(IMAGE, layers.Conv2D(4, 3, activation="relu"), Norm()), "an activation stands between"),
    "activation-layer": (
        lambda: on(IMAGE, layers.Conv2D(4, 3), layers.ReLU(), Norm()),
        "no convolution or dense layer is right before it",
    ),
    "first": (lambda: on(IMAGE, Norm(), layers.Conv2D(4, 3)), "no convolution or dense layer is right before it"),
    "shared-conv": (shared_conv, "it or the layer before it is called several times"),
    "shared-norm": (shared_norm, "it or the layer before it is called several times"),
    "other-axis": (lambda: on(IMAGE, layers.Conv2D(4, 3), Norm(axis=1)), "TF.js needs several layers for it"),
    "zero-padding-between": (
        lambda: on(IMAGE, layers.Conv2D(4, 3), layers.ZeroPadding2D(1), Norm()),
        "no convolution or dense layer is right before it",
    ),
    "channels-first": (
        lambda: on((3, 8, 7), layers.Conv2D(4, 3, data_format="channels_first"), Norm()),
        "the layer before it has its channels first",
    ),
}


def compared(model: Any, backend: Backend, node: TfjsNode) -> TfjsModel:
    """Convert for inference, and compare with Keras."""
    web = convert(model, format="layers", inference=True)
    feeds = [samples_of(web.inputs, seed) for seed in (0, 1)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    tolerance = 2e-3 if "float16" in str(model.layers[1].dtype_policy.name) else 1e-5
    for got, reference in zip(
        node.run_each(web, feeds, backend, forward=forwards(backend)[-1]), references, strict=True
    ):
        assert_matches(got, reference, tolerance=tolerance)
    return web


def randomly_signed(model: Any) -> Any:
    """Randomise, also the sign of gamma."""
    rng = np.random.default_rng(7)
    for variable in randomised(model).weights:
        if variable.name == "gamma":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape) * rng.choice([-1, 1], variable.shape))
        elif variable.name == "moving_mean":
            variable.assign(rng.normal(0, 1, variable.shape))
    return model


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", FOLDED)
def test_folded_layers_give_keras_numbers(case: str, backend: Backend, tfjs_node: TfjsNode) -> None:
    build, left = FOLDED[case]
    model = randomly_signed(build())
    if case == "Conv2D-non-negative":
        model.layers[1].kernel.assign(np.abs(model.layers[1].kernel))
    web = compared(model, backend, tfjs_node)
    assert dict(web.report.ops) == left
    assert any("fine-tuning differs" in note for note in web.report.notes)
    assert not any("Not folded" in note for note in web.report.notes)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", STAYS)
def test_what_stays_is_told_with_the_reason(case: str, backend: Backend, tfjs_node: TfjsNode) -> None:
    build, reason = STAYS[case]
    web = compared(randomly_signed(build()), backend, tfjs_node)
    assert web.report.ops["BatchNormalization"]
    (note,) = (note for note in web.report.notes if "Not folded" in note)
    assert note.startswith(f"Not folded, since {reason}: '")


def test_infinite_weights_are_not_written() -> None:
    model = randomised(infinite())
    model.layers[2].moving_variance.assign([1, 0, 1, 1])
    (note,) = convert(model, format="layers", inference=True).report.notes
    assert note.startswith("Not folded, since its weights would become infinite")


def test_nothing_is_folded_unless_it_is_asked_for() -> None:
    assert dict(convert(randomised(on(IMAGE, layers.Conv2D(4, 3), Norm()))).report.ops) == {
        "BatchNormalization": 1,
        "Conv2D": 1,
    }


def test_a_folded_model_becomes_keras_and_is_converted_again(tfjs_node: TfjsNode) -> None:
    model = randomly_signed(on(IMAGE, layers.Conv2D(4, 3, use_bias=False), Norm(), layers.ReLU(), layers.Dense(3)))
    web = convert(model, inference=True)
    feed = samples_of(web.inputs)
    reference = keras_outputs(model, feed)
    again = convert(web.to_keras(), inference=True)
    (got,) = tfjs_node.run(again, samples_of(again.inputs)).values()
    np.testing.assert_allclose(got, *reference.values(), atol=1e-5)
    assert again.report.ops == web.report.ops == {"Conv2D": 1, "Dense": 1}
    assert [layer.name for layer in web.to_keras().layers[1:]] == [model.layers[1].name, model.layers[4].name]


def test_layers_that_are_gone_have_no_output_to_compare() -> None:
    model = on(IMAGE, layers.Conv2D(4, 3), Norm(), layers.ReLU(), layers.Conv2D(4, 3), Norm(), layers.Dense(3))
    conv, norm, relu, second, stays, dense = (layer.name for layer in model.layers[1:])
    found = {one.label: (one.tensor, one.why_not) for one in convert(model, inference=True).layers}
    assert found == {
        conv: ("", "its batch norm is folded into it"),
        norm: ("", "its activation is folded into the same layer"),
        relu: (conv, ""),
        second: ("", "its batch norm is folded into it"),
        stays: (second, ""),
        dense: (dense, ""),
    }
